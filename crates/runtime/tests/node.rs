//! What only Node.js plugins can do: callbacks, promises, modules.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use runtime::{Language, Order, Stopped};
use serde_json::{Value, json};
use support::{PATIENCE, Source, World};

fn node(source: &'static str) -> Source {
    Source { python: "", node: source }
}

#[tokio::test]
async fn every_shape_of_main_is_called_with_what_it_accepts() {
    let world = World::new(Language::Node);
    let shapes = [
        ("exports.main = () => 'none';", json!("none")),
        ("exports.main = (params) => params;", json!(3)),
        ("exports.main = async (params) => params + 1;", json!(4)),
        (
            "module.exports = (params, api) => [params, typeof api.getBoardID];",
            json!([3, "function"]),
        ),
        ("exports.main = (name, params, api) => [name, params];", json!(["lamp", 3])),
        (
            "exports.main = (name, params, api, callback) => setTimeout(() => callback(null, params * 2), 5);",
            json!(6),
        ),
        (
            "exports.main = (name, params, api, callback) => callback('OK', [name]);",
            json!(["lamp"]),
        ),
        (
            "exports.main = (name, params, api, callback) => callback({ only: params });",
            json!({"only": 3}),
        ),
        (
            "exports.main = async (name, params, api, callback) => { await null; callback(null, 1); };",
            json!(1),
        ),
        ("exports.main = (params) => {};", json!(null)),
        (
            "exports.main = (params) => ({ at: new Date(0), skipped: undefined });",
            json!({"at": "1970-01-01T00:00:00.000Z"}),
        ),
    ];
    for (source, expected) in shapes {
        assert_eq!(world.call(node(source), json!(3)).await, Ok(expected), "{source}");
    }
}

#[tokio::test]
async fn a_plugin_of_the_2_x_agents_finds_its_api() {
    let world = World::new(Language::Node);
    let source = "exports.main = function (plugin_name, arguments, api, callback) {
        var logger = api.getLogger(plugin_name, 'debug');
        logger.info('says', arguments.says);
        var place = api.getPosition();
        var times = [api.getLocalTime(), api.getUtcTime()];
        callback('OK', [plugin_name, arguments.says, Object.keys(place).length, api.getExtraInfo(), times.length]);
    };";
    let answer = world.call(node(source), json!({"says": "hey"})).await;
    assert_eq!(answer, Ok(json!(["lamp", "hey", 3, "NA", 2])));
}

#[tokio::test]
async fn errors_are_heard_however_they_are_raised() {
    let world = World::new(Language::Node);
    let ways = [
        "exports.main = async () => { throw new Error('no lamp'); };",
        "exports.main = (a, b, c, callback) => callback(new Error('no lamp'));",
        "exports.main = (a, b, c, callback) => callback('ERROR', 'no lamp');",
        "exports.main = () => new Promise(() => setTimeout(() => { throw new Error('no lamp'); }, 1));",
        "exports.main = () => Promise.reject('no lamp');",
    ];
    for source in ways {
        let failure = world.call(node(source), Value::Null).await.unwrap_err();
        assert_eq!(failure.label(), "raised", "{source}");
        assert!(failure.to_string().contains("no lamp"), "{source}: {failure}");
    }
}

#[tokio::test]
async fn a_callback_that_never_comes_is_no_result() {
    let world = World::new(Language::Node);
    let source = node("exports.main = (name, params, api, callback) => {};");
    let failure = world.call(source, Value::Null).await.unwrap_err();
    assert_eq!(failure.label(), "no_result");
}

#[tokio::test]
async fn own_modules_of_node_can_be_required() {
    let world = World::new(Language::Node);
    let source = node("const os = require('os'); exports.main = () => typeof os.hostname();");
    assert_eq!(world.call(source, Value::Null).await, Ok(json!("string")));
    let missing = world.call(node("require('no-such-module')"), Value::Null).await.unwrap_err();
    assert!(missing.to_string().contains("no-such-module"), "{missing}");
}

#[tokio::test]
async fn a_full_heap_is_a_memory_failure() {
    let world = World::new(Language::Node);
    let source = node(
        "exports.main = () => { const kept = []; for (;;) kept.push({ a: [kept.length] }); };",
    );
    let limits = runtime::Limits { memory_bytes: 128 << 20, ..world.limits() };
    let failure = world.call_within(source, Value::Null, limits).await.unwrap_err();
    assert_eq!(failure.label(), "memory", "{failure:?}");
}

#[tokio::test]
async fn a_service_tidies_up_in_its_stop_function() {
    let world = World::new(Language::Node);
    let source = node(
        "exports.main = () => { setInterval(() => {}, 10); }; exports.stop = async () => { console.log('pins released'); };",
    );
    world.install("one", source).await;
    world.runtime.start("one", Order::default()).await.unwrap();
    assert_eq!(world.runtime.stop("one", PATIENCE).await, Ok(Stopped::InOrder));
    assert!(world.texts("one").await.contains(&"pins released".to_owned()));
}
