//! Contributions and bookings: what an owner gives binds whoever borrows, and what is offered is had by one at a time.

use crate::machine::{self, obedient};
use crate::world::{Answer, Somebody, World};
use futures_util::future::join_all;
use model::access::Role;
use model::facts::Facts;
use model::{BoardId, ProjectId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

struct City {
    world: World,
    owner: Somebody,
    guest: Somebody,
}

impl City {
    async fn begin() -> Self {
        let world = World::start().await;
        let owner = world.owner().await;
        let elsewhere = ProjectId::new();
        world.make_project(&elsewhere).await;
        let guest = world.somebody(&elsewhere, Role::UserIot).await;
        Self { world, owner, guest }
    }

    /// A board with a thermometer, so many metres north of the harbour, that can be booked.
    async fn lamp(&self, name: &str, metres: f64, said: Value) -> BoardId {
        let board = self.world.board(name).await;
        let facts = Facts { sensors: vec!["temperature".into()], ..Facts::default() };
        let job = self.world.cloud().store.write(move |tx| {
            Box::pin(
                async move { store::boards::record_facts(tx, board, &facts).await.map(|_| ()) },
            )
        });
        job.await.unwrap();
        let latitude = 38.19 + metres / 111_195.0;
        let place = json!({ "position": { "latitude": latitude, "longitude": 15.55 } });
        self.world.patch(&self.owner, &format!("/v2/boards/{name}"), place).await.expect(200);
        self.contribute(name, said).await.expect(200);
        board
    }

    async fn contribute(&self, board: &str, said: Value) -> Answer {
        self.world.put(&self.owner, &format!("/v2/boards/{board}/contribution"), said).await
    }

    async fn book(&self, more: Value) -> Answer {
        let mut wish = json!({
            "sensor": "temperature", "near": "38.19,15.55", "radius_m": 2000,
            "from": "2990-01-05T09:00:00Z", "until": "2990-01-05T12:00:00Z"
        });
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.world.post(&self.guest, "/v2/bookings", wish).await
    }
}

fn offered() -> Value {
    json!({ "offer": { "rights": ["read", "plugin_action:call"], "max_hours": 4 } })
}

fn resources(booked: &Value) -> BTreeSet<String> {
    let items = booked["items"].as_array().unwrap();
    items.iter().map(|item| item["resource"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn three_boards_with_a_thermometer_near_here_are_booked_together_or_not_at_all() {
    let city = City::begin().await;
    for (name, metres) in [("far", 1900.0), ("near", 100.0), ("middle", 900.0), ("beyond", 2100.0)]
    {
        city.lamp(name, metres, offered()).await;
    }
    city.world.board("unseen").await;
    let path = "/v2/offers?sensor=temperature&near=38.19,15.55&radius_m=5000";
    let offers = city.world.get(&city.guest, path).await.expect(200);
    let names: Vec<_> = offers["items"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(json!(names), json!(["near", "middle", "far", "beyond"]));
    let metres = offers["items"][1]["distance_m"].as_f64().unwrap();
    assert!((metres - 900.0).abs() < 2.0, "{metres}");

    let booked = city.book(json!({ "count": 3 })).await.expect(201);
    assert_eq!(resources(&booked).len(), 3);
    for item in booked["items"].as_array().unwrap() {
        assert_eq!((&item["hold"], &item["depth"]), (&json!("exclusive"), &json!(0)));
        assert_eq!(item["delegator"], json!(city.owner.user));
    }
    let refused = city.book(json!({ "count": 1 })).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(refused.text.contains("0 of 1 boards are free"), "{}", refused.text);
    let wider = json!({ "count": 2, "radius_m": 5000 });
    assert_eq!(city.book(wider).await.status, 409, "one is left, and two or none are booked");
    let one = city.book(json!({ "radius_m": 5000 })).await.expect(201);
    let id = one["items"][0]["id"].as_str().unwrap();
    city.world.delete(&city.guest, &format!("/v2/delegations/{id}")).await.expect(200);
    city.book(json!({ "radius_m": 5000 })).await.expect(201);
}

#[tokio::test]
async fn of_a_thousand_who_want_the_same_hour_as_many_get_boards_as_there_are() {
    let city = City::begin().await;
    for number in 0..7 {
        city.lamp(&format!("lamp-{number}"), f64::from(number), offered()).await;
    }
    let answers = join_all((0..1000).map(|_| city.book(json!({ "count": 2 })))).await;
    let booked: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(booked.len(), 3, "two boards each out of seven");
    let all = city.world.get(&city.owner, "/v2/delegations").await.expect(200);
    assert_eq!(resources(&all).len(), 6);
    assert_eq!(all["items"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn an_offer_is_had_within_its_bounds_only() {
    let city = City::begin().await;
    let hours = json!({ "zone": "UTC0", "spans": ["mon-fri 08:00-18:00"] });
    let mut said = offered();
    said["hours"] = hours;
    said["offer"]["projects"] = json!([city.guest.project]);
    city.lamp("lamp", 10.0, said).await;
    // 2990-01-05 is a Tuesday.
    let refused = [
        (json!({ "until": "2990-01-05T14:00:00Z" }), 409, "for 4 h at most"),
        (
            json!({ "from": "2990-01-05T16:00:00Z", "until": "2990-01-05T19:00:00Z" }),
            409,
            "in its hours",
        ),
        (
            json!({ "from": "2990-01-03T09:00:00Z", "until": "2990-01-03T10:00:00Z" }),
            409,
            "in its hours",
        ),
        (json!({ "rights": ["write"] }), 201, ""),
        (json!({ "rights": ["board:reboot"] }), 409, "no right that can be given"),
        (json!({ "sensor": "wind" }), 409, "no more are offered there"),
        (json!({ "near": "39.0,15.55" }), 409, "no more are offered there"),
        (json!({ "count": 0 }), 400, "count 0"),
        (json!({ "near": "38.19" }), 400, "LATITUDE,LONGITUDE"),
        (json!({ "near": "91,0" }), 400, "latitude"),
        (json!({ "radius_m": -1 }), 400, "radius_m"),
        (json!({ "until": "2001-01-01T00:00:00Z" }), 400, "until"),
        (json!({ "wishes": 3 }), 400, "wishes"),
    ];
    for (more, status, words) in refused {
        let answer = city.book(more.clone()).await;
        assert_eq!(answer.status, status, "{more}: {}", answer.text);
        assert!(answer.text.contains(words), "{more}: {}", answer.text);
    }
    let elsewhere = ProjectId::new();
    city.world.make_project(&elsewhere).await;
    let other = city.world.somebody(&elsewhere, Role::AdminIotProject).await;
    let none = city.world.get(&other, "/v2/offers").await.expect(200);
    assert_eq!(none["items"], json!([]));
    let bad = [
        json!({ "hours": { "spans": ["someday"] } }),
        json!({ "hours": { "zone": "Moon", "spans": ["mon 08:00-09:00"] } }),
        json!({ "offer": { "rights": ["board:delete"], "max_hours": 1 } }),
        json!({ "offer": { "rights": ["read"], "max_hours": 0 } }),
        json!({ "caps": { "cpu": 1 } }),
        json!({ "caps": { "cpu_percent": 0 } }),
        json!({ "caps": { "cpu_percent": 6401 } }),
    ];
    for said in bad {
        let answer = city.contribute("lamp", said.clone()).await;
        assert_eq!(answer.status, 400, "{said}: {}", answer.text);
    }
    let theirs = city.world.put(&other, "/v2/boards/lamp/contribution", json!({})).await;
    assert_eq!(theirs.status, 404, "{}", theirs.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_and_caps_bind_every_delegation_and_the_own_project_not_at_all() {
    let city = City::begin().await;
    let lamp = machine::board(&city.world, "lamp", obedient()).await;
    let (world, guest) = (&city.world, &city.guest);
    let lend = json!({
        "resource": "board:lamp", "to": guest.user, "rights": ["write"], "until": "2999-01-01T00:00:00Z"
    });
    world.post(&city.owner, "/v2/delegations", lend).await.expect(201);
    let plugin = json!({
        "name": "p", "language": "python", "mode": "sync", "source": "x",
        "limits": { "memory_bytes": 1_000_000_000_u64, "cpu_s": 1 }
    });
    world.post(&city.owner, "/v2/plugins", plugin).await.expect(201);
    let caps = json!({ "caps": { "memory_bytes": 64_000_000, "cpu_s": 5, "file_bytes": 1000 } });
    city.contribute("lamp", caps).await.expect(200);
    let limits = async |who: &Somebody| {
        world.put(who, "/v2/boards/lamp/plugins/p?wait=10", json!({})).await.expect(200);
        let path = "/v2/operations?method=PluginInject&order=desc&limit=1";
        let last = world.get(&city.owner, path).await.expect(200);
        let path = format!("/v2/operations/{}", last["items"][0]["id"].as_str().unwrap());
        let id = world.get(&city.owner, &path).await.expect(200)["id"].clone();
        let row = store::operations::get(
            &world.cloud().store,
            None,
            id.as_str().unwrap().parse().unwrap(),
        );
        row.await.unwrap().arguments[0]["limits"].clone()
    };
    let bound = json!({
        "memory_bytes": 64_000_000, "cpu_s": 1, "file_bytes": 1000, "together": { "memory_bytes": 64_000_000 }
    });
    assert_eq!(limits(guest).await, bound);
    let own = json!({ "memory_bytes": 1_000_000_000_u64, "cpu_s": 1 });
    assert_eq!(limits(&city.owner).await, own);

    // Two hours that are not now, whatever the day of the test is.
    let minute = world.cloud().now().micros() / 60_000_000 % 1440;
    let [from, until] = [180, 300].map(|later| (minute + later) % 1440);
    let span =
        format!("daily {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60);
    let closed = json!({ "hours": { "spans": [span] } });
    city.contribute("lamp", closed).await.expect(200);
    let refused = world.get(guest, "/v2/boards/lamp").await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(refused.text.contains("lent in its hours only"), "{}", refused.text);
    let refused = world.post(guest, "/v2/boards/lamp/plugins/p/call", json!({})).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    world.get(&city.owner, "/v2/boards/lamp").await.expect(200);
    crate::world::eventually("the borrower's plugin is taken off", async || {
        let plugins = world.get(&city.owner, "/v2/boards/lamp/plugins").await.expect(200);
        // The owner's own word came last, so it stays.
        if plugins["items"].as_array().unwrap().len() == 1 { Ok(()) } else { Err(plugins) }
    })
    .await;
    world.delete(&city.owner, "/v2/boards/lamp/contribution").await.expect(204);
    world.get(guest, "/v2/boards/lamp").await.expect(200);
    drop(lamp);
}

#[tokio::test]
async fn a_claim_gives_its_boards_a_contribution() {
    let city = City::begin().await;
    let claim = json!({ "name": "image", "uses": 5, "contribution": offered() });
    let made = city.world.post(&city.owner, "/v2/claims", claim).await.expect(201);
    assert_eq!(made["contribution"]["offer"]["max_hours"], json!(4));
    let text: model::claim::Claim = made["claim"].as_str().unwrap().parse().unwrap();
    let hash = model::claim::Claim::hash(&text.secret);
    let key = base::key::KeyPair::generate().public();
    let job = city.world.cloud().store.write(move |tx| {
        Box::pin(async move {
            let now = tx.now();
            store::claims::redeem(tx, &hash, &key, now, None).await
        })
    });
    let board = job.await.unwrap().board;
    let offers = city.world.get(&city.guest, "/v2/offers").await.expect(200);
    assert_eq!(offers["items"][0]["board"], json!(board.id));
    let wrong = json!({
        "name": "image", "contribution": { "offer": { "rights": ["board:delete"], "max_hours": 4 } }
    });
    city.world.post(&city.owner, "/v2/claims", wrong).await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_caps_hold_for_what_borrowers_have_on_the_board_and_for_nothing_else() {
    let city = City::begin().await;
    let lamp = machine::board(&city.world, "lamp", obedient()).await;
    let (world, owner, guest) = (&city.world, &city.owner, &city.guest);
    let lend = json!({
        "resource": "board:lamp", "to": guest.user, "rights": ["write"], "until": "2999-01-01T00:00:00Z"
    });
    let lent = world.post(owner, "/v2/delegations", lend).await.expect(201);
    for name in ["theirs", "own"] {
        let plugin = json!({
            "name": name, "language": "python", "mode": "async", "source": "x", "limits": { "memory_bytes": 9_000_000 }
        });
        world.post(owner, "/v2/plugins", plugin).await.expect(201);
    }
    city.contribute("lamp", json!({ "caps": { "memory_bytes": 64_000_000 } })).await.expect(200);
    world.put(guest, "/v2/boards/lamp/plugins/theirs?wait=10", json!({})).await.expect(200);
    world.put(owner, "/v2/boards/lamp/plugins/own?wait=10", json!({})).await.expect(200);
    let injected = async || {
        let path = "/v2/operations?method=PluginInject&order=asc&limit=100";
        let list = world.get(owner, path).await.expect(200);
        let ids = list["items"].as_array().unwrap().iter().map(|it| it["id"].clone());
        let mut limits = Vec::new();
        for id in ids {
            let id = id.as_str().unwrap().parse().unwrap();
            let row = store::operations::get(&world.cloud().store, None, id).await.unwrap();
            let plugin = &row.arguments[0];
            limits.push(json!([plugin["name"], plugin["limits"]]));
        }
        limits
    };
    assert_eq!(injected().await.len(), 2);
    let caps = json!({ "caps": { "memory_bytes": 5_000_000, "cpu_percent": 20 } });
    city.contribute("lamp", caps.clone()).await.expect(200);
    let told = injected().await;
    let bound = json!({
        "memory_bytes": 5_000_000, "together": { "cpu_percent": 20, "memory_bytes": 5_000_000 }
    });
    assert_eq!(told.get(2..).unwrap(), [json!(["theirs", bound])]);
    city.contribute("lamp", caps).await.expect(200);
    assert_eq!(injected().await.len(), 3, "the same caps again tell nobody anything");
    world.delete(owner, "/v2/boards/lamp/contribution").await.expect(204);
    let told = injected().await;
    assert_eq!(told.get(3..).unwrap(), [json!(["theirs", { "memory_bytes": 9_000_000 }])]);
    // It rests on what it rested on.
    let path = format!("/v2/delegations/{}", lent["id"].as_str().unwrap());
    world.delete(owner, &path).await.expect(200);
    crate::world::eventually("the borrower's plugin is taken off", async || {
        let plugins = world.get(owner, "/v2/boards/lamp/plugins").await.expect(200);
        let items = plugins["items"].as_array().unwrap().clone();
        if items.len() == 1 && items[0]["name"] == "own" { Ok(()) } else { Err(plugins) }
    })
    .await;
    drop(lamp);
}
