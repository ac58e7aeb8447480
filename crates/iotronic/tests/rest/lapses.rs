//! What rests on a right ends with it: at once when it is taken back, within a second when its time is over.

use crate::machine::{self, Behaviour, Machine, obedient};
use crate::streams::stream;
use crate::world::{Somebody, World, eventually};
use futures_util::FutureExt as _;
use model::ProjectId;
use model::access::Role;
use rpc::envelope::End;
use rpc::{Envelope, Method};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

const LATE: &str = "2999-01-01T00:00:00Z";

struct Lent {
    world: World,
    owner: Somebody,
    borrower: Somebody,
    delegation: Value,
    lamp: Machine,
}

impl Lent {
    /// A board that is online and lent; calls of plugins never end there by themselves.
    async fn begin(until: &str) -> Self {
        Self::begin_in(World::start().await, until).await
    }

    async fn begin_in(world: World, until: &str) -> Self {
        let owner = world.owner().await;
        let lamp = machine::board(&world, "lamp", stubborn()).await;
        let elsewhere = ProjectId::new();
        world.make_project(&elsewhere).await;
        let borrower = world.somebody(&elsewhere, Role::UserIot).await;
        for (name, mode) in [("asked", "sync"), ("theirs", "async"), ("ours", "async")] {
            let plugin = json!({ "name": name, "language": "python", "mode": mode, "source": "x" });
            world.post(&owner, "/v2/plugins", plugin).await.expect(201);
        }
        for name in ["asked", "ours"] {
            let path = format!("/v2/boards/lamp/plugins/{name}?wait=10");
            world.put(&owner, &path, json!({})).await;
        }
        world.post(&owner, "/v2/services", json!({ "name": "ssh", "port": 22 })).await.expect(201);
        let mut this = Self { world, owner, borrower, delegation: Value::Null, lamp };
        this.delegation = this.lend(until).await;
        this
    }

    async fn lend(&self, until: &str) -> Value {
        let wish = json!({
            "resource": "board:lamp", "to": self.borrower.user, "rights": ["write"], "until": until
        });
        self.world.post(&self.owner, "/v2/delegations", wish).await.expect(201)
    }

    async fn lend_its_fleet(&self) -> Value {
        let (world, owner) = (&self.world, &self.owner);
        world.post(owner, "/v2/fleets", json!({ "name": "north" })).await.expect(201);
        world.patch(owner, "/v2/boards/lamp", json!({ "fleet": "north" })).await.expect(200);
        let wish = json!({
            "resource": "fleet:north", "to": self.borrower.user, "rights": ["write"], "until": LATE
        });
        world.post(owner, "/v2/delegations", wish).await.expect(201)
    }

    async fn revoke(&self) {
        let path = format!("/v2/delegations/{}", self.delegation["id"].as_str().unwrap());
        self.world.delete(&self.owner, &path).await.expect(200);
    }

    /// Does everything that rests on a right: a call, a service, a plugin of one's own choice, a start.
    async fn use_it(&self) -> Value {
        let (world, who) = (&self.world, &self.borrower);
        let put = async |path: &str| world.put(who, path, json!({})).await.expect(202);
        put("/v2/boards/lamp/services/ssh").await;
        put("/v2/boards/lamp/plugins/theirs").await;
        let start = "/v2/boards/lamp/plugins/ours/start?wait=10";
        world.post(who, start, json!({})).await;
        let call = world.post(who, "/v2/boards/lamp/plugins/asked/call", json!({})).await;
        let call = call.expect(202);
        eventually("the call to be on the board", async || match self.operation(&call).await {
            seen if seen["state"] == "running" => Ok(()),
            seen => Err(seen),
        })
        .await;
        call
    }

    async fn operation(&self, operation: &Value) -> Value {
        let path = format!("/v2/operations/{}", operation["id"].as_str().unwrap());
        self.world.get(&self.owner, &path).await.expect(200)
    }

