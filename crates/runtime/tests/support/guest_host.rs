//! Stands in for the agent's binary in the tests: the launcher, and a host that can be killed.
//!
//! `guest-host guest-exec …` is the launcher; `guest-host hold DIR` starts the service `held` installed
//! in DIR without control groups, prints its process number and waits to be killed.

use runtime::{Confinement, Order, Runtime, Settings, Status};

fn main() {
    runtime::launcher::run_if_asked();
    let mut args = std::env::args().skip(1);
    let (Some("hold"), Some(dir)) = (args.next().as_deref(), args.next()) else {
        eprintln!("usage: guest-host hold DIR");
        std::process::exit(2);
    };
    let reactor = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    reactor.expect("a reactor starts").block_on(hold(&dir));
}

async fn hold(dir: &str) {
    let launcher = std::env::current_exe().expect("this process has a file");
    let mut settings = Settings::new(dir, launcher);
    settings.confinement = Confinement::Sampling;
    let runtime = Runtime::new(settings).expect("the runtime starts");
    let status = runtime.start("held", Order::default()).await.expect("the guest starts");
    if let Status::Running { pid, .. } = status {
        println!("{pid}");
    }
    std::future::pending::<()>().await;
}
