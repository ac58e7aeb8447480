//! Between the contract's words for plugins and the runtime's: languages, limits, states, failures.
//!
//! Invariant: every failure of a guest becomes a fault that says what was wrong and how to mend it. Pure.

use crate::plugins::Row;
use crate::settings;
use model::plugin::{Language, MAX_VALUE, Mode, RunState};
use model::{Kind, PluginId, Timestamp};
use rpc::Fault;
use rpc::plugin::Status;
use runtime::{Failure, Limits, Share, Whose};
use std::time::{Duration, SystemTime};

/// Lines of a traceback that go into a fault.
const TRACEBACK_LINES: usize = 10;

/// The plugin's own limits, else the board's, else the runtime's. Time limits hold for calls alone.
pub(super) fn limits(base: Limits, row: &Row, board: &settings::Runtime) -> Limits {
    let own = row.limits;
    let seconds = |own: Option<u32>, board: Option<u32>| match row.mode {
        Mode::Sync => own.or(board).map(u64::from),
        Mode::Async => own.map(u64::from),
    };
    Limits {
        wall: match row.mode {
            Mode::Sync => seconds(own.wall_s, board.wall_s).map(Duration::from_secs).or(base.wall),
            Mode::Async => None,
        },
        cpu_seconds: seconds(own.cpu_s, board.cpu_s).or(base.cpu_seconds),
        memory_bytes: own.memory_bytes.or(board.memory_bytes).unwrap_or(base.memory_bytes),
        output_bytes: own
            .output_bytes
            .or(board.output_bytes)
            .unwrap_or(base.output_bytes)
            .min(MAX_VALUE as u64),
        processes: own.processes.or(board.processes).unwrap_or(base.processes),
        file_bytes: own.file_bytes,
        whose: if own.together.is_some() { Whose::Lent } else { Whose::Own },
    }
}

/// What the plugins of all borrowers may use together: of several words the strictest.
pub(super) fn share<'r>(rows: impl Iterator<Item = &'r Row>) -> Share {
    let words = rows.filter_map(|row| row.limits.together).map(|word| Share {
        cpu_percent: word.cpu_percent,
        memory_bytes: word.memory_bytes,
        processes: word.processes,
    });
    words.fold(Share::default(), Share::and)
}

pub(super) fn language(language: Language) -> runtime::Language {
    match language {
        Language::Python => runtime::Language::Python,
        Language::Node => runtime::Language::Node,
    }
}

pub(super) fn stream(stream: runtime::Stream) -> &'static str {
    match stream {
        runtime::Stream::Stdout => "stdout",
        runtime::Stream::Stderr => "stderr",
        runtime::Stream::Runtime => "runtime",
    }
}

pub(super) fn to_wire(plugin: PluginId, status: &runtime::Status) -> Status {
    let plain = |state| Status { plugin, state, pid: None, since: None, restarts: 0, reason: None };
    match status {
        runtime::Status::Stopped => plain(RunState::Stopped),
        runtime::Status::Starting => plain(RunState::Running),
        runtime::Status::Running { pid, since, restarts } => Status {
            pid: u32::try_from(*pid).ok(),
            since: Some(timestamp(*since)),
            restarts: *restarts,
            ..plain(RunState::Running)
        },
        runtime::Status::Restarting { reason, restarts } => Status {
            restarts: *restarts,
            reason: Some(format!("it crashed and is started again: {reason}")),
            ..plain(RunState::Running)
        },
        runtime::Status::Failed { reason, at } => Status {
            since: Some(timestamp(*at)),
            reason: Some(reason.to_string()),
            ..plain(RunState::Failed)
        },
    }
}

pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().after(since)
}