    /// Waits until nothing of it is left; what the owner did stays.
    async fn is_cleared(&self, call: &Value) {
        eventually("all that rested on the delegation to end", async || {
            let (world, owner) = (&self.world, &self.owner);
            let call = self.operation(call).await;
            let services = world.get(owner, "/v2/boards/lamp/services").await.expect(200);
            let plugins = world.get(owner, "/v2/boards/lamp/plugins").await.expect(200);
            let plugins = plugins["items"].as_array().unwrap();
            let left: Vec<_> = plugins.iter().map(|plugin| &plugin["name"]).collect();
            let stopped = self.lamp.calls().iter().any(|(_, method)| *method == Method::PluginStop);
            let is_over = call["state"] == "cancelled"
                && services["items"] == json!([])
                && json!(left) == json!(["asked", "ours"])
                && stopped;
            if is_over {
                Ok(())
            } else {
                Err((call["state"].clone(), services, json!(left), stopped))
            }
        })
        .await;
    }
}

/// Does at once what it is told, but for calls of plugins, which end when they are cancelled.
fn stubborn() -> Behaviour {
    let (cancel, _) = tokio::sync::broadcast::channel::<()>(16);
    let others = obedient();
    Arc::new(move |request, method, list: Vec<Value>| match method {
        Method::PluginCall => {
            let mut cancelled = cancel.subscribe();
            async move {
                let _ = cancelled.recv().await;
                Envelope::end(End::Cancelled, "stopped").to_text().into()
            }
            .boxed()
        }
        Method::OperationCancel => {
            let _ = cancel.send(());
            others(request, method, list)
        }
        _ => others(request, method, list),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_borrower_began_ends_when_the_delegation_is_taken_back() {
    let lent = Lent::begin(LATE).await;
    let call = lent.use_it().await;
    let begun = Instant::now();
    lent.revoke().await;
    lent.is_cleared(&call).await;
    println!("cleared after {:?}", begun.elapsed());
    lent.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_borrower_began_ends_when_the_time_is_over() {
    let (world, clock) = World::standing_still().await;
    let mut lent = Lent::begin_in(world, LATE).await;
    lent.revoke().await;
    let time = Duration::from_secs(20);
    let until = lent.world.cloud().now().after(time);
    lent.delegation = lent.lend(&until.to_string()).await;
    let call = lent.use_it().await;
    clock.advance(time);
    lent.is_cleared(&call).await;
    lent.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rests_on_a_fleet_ends_when_the_board_leaves_it() {
    let lent = Lent::begin(LATE).await;
    lent.revoke().await;
    lent.lend_its_fleet().await;
    let call = lent.use_it().await;
    lent.world.patch(&lent.owner, "/v2/boards/lamp", json!({ "fleet": "" })).await.expect(200);
    lent.is_cleared(&call).await;
    lent.world.finish().await;
}

/// Waits for the end of a stream and says how long it took.
fn ended<T>(received: &Receiver<T>) -> Duration {
    let begun = Instant::now();
    tokio::task::block_in_place(|| {
        loop {
            match received.recv_timeout(crate::world::PATIENCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return begun.elapsed(),
                Err(RecvTimeoutError::Timeout) => panic!("the stream goes on"),
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_a_borrower_end_when_the_delegation_is_taken_back_or_over_though_nothing_comes()
{
    let (world, clock) = World::standing_still().await;
    let lent = Lent::begin_in(world, LATE).await;
    let path = "/v2/boards/lamp/load";
    let taken = stream(&lent.world, &lent.borrower, path, None);
    let owners = stream(&lent.world, &lent.owner, path, None);
    lent.revoke().await;
    println!("figure: a stream ends after the revocation of its delegation: {:?}", ended(&taken));
    let time = Duration::from_secs(20);
    let soon = lent.world.cloud().now().after(time);
    lent.lend(&soon.to_string()).await;
    let timed = stream(&lent.world, &lent.borrower, path, None);
    clock.advance(time);
    println!("figure: a stream ends after the end of its delegation: {:?}", ended(&timed));
    assert!(matches!(owners.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty)));
    lent.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_stream_of_events_ends_when_its_reader_loses_the_last_role() {
    let world = World::start().await;
    let admin = world.somebody(&world.project, Role::Admin).await;
    let looker = world.somebody(&world.project, Role::UserIot).await;
    let events = stream(&world, &looker, "/v2/events", None);
    let path = format!("/identity/v3/users/{}", looker.user);
    let off = json!({ "user": { "enabled": false } });
    world.patch(&admin, &path, off).await.expect(200);
    println!("figure: a stream ends after its reader is disabled: {:?}", ended(&events));
    world.finish().await;
}
