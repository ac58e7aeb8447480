//! Cut cables, garbage, a disk that fails: each is noticed, bounded, and harms nothing else.

use crate::machine::{self, board, come_online, dial, obedient, silent};
use crate::proxy::Proxy;
use crate::world::{World, eventually};
use base::key::KeyPair;
use model::board::Status;
use model::operation::State;
use model::{Kind, PluginId};
use rpc::Call;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use store::{Error, Faults, Options};
use websocket::Message;

#[tokio::test]
async fn a_board_whose_packets_vanish_is_found_before_the_idle_time_while_something_waits_for_it() {
    let world = World::start().await;
    let proxy = Proxy::to(world.address).await;
    let secret = world.claim("lamp", 1).await;
    let key = KeyPair::generate();
    let enrolled = machine::enrol(world.address, &key, &secret).await.unwrap();
    let id = enrolled.uuid;
    let _machine = come_online(proxy.address, id, &key, obedient()).await;
    world.query(id, Call::DevicePing).await.unwrap();
    proxy.swallow();
    let run = rpc::plugin::Run { plugin: PluginId::new(), parameters: Default::default() };
    let command = world.command(id, Call::PluginStart(run)).await;
    let asked = Instant::now();
    let fault = world.query(id, Call::DevicePing).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Unreachable);
    assert!(fault.message.contains("lost its connection"), "{fault}");
    // Three seconds by the clock of a machine at rest; an idle board has 75.
    assert!(asked.elapsed() < Duration::from_secs(50), "{:?}", asked.elapsed());
    world.until_status(id, Status::Offline).await;
    // What was out is asked for again by another way.
    let machine = come_online(world.address, id, &key, obedient()).await;
    world.until_state(command, State::Succeeded).await;
    assert_eq!(machine.calls().len(), 1);
}

#[tokio::test]
async fn an_idle_board_whose_packets_vanish_is_found_after_the_idle_time() {
    let world = World::with(|settings| {
        settings.liveness.idle_ping_s = 1;
        settings.liveness.idle_dead_s = 2;
    })
    .await;
    let proxy = Proxy::to(world.address).await;
    let secret = world.claim("lamp", 1).await;
    let key = KeyPair::generate();
    let enrolled = machine::enrol(world.address, &key, &secret).await.unwrap();
    let _machine = come_online(proxy.address, enrolled.uuid, &key, obedient()).await;
    proxy.swallow();
    world.until_status(enrolled.uuid, Status::Offline).await;
}

#[tokio::test]
async fn garbage_and_messages_too_large_end_the_connection_and_nothing_else() {
    let world = World::start().await;
    let machine = board(&world, "lamp", obedient()).await;
    let large = vec![0x92u8; 3 * 1024 * 1024];
    let garbage: [Vec<u8>; 4] = [vec![], vec![0xc1; 100], b"[1,\"s4t\",{}]".to_vec(), large];
    for bytes in garbage {
        for (path, subprotocols) in [("/wamp", ["wamp.2.msgpack"].as_slice()), ("/tunnel", &[])] {
            let (mut reader, mut writer) = dial(world.address, path, subprotocols).await.split();
            writer.feed(&Message::Binary(bytes.clone().into()));
            // The other end may hang up in the middle of it.
            let _ = writer.flush().await;
            let end = async { while reader.next().await.is_ok() {} };
            tokio::time::timeout(Duration::from_secs(60), end).await.unwrap();
        }
    }
    assert_eq!(world.query(machine.id, Call::DevicePing).await.unwrap(), "DevicePing");
}

/// A disk that fails while it is told to.
#[derive(Default)]
struct Disk(AtomicBool);

impl Faults for Disk {
    fn before_commit(&self) -> Result<(), Error> {
        if self.0.load(Ordering::SeqCst) {
            return Err(Error::Faulted("the disk is broken, says the test".into()));
        }
        Ok(())
    }
    fn after_commit(&self) {}
}

#[tokio::test]
async fn nothing_goes_to_a_board_before_the_store_has_it_and_no_answer_is_lost_while_it_fails() {
    let disk = Arc::<Disk>::default();
    let options = Options { faults: Some(disk.clone()), ..Options::default() };
    let world = World::on(|_| {}, options).await;
    let machine = board(&world, "lamp", silent()).await;
    let (id, key) = (machine.id, machine.key.clone());
    machine.leave().await;
    world.until_status(id, Status::Offline).await;
    let run = rpc::plugin::Run { plugin: PluginId::new(), parameters: Default::default() };
    let command = world.command(id, Call::PluginStart(run)).await;

    // The board comes when the disk fails: it is not even online, for that could not be stored.
    disk.0.store(true, Ordering::SeqCst);
    let proof = machine::Proof::new(&key, rpc::handshake::Intent::Work);
    let session = machine::join(world.address, proof).await.unwrap();
    let seen = Arc::default();
    machine::register(&session, id, obedient(), Arc::clone(&seen)).await;
    let fault = machine::connection(&session, id, rpc::PROTOCOL).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Internal);
    assert!(!fault.message.contains("disk"), "{fault}");
    assert_eq!(world.operation(command).await.state, State::Pending);
    assert!(seen.lock().unwrap().is_empty());

    // The disk fails between the call and its answer: the answer waits for it.
    disk.0.store(false, Ordering::SeqCst);
    let breaking = disk.clone();
    let behaviour: machine::Behaviour = Arc::new(move |_, _, _| {
        breaking.0.store(true, Ordering::SeqCst);
        let done = rpc::Envelope::success("done".into()).to_text();
        Box::pin(std::future::ready(done.into()))
    });
    let machine = come_online(world.address, id, &key, behaviour).await;
    eventually("the board was called", || async {
        let calls = machine.calls().len();
        (calls == 1).then_some(()).ok_or(calls)
    })
    .await;
    assert_eq!(world.operation(command).await.state, State::Running);
    disk.0.store(false, Ordering::SeqCst);
    world.until_state(command, State::Succeeded).await;
    assert_eq!(machine.calls().len(), 1);
}
