//! Times on the wire: RFC 3339 in UTC with milliseconds, and back.
//!
//! Days are counted by the proleptic Gregorian calendar. Deliberately not here: leap seconds and years before 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 3600;

/// Such as `2026-01-31T12:00:00.000Z`.
pub(crate) fn write(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (year, month, day) = date(seconds / DAY);
    let clock = seconds % DAY;
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    let milliseconds = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

/// A time with or without a fraction, in UTC (`Z`) or with an offset.
pub(crate) fn read(text: &str) -> Option<SystemTime> {
    let (date, clock) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.splitn(3, '-').map(str::parse::<u64>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (clock, offset) = split_offset(clock)?;
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?);
    let second = parts.next()?.parse::<f64>().ok()?;
    if hour > 23 || minute > 59 || !(0.0..61.0).contains(&second) {
        return None;
    }
    let whole = days(year, month, day) * DAY + hour * 3600 + minute * 60;
    let local =
        Duration::from_secs(whole).checked_add(Duration::try_from_secs_f64(second).ok()?)?;
    let since = match offset {
        Offset::East(offset) => local.checked_sub(offset)?,
        Offset::West(offset) => local.checked_add(offset)?,
    };
    UNIX_EPOCH.checked_add(since)
}

enum Offset {
    East(Duration),
    West(Duration),
}

fn split_offset(clock: &str) -> Option<(&str, Offset)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, Offset::East(Duration::ZERO)));
    }
    let at = clock.rfind(['+', '-'])?;
    let (clock, offset) = clock.split_at_checked(at)?;
    let (sign, offset) = offset.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes) = (hours.parse::<u64>().ok()?, minutes.parse::<u64>().ok()?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = Duration::from_secs(hours * 3600 + minutes * 60);
    Some((clock, if sign == "+" { Offset::East(offset) } else { Offset::West(offset) }))
}

/// The date of a day counted from 1970-01-01. Years begin in March, so that leap days come last.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + carry, month, day)
}

/// The inverse of [`date`]; a day past the end of its month counts on.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_is_read_back_as_it_was_written() {
        for day in (0..2_900_000).step_by(97) {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
        let known = UNIX_EPOCH + Duration::from_millis(951_827_696_789);
        assert_eq!(write(known), "2000-02-29T12:34:56.789Z");
        assert_eq!(read("2000-02-29T12:34:56.789Z"), Some(known));
    }

    #[test]
    fn offsets_are_taken_off_and_nonsense_is_refused() {
        assert_eq!(read("2000-01-01T01:30:00+01:30"), read("2000-01-01T00:00:00Z"));
        assert_eq!(read("1999-12-31T23:00:00-01:00"), read("2000-01-01 00:00:00Z"));
        for wrong in ["", "2000", "2000-13-01T00:00:00Z", "2000-01-01T24:00:00Z", "é-é-éTé:é:éZ"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read("1970-01-01T00:00:00+01:00"), None, "before the count begins");
        assert_eq!(read("2000-01-01T00:00:nanZ"), None);
    }
}
