//! The dashboard's pages as they are served, whichever were built in: a build without any serves one that says how.

use crate::world::{Answer, World, request};
use axum::http::Method;

async fn get(world: &World, path: &str, headers: &[(&str, &str)]) -> Answer {
    world.send(request(None, Method::GET, path, None, headers)).await
}

#[tokio::test]
async fn every_place_inside_the_pages_is_the_one_page_and_an_unknown_asset_is_an_error() {
    let world = World::start().await;
    let home = get(&world, "/ui/", &[]).await;
    assert_eq!(home.status, 200);
    assert_eq!(home.header("content-type"), "text/html; charset=utf-8");
    assert!(home.text.contains("<title>"), "{}", home.text);
    for path in ["/ui/boards", "/ui/boards/lamp.7", "/ui/a/b%2e%2e/%00", "/ui/..%2f..%2fetc/passwd"]
    {
        let answer = get(&world, path, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, home.text.as_str()));
    }
    let answer = get(&world, "/ui/assets/index-gone.js", &[]).await;
    assert_eq!(answer.header("content-type"), "application/problem+json");
    answer.expect(404);
    let led = get(&world, "/ui", &[]).await;
    assert_eq!((led.status.as_u16(), led.header("location")), (308, "/ui/"));
    let head = world.send(request(None, Method::HEAD, "/ui/", None, &[])).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), home.text.len().to_string());
    assert_eq!(world.send(request(None, Method::POST, "/ui/", None, &[])).await.status, 405);
}

#[tokio::test]
async fn the_page_runs_no_foreign_script_and_stands_in_no_frame() {
    let world = World::start().await;
    let answer = get(&world, "/ui/", &[]).await;
    let policy = answer.header("content-security-policy");
    let rule = |name: &str| {
        let mut rules = policy.split("; ").filter_map(|rule| rule.split_once(' '));
        rules.find(|(one, _)| *one == name).map(|(_, sources)| sources.trim().to_owned())
    };
    assert_eq!(rule("default-src").as_deref(), Some("'self'"));
    assert_eq!(rule("script-src").as_deref(), Some("'self'"));
    assert_eq!(rule("style-src").as_deref(), Some("'self'"));
    assert_eq!(rule("connect-src").as_deref(), Some("'self'"));
    assert_eq!(rule("img-src").as_deref(), Some("'self' data:"));
    assert_eq!(rule("frame-ancestors").as_deref(), Some("'none'"));
    assert_eq!(rule("base-uri").as_deref(), Some("'none'"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert!(!answer.text.contains("<script>"), "{}", answer.text);
}

#[tokio::test]
async fn a_page_that_is_known_is_not_sent_again() {
    let world = World::start().await;
    for encoding in ["identity", "gzip"] {
        let encoding = ("accept-encoding", encoding);
        let response = world.send_raw(request(None, Method::GET, "/ui/", None, &[encoding])).await;
        let tag = response.headers().get("etag").unwrap().to_str().unwrap().to_owned();
        let again = get(&world, "/ui/", &[encoding, ("if-none-match", &tag)]).await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
        assert_eq!(again.header("etag"), tag);
    }
}

#[tokio::test]
async fn everybody_reads_what_the_operator_set_for_the_pages() {
    let world = World::start().await;
    let shown = get(&world, "/v2/ui", &[]).await.expect(200);
    assert_eq!(shown["tile_url"], serde_json::Value::Null);
    assert_eq!(shown["cloud"]["version"], env!("CARGO_PKG_VERSION"));
    let world = World::with(|settings| {
        settings.ui.tile_url = "https://tiles.example/{z}/{x}/{y}.png".into();
        settings.ui.attribution = "© somebody".into();
    })
    .await;
    let shown = get(&world, "/v2/ui", &[]).await.expect(200);
    assert_eq!(shown["attribution"], "© somebody");
    let policy = get(&world, "/ui/", &[]).await;
    let policy = policy.header("content-security-policy").to_owned();
    assert!(policy.ends_with("img-src 'self' data: https://tiles.example"), "{policy}");
}

#[tokio::test]
async fn the_operators_map_is_given_in_parts_with_a_tag_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("town.pmtiles");
    let content: Vec<u8> = (0..=255).cycle().take(5_000_000).collect();
    std::fs::write(&file, &content).unwrap();
    let path = file.clone();
    let world = World::with(move |settings| settings.ui.pmtiles = Some(path)).await;
    let shown = get(&world, "/v2/ui", &[]).await.expect(200);
    let address = shown["pmtiles"].as_str().unwrap();
    let part = async |range: &str| {
        world.send_raw(request(None, Method::GET, address, None, &[("range", range)])).await
    };
    let header = |answer: &axum::response::Response, name: &str| {
        answer.headers().get(name).unwrap().to_str().unwrap().to_owned()
    };
    let answer = part("bytes=250-259").await;
    assert_eq!(answer.status(), 206);
    assert_eq!(header(&answer, "content-range"), "bytes 250-259/5000000");
    let tag = header(&answer, "etag");
    let bytes = axum::body::to_bytes(answer.into_body(), 100).await.unwrap();
    assert_eq!(bytes[..], content[250..260]);
    let end = part("bytes=4999990-5000010").await;
    assert_eq!(header(&end, "content-range"), "bytes 4999990-4999999/5000000");
    for beyond in ["bytes=5000000-5000001", "bytes=0-4999999", "bytes=0-1,3-4", "lines=0-1"] {
        let refused = part(beyond).await;
        assert_eq!(refused.status(), 416, "{beyond}");
        assert_eq!(header(&refused, "content-range"), "bytes */5000000");
    }
    get(&world, address, &[]).await.expect(416);

    std::fs::write(folder.path().join("new"), &content[1..]).unwrap();
    std::fs::rename(folder.path().join("new"), &file).unwrap();
    assert_ne!(header(&part("bytes=0-9").await, "etag"), tag);
    std::fs::remove_file(&file).unwrap();
    get(&world, address, &[("range", "bytes=0-9")]).await.expect(404);
    let world = World::start().await;
    get(&world, address, &[("range", "bytes=0-9")]).await.expect(404);
}
