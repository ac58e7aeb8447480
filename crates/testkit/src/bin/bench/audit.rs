//! What the audit costs: a command with its rows, and signing in, which is told too.

use crate::figure::{Figure, short};
use crate::http::Kept;
use crate::stage::Stage;
use crate::statistics::ms;
use api::identity::AdminFile;
use api::operations::Operation;
use model::operation::State;
use serde_json::{Value, json};

/// Commands, one after the other.
const COMMANDS: u32 = 200;
/// Sign-ins, one after the other.
const SIGN_INS: u32 = 500;
/// The service that the board is told about again and again.
const SERVICE: &str = "bench-audited";

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let mut kept = stage.connect();
    vec![command(stage, &mut kept), sign_in(stage, &mut kept)]
}

fn command(stage: &mut Stage, kept: &mut Kept) -> Figure {
    stage.service(SERVICE, 9);
    let path = format!("/services/{SERVICE}");
    let enable = stage.on_board("PUT", &format!("{path}?wait=10"), "{}");
    assert_eq!(kept.ask_json::<Operation>(&enable).state, State::Succeeded);
    let restore = stage.on_board("POST", &format!("{path}/restore?wait=10"), "");
    let before = rows(stage, kept);
    let cost = stage.cost(|| {
        for _ in 0..COMMANDS {
            assert_eq!(kept.ask_json::<Operation>(&restore).state, State::Succeeded);
        }
    });
    let told = (rows(stage, kept) - before) as f64 / f64::from(COMMANDS);
    let each = ms(cost.processor()) / f64::from(COMMANDS);
    Figure::new("command with its rows of the audit, CPU", each, "ms").beside(format!(
        "{} rows each; cloud {}",
        short(told),
        short(ms(cost.cloud) / f64::from(COMMANDS))
    ))
}

fn sign_in(stage: &Stage, kept: &mut Kept) -> Figure {
    let file = std::fs::read_to_string(stage.world.admin_file()).unwrap();
    let file: AdminFile = serde_json::from_str(&file).unwrap();
    let credential = json!({
        "id": file.application_credential_id, "secret": file.application_credential_secret
    });
    let identity =
        json!({ "methods": ["application_credential"], "application_credential": credential });
    let body = json!({ "auth": { "identity": identity } }).to_string();
    let request = stage.asker.request("POST", api::identity::TOKENS, &body);
    let before = rows(stage, kept);
    let cost = stage.cost(|| {
        for _ in 0..SIGN_INS {
            let answer: Value = kept.ask_json(&request);
            assert!(answer["token"].is_object(), "{answer}");
        }
    });
    let told = rows(stage, kept) - before;
    let rate = f64::from(SIGN_INS) / cost.took.as_secs_f64();
    Figure::new("signing in by application credential, one at a time", rate, "sessions/s").beside(
        format!(
            "CPU {} ms each; {told} rows of the audit for {SIGN_INS} of one sort",
            short(ms(cost.cloud) / f64::from(SIGN_INS))
        ),
    )
}

/// The number of the newest row.
fn rows(stage: &Stage, kept: &mut Kept) -> u64 {
    let path = format!("{}?limit=1&order=desc", api::audit::PATH);
    let page: Value = kept.ask_json(&stage.asker.request("GET", &path, ""));
    page["items"][0]["seq"].as_u64().unwrap()
}
