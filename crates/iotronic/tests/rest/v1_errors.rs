//! `/v1` refuses in upstream's words: which version, which shape, which text. The expected texts were said by upstream's own
//! server.

use crate::world::{World, request};
use axum::http::Method;
use model::access::Role;
use serde_json::{Value, json};

const VERSION: &str = "x-openstack-iotronic-api-version";
const NOTHING: &str = "11111111-2222-4333-8444-555555555555";

/// What upstream's clients read out of a failure.
pub(crate) fn faultstring(body: &Value) -> String {
    let inner = body["error_message"].as_str().unwrap_or_else(|| panic!("{body}"));
    let inner: Value = serde_json::from_str(inner).unwrap_or_else(|_| panic!("{inner}"));
    assert_eq!(inner["debuginfo"], Value::Null);
    inner["faultstring"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_one_version_is_negotiated() {
    let world = World::start().await;
    let owner = world.owner().await;
    let minimum = "x-openstack-iotronic-api-minimum-version";
    let maximum = "x-openstack-iotronic-api-maximum-version";
    for (wanted, status, words) in [
        ("1.0", 200, ""),
        ("latest", 200, ""),
        ("1.9", 406, "Version 1.9 was requested but the minor version is not supported"),
        ("2.0", 406, "Mutually exclusive versions requested"),
        ("new", 406, "Invalid value for X-OpenStack-Iotronic-API-Version header"),
    ] {
        for path in ["/v1/boards", "/boards/"] {
            let answer = world.ask(&owner, Method::GET, path, None, &[(VERSION, wanted)]).await;
            assert_eq!(answer.header(minimum), "1.0");
            assert_eq!(answer.header(maximum), "1.0");
            assert_eq!(answer.header(VERSION), if status == 200 { "1.0" } else { "" });
            assert!(answer.header("openstack-request-id").starts_with("req-"));
            assert!(answer.text.contains(words), "{wanted}: {}", answer.text);
            answer.expect(status);
        }
    }
    let answer = world.get(&owner, "/v2/boards").await;
    assert_eq!((answer.header(minimum), answer.header("openstack-request-id")), ("", ""));
}

#[tokio::test]
async fn the_versions_are_told_to_everybody() {
    let world = World::start().await;
    let get = async |path: &str| world.send(request(None, Method::GET, path, None, &[])).await;
    let root = get("/").await.expect(200);
    assert_eq!(root["default_version"], root["versions"][0]);
    assert_eq!(root["default_version"]["id"], "v1");
    assert_eq!(root["default_version"]["min_version"], "1.0");
    let v1 = get("/v1").await.expect(200);
    assert_eq!(get("/v1/").await.expect(200), v1);
    let base = &world.cloud().public_url;
    assert_eq!(v1["boards"][0], json!({ "href": format!("{base}/v1/boards/"), "rel": "self" }));
    assert_eq!(v1["ports"][1], json!({ "href": format!("{base}/ports/"), "rel": "bookmark" }));
    assert_eq!(v1.as_object().unwrap().len(), 6);
}

#[tokio::test]
async fn what_routing_refuses_has_plain_text_inside() {
    let world = World::start().await;
    let owner = world.owner().await;
    let answer = world.get(&owner, "/v1/nothing").await.expect(404);
    assert_eq!(answer["error_message"], "404 Not Found\n\nThe resource could not be found.\n\n ");
    let answer = world.put(&owner, "/v1/boards", json!({})).await;
    assert!(answer.header("allow").contains("POST"));
    let text = "405 Method Not Allowed\n\nThe method PUT is not allowed for this resource. \n\n ";
    assert_eq!(answer.expect(405)["error_message"], text);
    let answer = world.send(request(None, Method::GET, "/v1/boards", None, &[])).await;
    assert_eq!(answer.header("www-authenticate"), "Keystone uri=\"/identity/v3\"");
    assert_eq!(answer.expect(401)["error"]["title"], "Unauthorized");
}

#[tokio::test]
async fn bad_input_is_refused_in_upstreams_words_and_changes_nothing() {
    let world = World::start().await;
    let owner = world.owner().await;
    let place = json!([{ "latitude": "1", "longitude": "2", "altitude": "3" }]);
    let lamp = json!({ "name": "lamp", "code": "CODE", "location": place });
    world.post(&owner, "/v1/boards", lamp).await.expect(201);
    let none = format!("/v1/boards/{NOTHING}");
    let (get, post, patch, put) = (Method::GET, Method::POST, Method::PATCH, Method::PUT);
    for (method, path, body, status, text) in [
        (&post, "/v1/boards", json!({ "code": "x" }), 400, "Name is not specified."),
        (&post, "/v1/boards", json!({ "name": "x" }), 400, "Code is not specified."),
        (
            &post,
            "/v1/boards",
            json!({ "name": "x", "code": "x" }),
            400,
            "Location is not specified.",
        ),
        (
            &post,
            "/v1/boards",
            json!({ "colour": 1 }),
            400,
            "Unknown attribute for argument Board: colour",
        ),
        (
            &post,
            "/v1/boards",
            json!([]),
            400,
            "Invalid input for argument Board: an object is wanted",
        ),
        (
            &post,
            "/v1/boards",
            json!({ "name": "x", "code": "CODE", "location": place }),
            409,
            "A board with code CODE already exists.",
        ),
        (&post, "/v1/plugins", json!({ "code": "x" }), 400, "Name is not specified."),
        (&post, "/v1/services", json!({ "port": 1 }), 400, "Name is not specified."),
        (&post, "/v1/fleets", json!({}), 400, "Name is not specified."),
        (
            &patch,
            "/v1/boards/lamp",
            json!({ "colour": 1 }),
            400,
            "Unknown attribute for argument val_Board: colour",
        ),
        (
            &patch,
            "/v1/boards/lamp",
            json!({ "created_at": "2020" }),
            400,
            "Invalid input for field/attribute created_at. Value: '2020'. Cannot set read only field.",
        ),
        (&put, "/v1/boards/lamp/plugins", json!({}), 400, "Plugin is not specified."),
        (
            &post,
            "/v1/boards/lamp/action",
            json!({ "action": "DevicePing" }),
            400,
            "Board <lamp> is not connected.",
        ),
        (&get, none.as_str(), Value::Null, 404, "Board <none> could not be found."),
        (&get, "/v1/boards/a%20b", Value::Null, 404, "Board a b could not be found."),
        (&get, "/v1/boards?limit=0", Value::Null, 400, "Limit must be positive"),
        (&get, "/v1/boards?colour=red", Value::Null, 400, "Unknown argument: \"colour\""),
        (
            &get,
            "/v1/boards?sort_key=extra",
            Value::Null,
            400,
            "The sort_key value extra is an invalid field for sorting",
        ),
        (
            &get,
            "/v1/boards?sort_key=x",
            Value::Null,
            400,
            "The sort_key value \"x\" is an invalid field for sorting",
        ),
        (
            &get,
            "/v1/boards?sort_dir=up",
            Value::Null,
            400,
            "Invalid sort direction: up. Acceptable values are 'asc' or 'desc'",
        ),
        (
            &get,
            "/v1/boards?project=x",
            Value::Null,
            400,
            "Project parameter can be used only by the administrator.",
        ),
        (
            &get,
            "/v1/plugins?all_plugins=1",
            Value::Null,
            400,
            "all_plugins parameter can only be used by the administrator.",
        ),
        (&get, "/v1/plugins?fields=colour", Value::Null, 400, "Field(s) \"colour\" are not valid"),
        (
            &get,
            "/v1/webservices/ui",
            Value::Null,
            400,
            "Expected a logical name or uuid but received ui.",
        ),
        (
            &put,
            "/v1/boards/lamp/webservices",
            json!({ "name": "x" }),
            404,
            "No Webservice enabled for <lamp>.",
        ),
        (&put, "/v1/boards/lamp/ports", json!({}), 400, "Network is not specified."),
    ] {
        let body = (!body.is_null()).then_some(body);
        let id = world.get(&owner, "/v1/boards/lamp").await.expect(200)["uuid"]
            .as_str()
            .unwrap()
            .to_owned();
        let answer = world.ask(&owner, method.clone(), path, body, &[]).await;
        let said =
            faultstring(&answer.expect(status)).replace(&id, "<lamp>").replace(NOTHING, "<none>");
        assert_eq!(said, text, "{method} {path}");
    }
    for (body, text) in
        [("", "Missing argument: \"Board\""), ("{", "Request is not in valid JSON format")]
    {
        let mut asked = request(Some(&owner.token), Method::POST, "/v1/boards", None, &[]);
        *asked.body_mut() = axum::body::Body::from(body);
        assert_eq!(faultstring(&world.send(asked).await.expect(400)), text);
    }
    let boards = world.get(&owner, "/v1/boards").await.expect(200);
    assert_eq!(boards["boards"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn who_may_not_is_told_which_resource_it_was() {
    let world = World::start().await;
    let member = world.somebody(&world.project, Role::UserIot).await;
    let body = world.post(&member, "/v1/boards", json!({})).await.expect(403);
    assert_eq!(faultstring(&body), "Access was denied to the following resource: iot:board:create");
}
