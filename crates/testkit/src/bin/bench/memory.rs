//! Memory of cloud and agent: fresh, and for each further service that is forwarded.

use crate::exposure::{disable, enable, first_byte, visit};
use crate::figure::{Figure, Goal, short};
use crate::stage::Stage;
use testkit::{LocalService, Talk};

/// Services beyond the first.
const MORE: u32 = 50;

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let [_, agent] = stage.memory_kib();
    let (one, all) = with_services(stage);
    let growth = |at: usize| mib(all[at].saturating_sub(one[at])) / f64::from(MORE);
    vec![
        Figure::new("memory (RSS) of the cloud, fresh", mib(stage.fresh_cloud_kib), "MiB")
            .goal(Goal::AtMost(40.0))
            .upstream("921 MiB")
            .beside(format!(
                "with one service {}, with {} more {}",
                short(mib(one[0])),
                MORE,
                short(mib(all[0]))
            )),
        Figure::new("memory (RSS) of the agent, online", mib(agent), "MiB")
            .goal(Goal::AtMost(10.0))
            .upstream("62 MiB")
            .beside(format!(
                "with one service {}, with {} more {}",
                short(mib(one[1])),
                MORE,
                short(mib(all[1]))
            )),
        Figure::new(
            "memory of each further forwarded service, both ends",
            growth(0) + growth(1),
            "MiB",
        )
        .goal(Goal::AtMost(0.1))
        .upstream("52 MiB")
        .beside(format!(
            "cloud {}, agent {}; each visited once",
            short(growth(0)),
            short(growth(1))
        )),
    ]
}

/// Memory with one service, and with all.
fn with_services(stage: &Stage) -> ([u64; 2], [u64; 2]) {
    let local = LocalService::start(Talk::Greeting);
    let names: Vec<String> = (0..=MORE).map(|number| format!("bench-memory-{number}")).collect();
    for name in &names {
        stage.service(name, local.port);
    }
    let mut kept = stage.connect();
    let mut expose = |name: &String| {
        let port = enable(stage, &mut kept, name);
        first_byte(&mut visit(port));
    };
    expose(&names[0]);
    let one = stage.memory_kib();
    names.iter().skip(1).for_each(expose);
    let all = stage.memory_kib();
    let mut kept = stage.connect();
    for name in &names {
        disable(stage, &mut kept, name);
    }
    (one, all)
}

/// MiB of KiB.
pub(crate) fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
