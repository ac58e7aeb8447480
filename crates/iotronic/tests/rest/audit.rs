//! `/v2/audit`: who is the author of what, who sees which rows, proofs, heads, export, erasing, counts of reads.

use crate::world::{Somebody, World, eventually, request};
use axum::http::Method;
use model::access::Role;
use model::audit::{Checker, Digest, Head, Line, Report, merkle};
use serde_json::{Value, json};

async fn rows(world: &World, who: &Somebody, query: &str) -> Vec<Value> {
    let page = world.get(who, &format!("/v2/audit?limit=1000&{query}")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

async fn export(world: &World, admin: &Somebody) -> Vec<Line> {
    let answer = world.get(admin, "/v2/audit/export").await;
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn is_signed(world: &World, head: &Head) -> bool {
    use base64::Engine as _;
    let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&head.signature);
    let signature: [u8; 64] = signature.unwrap().try_into().unwrap();
    head.key == world.cloud().key.public().to_string()
        && world.cloud().key.public().verifies(&head.message(), &signature)
}

async fn check(world: &World, admin: &Somebody) -> Report {
    let mut checker = Checker::new(|head: &Head| is_signed(world, head));
    export(world, admin).await.into_iter().for_each(|line| checker.line(line));
    checker.finish()
}

#[tokio::test]
async fn what_people_do_by_either_api_is_told_with_who_they_are() {
    let world = World::start().await;
    let owner = world.owner().await;
    let admin = world.somebody(&world.project, Role::Admin).await;
    let claim = world.post(&owner, "/v2/claims", json!({ "name": "lamp" })).await.expect(201);
    let user = json!({ "user": { "name": "ada", "password": "long enough" } });
    let user = world.post(&admin, "/identity/v3/users", user).await.expect(201);
    let user = user["user"]["id"].as_str().unwrap();
    let role = format!("/identity/v3/projects/{}/users/{user}/roles/user_iot", world.project);
    world.put(&admin, &role, json!({})).await.expect(204);
    world.delete(&admin, &role).await.expect(204);
    let board = json!({ "name": "old", "code": "secret-code", "location": [{ "latitude": "1", "longitude": "2" }] });
    world.post(&owner, "/v1/boards", board).await.expect(201);
    // With a key, the work is done in a task of its own.
    let fleet = [("idempotency-key", "once")];
    let board = world.board("lamp-7").await;
    let path = format!("/v2/boards/{board}/reboot");
    world.ask(&owner, Method::POST, &path, Some(json!({})), &fleet).await.expect(202);

    let all = rows(&world, &admin, "").await;
    let by = |verb: &str| {
        let found = all.iter().rev().find(|row| row["verb"] == verb);
        let found = found.unwrap_or_else(|| panic!("{verb} is not told: {all:?}"));
        (found["actor_kind"].as_str().unwrap(), found["actor"].as_str().unwrap())
    };
    let told = all.iter().find(|row| row["subject"] == claim["id"]).unwrap();
    assert_eq!((&told["verb"], &told["actor"]), (&json!("claim:create"), &json!(owner.user)));
    for verb in ["user:create", "role:assign", "role:unassign"] {
        assert_eq!(by(verb), ("user", admin.user.as_str()), "{verb}");
    }
    for verb in ["board:create", "board:new_code", "operation:begin"] {
        assert_eq!(by(verb), ("user", owner.user.as_str()), "{verb}");
    }
    assert_eq!(by("claim:redeem"), ("board", board.to_string().as_str()));
    let text = serde_json::to_string(&all).unwrap();
    for secret in ["secret-code", "long enough"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn project_administrators_see_their_project_and_only_the_operator_all() {
    let world = World::start().await;
    let owner = world.owner().await;
    world.post(&owner, "/v2/claims", json!({ "name": "mine" })).await.expect(201);
    let elsewhere = model::ProjectId::new();
    world.make_project(&elsewhere).await;
    let other = world.somebody(&elsewhere, Role::AdminIotProject).await;
    let theirs = rows(&world, &other, "").await;
    assert!(!theirs.is_empty());
    assert!(theirs.iter().all(|row| row["project"] == json!(elsewhere)), "{theirs:?}");
    let mine = rows(&world, &owner, "verb=claim:*").await;
    let seq = mine[0]["seq"].as_u64().unwrap();
    world.get(&other, &format!("/v2/audit/{seq}")).await.expect(404);
    world.get(&other, &format!("/v2/audit/{seq}/proof")).await.expect(404);
    world.get(&other, &format!("/v2/audit?project={}", world.project)).await.expect(404);
    world.get(&other, "/v2/audit/export").await.expect(403);
    let erase = json!({ "user": owner.user });
    world.post(&other, "/v2/audit/erase", erase).await.expect(403);
    let admin = world.somebody(&elsewhere, Role::Admin).await;
    let narrowed = rows(&world, &admin, &format!("project={}", world.project)).await;
    assert!(narrowed.iter().all(|row| row["project"] == json!(world.project)));
    for bad in ["limit=0", "limit=1001", "marker=x", "order=up", "since=yesterday", "colour=red"] {
        world.get(&owner, &format!("/v2/audit?{bad}")).await.expect(400);
    }
    world.get(&owner, "/v2/audit/x").await.expect(400);
    world.get(&owner, "/v2/audit/999999").await.expect(404);
}

#[tokio::test]
async fn a_row_is_proved_to_be_in_a_signed_head_within_a_kilobyte() {
    let world = World::with(|settings| settings.audit.head_rows = 1).await;
    let owner = world.owner().await;
    world.post(&owner, "/v2/claims", json!({ "name": "lamp" })).await.expect(201);
    let row = rows(&world, &owner, "verb=claim:create").await.remove(0);
    let seq = row["seq"].as_u64().unwrap();
    let path = format!("/v2/audit/{seq}/proof");
    let proof = eventually("a head covers the row", || async {
        let answer = world.get(&owner, &path).await;
        if answer.status == 200 { Ok(answer) } else { Err(answer.text) }
    });
    let proof = proof.await;
    assert!(proof.text.len() < 1024, "{}", proof.text);
    let size = proof.body["size"].as_u64().unwrap();
    let heads = world.get(&owner, "/v2/audit/heads?order=desc").await.expect(200);
    let heads: Vec<Head> = serde_json::from_value(heads["items"].clone()).unwrap();
    let head = heads.iter().find(|head| head.size == size).unwrap();
    assert!(is_signed(&world, head));
    use base64::Engine as _;
    let path = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(proof.body["path"].as_str().unwrap())
        .unwrap();
    let path: Vec<Digest> = path.chunks(32).map(|hash| Digest(hash.try_into().unwrap())).collect();
    let hash = row["hash"].as_str().unwrap().parse().unwrap();
    assert!(merkle::includes(&head.root, head.size, seq - 1, &hash, &path));
    let oldest = heads.last().unwrap();
    let between = format!("/v2/audit/consistency?from={}&to={size}", oldest.size);
    world.get(&owner, &between).await.expect(200);
    world.get(&owner, "/v2/audit/consistency?from=9&to=1").await.expect(400);
    world.get(&owner, "/v2/audit/consistency?from=1&to=999999").await.expect(404);
}

#[tokio::test]
async fn the_export_is_checked_by_its_lines_and_erasing_leaves_it_good() {
    let world = World::start().await;
    let admin = world.somebody(&world.project, Role::Admin).await;
    for number in 0..1100 {
        let name = format!("claim-{number}");
        if number % 100 == 0 {
            world.post(&admin, "/v2/claims", json!({ "name": name })).await.expect(201);
        } else {
            world.claim(&name, 1).await;
        }
    }
    iotronic::app::audit::sign(world.cloud()).await.unwrap().unwrap();
    let report = check(&world, &admin).await;
    assert_eq!((report.troubles.as_slice(), report.unsigned), ([].as_slice(), 0));
    assert!(report.rows > 1100 && report.known > 0);

    // The administrator's own name stands beside the chain, until it is erased.
    let row = rows(&world, &admin, &format!("subject={}", admin.user)).await.remove(0);
    assert_eq!(row["known"][0]["field"], "name");
    let erased = world.post(&admin, "/v2/audit/erase", json!({ "user": admin.user })).await;
    assert!(erased.expect(200)["erased"].as_u64().unwrap() > 0);
    let row = rows(&world, &admin, &format!("subject={}", admin.user)).await.remove(0);
    assert_eq!(row["known"], json!([]));
    assert_eq!(check(&world, &admin).await.troubles, []);
    let told = rows(&world, &admin, "verb=audit:erase").await;
    assert_eq!(told[0]["actor"], json!(admin.user));
    for bad in [json!({}), json!({ "user": "a", "value": "b" }), json!({ "value": "" })] {
        world.post(&admin, "/v2/audit/erase", bad).await.expect(400);
    }
}

#[tokio::test]
async fn looking_is_counted_and_not_told_one_by_one() {
    let world = World::start().await;
    let owner = world.owner().await;
    let before = rows(&world, &owner, "").await.len();
    for _ in 0..5 {
        world.get(&owner, "/v2/boards").await.expect(200);
    }
    assert_eq!(rows(&world, &owner, "").await.len(), before);
    iotronic::app::looks::flush(world.cloud()).await.unwrap();
    let path = format!("/v2/audit/reads?actor={}", owner.user);
    let reads = world.get(&owner, &path).await.expect(200);
    let count = reads["items"].as_array().unwrap().iter().find(|one| one["verb"] == "board:get");
    assert_eq!(count.unwrap()["times"], 5);
}

#[tokio::test]
async fn the_address_of_who_changed_rights_stands_beside_the_chain() {
    let world = World::start().await;
    let owner = world.owner().await;
    let mut asked = request(
        Some(&owner.token),
        Method::POST,
        "/v2/claims",
        Some(json!({ "name": "lamp" })),
        &[],
    );
    let peer = "192.0.2.9:4711".parse().unwrap();
    asked.extensions_mut().insert(iotronic::http::Peer(peer));
    world.send(asked).await.expect(201);
    let row = rows(&world, &owner, "verb=claim:create").await.remove(0);
    assert_eq!(row["known"][0]["value"], "192.0.2.9");
    assert_eq!(row["known"][0]["person"], json!(owner.user));
}

#[tokio::test]
async fn who_signs_in_and_who_is_refused_is_told_and_guessing_fills_no_log() {
    let world = World::start().await;
    let admin = world.somebody(&world.project, Role::Admin).await;
    let ask = async |user: &str, password: &str| {
        let identity = json!({
            "methods": ["password"],
            "password": { "user": { "name": user, "domain": { "id": "default" }, "password": password } }
        });
        let body = json!({ "auth": { "identity": identity } });
        let path = "/identity/v3/auth/tokens";
        world.send(request(None, Method::POST, path, Some(body), &[])).await.status.as_u16()
    };
    for _ in 0..3 {
        assert_eq!(ask("admin", &world.password).await, 201);
    }
    for number in 0..300 {
        let status = ask(&format!("guess-{number}"), "wrong").await;
        assert!([401, 429].contains(&status), "{status}");
    }
    for _ in 0..20 {
        ask("admin", "wrong").await;
    }
    world.cloud().store.flush().await.unwrap();
    let verb = "verb=user:sign_in";
    let at_once = rows(&world, &admin, verb).await;
    world.cloud().sign_in.tell_counts(&world.cloud().store);
    world.cloud().store.flush().await.unwrap();
    let all = rows(&world, &admin, verb).await;
    let with = |rows: &[Value], outcome: &str| -> (usize, u64) {
        let found = rows.iter().filter(|row| row["outcome"] == outcome);
        let times = found.map(|row| {
            let detail = row["detail"].as_str().map(|text| serde_json::from_str(text).unwrap());
            let detail: Value = detail.unwrap_or_else(|| row["detail"].clone());
            detail["times"].as_u64().unwrap()
        });
        let times: Vec<u64> = times.collect();
        (times.len(), times.iter().sum())
    };
    assert_eq!(with(&at_once, "done"), (1, 1));
    assert_eq!(with(&all, "done"), (2, 3));
    // A hundred sorts and the rest together, each once at once and once for the others.
    assert!(with(&all, "refused").0 <= 202, "{:?}", with(&all, "refused"));
    assert_eq!(with(&all, "refused").1, 320);
    // A name that was typed is kept where it can be erased.
    let text = serde_json::to_string(&export(&world, &admin).await).unwrap();
    assert!(text.contains("guess-1"));
    let erase = json!({ "value": "guess-1" });
    world.post(&admin, "/v2/audit/erase", erase).await.expect(200);
    let text = serde_json::to_string(&export(&world, &admin).await).unwrap();
    assert!(!text.contains("\"guess-1\""));
}

#[tokio::test]
async fn what_is_made_of_plugins_and_services_is_told() {
    let world = World::start().await;
    let owner = world.owner().await;
    let plugin = json!({ "name": "p", "language": "python", "mode": "async", "source": "x" });
    world.post(&owner, "/v2/plugins", plugin).await.expect(201);
    world.patch(&owner, "/v2/plugins/p", json!({ "source": "y" })).await.expect(200);
    world.delete(&owner, "/v2/plugins/p").await.expect(204);
    world
        .post(&owner, "/v1/services", json!({ "name": "s-1", "port": "80", "protocol": "TCP" }))
        .await;
    world.patch(&owner, "/v2/services/s-1", json!({ "port": 81 })).await.expect(200);
    world.delete(&owner, "/v2/services/s-1").await.expect(204);
    for noun in ["plugin", "service"] {
        let told = rows(&world, &owner, &format!("verb={noun}:*")).await;
        let mut verbs: Vec<&str> = told.iter().map(|row| row["verb"].as_str().unwrap()).collect();
        verbs.sort_unstable();
        let wanted = ["create", "delete", "update"].map(|verb| format!("{noun}:{verb}"));
        assert_eq!(verbs, wanted);
        assert!(told.iter().all(|row| row["actor"] == json!(owner.user)));
    }
}