/// What sort of failure a guest's failure is, seen from the cloud.
fn kind(failure: &Failure) -> Kind {
    match failure {
        Failure::NotInstalled { .. } => Kind::NotFound,
        Failure::BadGuest { .. } | Failure::Parameters { .. } => Kind::Invalid,
        // The plugin's own fault: the same call fails again until the plugin is mended.
        Failure::Crashed { .. }
        | Failure::Raised { .. }
        | Failure::NotJson { .. }
        | Failure::NoResult => Kind::Invalid,
        Failure::Timeout { .. } => Kind::Timeout,
        Failure::Busy { .. }
        | Failure::Memory { .. }
        | Failure::Cpu { .. }
        | Failure::Output { .. }
        | Failure::Processes { .. } => Kind::Exhausted,
        Failure::Interpreter { .. }
        | Failure::Cancelled
        | Failure::AlreadyRunning { .. }
        | Failure::NotRunning { .. } => Kind::Conflict,
        Failure::ShuttingDown => Kind::Unreachable,
        _ => Kind::Internal,
    }
}

pub(crate) fn fault(failure: Failure) -> Fault {
    let mut text = failure.to_string();
    if let Failure::Raised { traceback, .. } = &failure {
        let skip = traceback.len().saturating_sub(TRACEBACK_LINES);
        for line in traceback.iter().skip(skip) {
            text.push('\n');
            text.push_str(line);
        }
    }
    Fault::new(kind(&failure), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::plugin::OnBoot;
    use serde_json::Value;

    fn row(mode: Mode, limits: rpc::plugin::Limits) -> Row {
        Row {
            name: "p".parse().unwrap(),
            language: Language::Python,
            revision: 1,
            mode,
            on_boot: OnBoot::Wait,
            parameters: Value::Null,
            limits,
            wanted: None,
        }
    }

    #[test]
    fn a_plugins_own_limits_come_before_the_boards() {
        let own = rpc::plugin::Limits {
            wall_s: Some(5),
            output_bytes: Some(u64::MAX),
            ..Default::default()
        };
        let board = settings::Runtime { wall_s: Some(60), cpu_s: Some(7), ..Default::default() };
        let base = Limits::for_call(runtime::Language::Python);
        let limits = limits(base.clone(), &row(Mode::Sync, own), &board);
        assert_eq!((limits.wall, limits.cpu_seconds), (Some(Duration::from_secs(5)), Some(7)));
        assert_eq!((limits.output_bytes, limits.memory_bytes), (1 << 20, base.memory_bytes));
    }

    #[test]
    fn the_boards_time_limits_do_not_end_asynchronous_plugins() {
        let board = settings::Runtime { wall_s: Some(60), cpu_s: Some(7), ..Default::default() };
        let base = Limits::for_service(runtime::Language::Python);
        let limits = limits(base, &row(Mode::Async, Default::default()), &board);
        assert_eq!((limits.wall, limits.cpu_seconds), (None, None));
    }

    #[test]
    fn of_what_borrowers_may_use_together_the_strictest_word_counts() {
        let together = |cpu_percent, memory_bytes| {
            let word = rpc::plugin::Together { cpu_percent, memory_bytes, processes: None };
            row(Mode::Sync, rpc::plugin::Limits { together: Some(word), ..Default::default() })
        };
        let rows = [
            row(Mode::Sync, Default::default()),
            together(Some(50), None),
            together(Some(20), Some(7)),
            together(None, Some(9)),
        ];
        let least = Share { cpu_percent: Some(20), memory_bytes: Some(7), processes: None };
        assert_eq!(share(rows.iter()), least);
        let base = Limits::for_call(runtime::Language::Python);
        let whose = rows.each_ref().map(|row| limits(base.clone(), row, &Default::default()).whose);
        assert_eq!(whose, [Whose::Own, Whose::Lent, Whose::Lent, Whose::Lent]);
    }

    #[test]
    fn a_traceback_travels_with_the_fault() {
        let traceback = (0..30).map(|n| format!("line {n}")).collect();
        let failure = Failure::Raised { kind: "E".into(), message: "m".into(), traceback };
        let fault = super::fault(failure);
        assert_eq!(fault.kind, Kind::Invalid);
        assert_eq!(fault.message.lines().count(), 1 + TRACEBACK_LINES);
    }
}
