//! Load reports of the last day: one row for each board and hour, to which every report appends a line.
//!
//! Invariant: a report costs one statement that nobody waits for, and a row has a bound; what comes beyond it in the same
//! hour is not kept. Lines that cannot be read are left out, because a lost sample is no reason to show none. Lists do not
//! know boards: whoever reads has asked for the board before.

use crate::sql::{Reader, Row, Statement, all};
use crate::{Error, Store, Tx};
use model::facts::Load;
use model::{BoardId, Timestamp};
use std::collections::BTreeMap;

/// Hours that can be looked back.
pub const KEPT_HOURS: u32 = 24;
/// Most rows one call of [`trim`] removes; call again for more.
pub const TRIM_BATCH: u32 = 1000;
/// A row as long as this takes no more lines: some 600 reports in an hour.
const MAX_ROW: u32 = 64 * 1024;
/// A longer line goes without its sensors.
const MAX_LINE: usize = 2048;
const HOUR: i64 = 3_600_000_000;

/// One report.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When it came.
    pub at: Timestamp,
    /// What it said.
    pub load: Load,
}

/// A line: milliseconds, then the load in this order.
type Line = (i64, u64, f64, f64, u64, u64, Option<f64>, u64, BTreeMap<String, f64>);

/// Keeps a report, behind.
pub fn append(store: &Store, board: BoardId, load: &Load, at: Timestamp) {
    let statement = Statement::new(
        "keep a load report",
        "INSERT INTO board_load (hour, board, samples) VALUES ($1, $2, $3) \
         ON CONFLICT (hour, board) DO UPDATE SET samples = board_load.samples || excluded.samples \
         WHERE LENGTH(board_load.samples) < $4",
    );
    match write(load, at) {
        Ok(line) => {
            store.record(statement.bind(hour(at)).bind(board).bind(line).bind(MAX_ROW));
        }
        Err(error) => tracing::warn!(%error, %board, "a load report cannot be kept"),
    }
}

/// What a board reported since, oldest first.
///
/// # Errors
/// The database failed.
pub async fn since<'e>(
    from: impl Reader<'e>,
    board: BoardId,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Sample>, Error> {
    let mut statement = Statement::new(
        "read load reports",
        "SELECT samples FROM board_load WHERE board = $1 AND hour IN (",
    )
    .bind(board);
    let last = hour(now);
    let first = hour(since).max(last.saturating_sub(KEPT_HOURS.into())).min(last);
    for (index, hour) in (first..=last).enumerate() {
        statement.push(if index == 0 { "" } else { ", " }).push_bind(hour);
    }
    statement.push(") ORDER BY hour");
    let rows = all(from, statement, |row: &Row| row.text("samples")).await?;
    let samples = rows.iter().flat_map(|row| row.lines()).filter_map(read);
    Ok(samples.filter(|sample| sample.at >= since).collect())
}

/// Removes hours that cannot be looked back to any more, at most [`TRIM_BATCH`] rows; gives how many.
///
/// # Errors
/// The database failed.
pub async fn trim(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    let statement = Statement::new(
        "trim load reports",
        "DELETE FROM board_load WHERE (hour, board) IN \
         (SELECT hour, board FROM board_load WHERE hour < $1 ORDER BY hour, board LIMIT $2)",
    )
    .bind(hour(now).saturating_sub(KEPT_HOURS.into()))
    .bind(TRIM_BATCH);
    tx.execute(statement).await
}

fn hour(at: Timestamp) -> i64 {
    at.micros().div_euclid(HOUR)
}

fn write(load: &Load, at: Timestamp) -> Result<String, Error> {
    let line = |sensors: &BTreeMap<String, f64>| {
        crate::sql::json(&(
            at.micros().div_euclid(1000),
            load.uptime_s,
            load.load_1m,
            rounded(load.cpu),
            load.memory_used_bytes,
            load.disk_used_bytes,
            load.temperature_c,
            load.agent_memory_bytes,
            sensors,
        ))
    };
    let mut text = line(&load.sensors)?;
    if text.len() > MAX_LINE {
        text = line(&BTreeMap::new())?;
    }
    text.push('\n');
    Ok(text)
}

/// A share to a hundredth of a percent: more digits than that are noise, and there are many lines.
fn rounded(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

fn read(line: &str) -> Option<Sample> {
    let (at, uptime_s, load_1m, cpu, memory, disk, temperature_c, agent, sensors) =
        serde_json::from_str::<Line>(line).ok()?;
    Some(Sample {
        at: Timestamp::from_micros(at.saturating_mul(1000)),
        load: Load {
            uptime_s,
            load_1m,
            cpu,
            memory_used_bytes: memory,
            disk_used_bytes: disk,
            temperature_c,
            sensors,
            agent_memory_bytes: agent,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_goes_without_its_sensors_and_garbage_is_left_out() {
        let sensors = (0..500).map(|number| (format!("sensor-{number}"), 1.5)).collect();
        let load = Load { cpu: 0.123_456, sensors, ..Load::default() };
        let line = write(&load, Timestamp::from_micros(5_000)).unwrap();
        let sample = read(line.trim_end()).unwrap();
        assert_eq!(sample.at, Timestamp::from_micros(5_000));
        assert_eq!(sample.load, Load { cpu: 0.1235, ..Load::default() });
        for garbage in ["", "[]", "{}", "[1,2,3]", "nonsense"] {
            assert_eq!(read(garbage), None, "{garbage}");
        }
    }
}
