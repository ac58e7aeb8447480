//! The event log: the last events, or everything from now on, resumed where the stream broke.

use crate::failure::Failure;
use crate::operation::Query;
use crate::output::{Format, Output};
use crate::session::Session;
use api::Page;
use api::events::{Event, PATH};
use clap::Args;
use std::time::Duration;

/// How many times a broken stream is asked for again before the command gives up.
const RETRIES: u32 = 10;

/// Which events.
#[derive(Args)]
pub(crate) struct Events {
    /// Go on with new events until interrupted.
    #[arg(short = 'f', long)]
    follow: bool,
    /// How results look. Stands in for the global option here, so that `-f` can mean "follow".
    #[arg(id = "format", long, visible_alias = "output", value_enum, default_value = "table")]
    _format: Format,
    /// Events after this number, instead of the last ones.
    #[arg(long)]
    after: Option<i64>,
    /// At most so many, unless followed.
    #[arg(short = 'n', long, default_value_t = 100)]
    limit: u32,
}

impl Events {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        if self.follow {
            return follow(session, out, self.after);
        }
        let newest = self.after.is_none().then(|| "desc".to_owned());
        let query = Query::default()
            .add("after", self.after.map(|after| after.to_string()))
            .add("order", newest.clone())
            .add("limit", Some(self.limit.to_string()));
        let mut page: Page<Event> = session.client.get(&query.on(PATH))?;
        if newest.is_some() {
            // The last ones, and still read from top to bottom.
            page.items.reverse();
        }
        out.list(&page.items, &["seq", "at", "kind", "subject_type", "subject_id", "body"])
    }
}

fn follow(session: &Session, out: &mut Output, mut last: Option<i64>) -> Result<(), Failure> {
    let mut failures = 0;
    loop {
        match follow_once(session, out, &mut last, &mut failures) {
            Err(failure) if failures >= RETRIES || !failure.may_pass() => return Err(failure),
            _ => failures += 1,
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn follow_once(
    session: &Session,
    out: &mut Output,
    last: &mut Option<i64>,
    failures: &mut u32,
) -> Result<(), Failure> {
    let from = last.map(|seq| seq.to_string());
    for sent in session.client.stream(PATH, from.as_deref())? {
        if let Ok(event) = serde_json::from_str::<Event>(&sent?.data) {
            *last = Some(event.seq);
            *failures = 0;
            let text = format!(
                "{} {} {} {} {}",
                event.seq, event.at, event.kind, event.subject_id, event.body
            );
            out.stream(&event, &text)?;
        }
    }
    Ok(())
}
