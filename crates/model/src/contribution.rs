//! Contribution: what its owner gives of a board to others. Its hours and caps bind every delegation that reaches the board;
//! its offer lets people of some projects book it without asking.
//!
//! Invariant: an hour of the week is read on the clock of the contribution's own time zone, summer time included. What the
//! own project does with its board is bound by nothing here.

use crate::delegation::{Rights, Window};
use crate::{Invalid, ProjectId, Timestamp};
use jiff::Span;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// Minutes of a week.
const WEEK: u16 = 7 * DAY;
const DAY: u16 = 24 * 60;
/// Most spans of a week.
const MAX_SPANS: usize = 50;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Most hours of one booking.
pub const MAX_BOOKING_H: u32 = 366 * 24;

/// What is given of a board.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Given)]
pub struct Contribution {
    /// When; without them always.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RawHours>)]
    pub hours: Option<Hours>,
    /// How much of the machine.
    pub caps: Caps,
    /// To whom without asking; without it to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
}

impl Contribution {
    /// Whether the board is given at this moment.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours.contain(now))
    }
}

/// Most percent of one core that can be given: 64 of them.
pub const MAX_CPU_PERCENT: u32 = 6400;

/// What the code that a borrower brings may use. Share of the processor, memory and processes are what all code of all borrowers
/// uses together; the others hold in each run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Caps {
    /// Seconds of processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<u32>,
    /// Memory of all its processes in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Size of each file that it writes, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
    /// Number of processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Percent of one core, at any moment; where the board has no control groups for it, it says so and does not enforce it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 6400)]
    pub cpu_percent: Option<u32>,
}

impl Caps {
    /// # Errors
    /// A share of the processor is none, or more than there could be.
    pub fn check(&self) -> Result<(), Invalid> {
        match self.cpu_percent {
            Some(percent) if !(1..=MAX_CPU_PERCENT).contains(&percent) => {
                Err(Invalid::new(format!("cpu_percent {percent} is not 1 to {MAX_CPU_PERCENT}")))
            }
            _ => Ok(()),
        }
    }
}

/// Who may book the board, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OfferedTo)]
pub struct Offer {
    /// What may be done.
    pub rights: Rights,
    /// People of these projects; empty: whoever signs in to any.
    #[serde(default)]
    pub projects: Vec<ProjectId>,
    /// Hours of one booking at most.
    pub max_hours: u32,
}

impl Offer {
    /// Whether people of `project` may book for this time.
    #[must_use]
    pub fn is_for(&self, project: &ProjectId, window: &Window) -> bool {
        let longest = u64::from(self.max_hours).saturating_mul(3600);
        (self.projects.is_empty() || self.projects.contains(project))
            && window.from().until(window.until()).as_secs_f64() <= longest as f64
    }
}

/// Hours of the week in a time zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawHours", into = "RawHours")]
pub struct Hours {
    zone: TimeZone,
    raw: RawHours,
    /// Minutes of the week, sorted, apart from each other.
    open: Vec<(u16, u16)>,
}

/// Hours as people write them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Hours)]
pub struct RawHours {
    /// The time zone as POSIX writes it: `UTC0`, `CET-1CEST,M3.5.0,M10.5.0/3`.
    #[serde(default = "utc")]
    pub zone: String,
    /// Such as `mon-fri 08:00-18:00`, `sat,sun 00:00-24:00`; one that ends before it begins goes over midnight.
    pub spans: Vec<String>,
}

fn utc() -> String {
    "UTC0".to_owned()
}

impl Hours {
    /// Whether this moment is one of them.
    #[must_use]
    pub fn contain(&self, now: Timestamp) -> bool {
        self.minute(now).is_some_and(|minute| self.span(minute).is_some())
    }

    /// When the hours that are now end; `None` when they never do, `now` when they are not now.
    #[must_use]
    pub fn end(&self, now: Timestamp) -> Option<Timestamp> {
        let Some(minute) = self.minute(now) else { return Some(now) };
        let Some((_, mut end)) = self.span(minute) else { return Some(now) };
        let mut left = end.saturating_sub(minute);
        if end == WEEK {
            // Over the end of the week into the next.
            end = self.span(0).map_or(0, |(_, end)| end);
            left = left.saturating_add(end);
        }
        if end == WEEK {
            return None;
        }
        self.later(now, left).or(Some(now))
    }

    /// Whether a whole time lies in them without a break.
    #[must_use]
    pub fn cover(&self, window: &Window) -> bool {
        let mut at = window.from();
        // Summer time may move an end by an hour, so it is looked at again there.
        while at < window.until() {
            match self.end(at) {
                None => return true,
                Some(end) if end <= at => return false,
                Some(end) => at = end,
            }
        }
        true
    }

    fn span(&self, minute: u16) -> Option<(u16, u16)> {
        self.open.iter().copied().find(|(from, until)| (*from..*until).contains(&minute))
    }

    /// The minute of the week on the zone's clock.
    fn minute(&self, moment: Timestamp) -> Option<u16> {
        let there = self.zone.to_datetime(jiff(moment)?);
        let day = u16::try_from(there.weekday().to_monday_zero_offset()).ok()?;
        let hour = u16::try_from(there.hour()).ok()?;
        Some(day * DAY + hour * 60 + u16::try_from(there.minute()).ok()?)
    }

    /// The beginning of the minute that is so many minutes later on the zone's clock.
    fn later(&self, moment: Timestamp, minutes: u16) -> Option<Timestamp> {
        let moment = jiff(moment)?;
        let there = self.zone.to_datetime(moment);
        let minute = there.with().second(0).subsec_nanosecond(0).build().ok()?;
        let then = minute.checked_add(Span::new().minutes(i64::from(minutes))).ok()?;
        // An hour that the clock shows twice may have gone by once already.
        let then = self.zone.to_ambiguous_timestamp(then);
        let first = then.compatible().ok()?;
        let end = if first > moment { first } else { then.later().ok()? };
        Some(Timestamp::from_micros(end.as_microsecond()))
    }
}

fn jiff(moment: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(moment.micros()).ok()
}

impl TryFrom<RawHours> for Hours {
    type Error = Invalid;
    fn try_from(raw: RawHours) -> Result<Self, Invalid> {
        let zone = TimeZone::posix(&raw.zone).map_err(|_| {
            Invalid::new(format!(
                "{:?} is not a time zone as POSIX writes it: such as UTC0 or CET-1CEST,M3.5.0,M10.5.0/3",
                raw.zone
            ))
        })?;
        if raw.spans.is_empty() || raw.spans.len() > MAX_SPANS {
            return Err(Invalid::new(format!("hours have 1 to {MAX_SPANS} spans")));
        }
        let mut open = Vec::new();
        for text in &raw.spans {
            text.parse::<Spans>()?.add_to(&mut open);
        }
        Ok(Self { zone, open: apart(open), raw })
    }
}

impl From<Hours> for RawHours {
    fn from(hours: Hours) -> Self {
        hours.raw
    }
}

/// Sorted, and joined where they touch.
fn apart(mut spans: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    spans.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for (from, until) in spans {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => joined.push((from, until)),
        }
    }
    joined
}

/// `mon-fri 08:00-18:00`
struct Spans {
    days: Vec<u16>,
    from: u16,
    until: u16,
}

impl Spans {
    fn add_to(&self, open: &mut Vec<(u16, u16)>) {
        for day in &self.days {
            let start = day * DAY;
            if self.from < self.until {
                open.push((start + self.from, start + self.until));
                continue;
            }
            open.push((start + self.from, start + DAY));
            let next = (start + DAY) % WEEK;
            if self.until > 0 {
                open.push((next, next + self.until));
            }
        }
    }
}

impl FromStr for Spans {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid::new(format!(
                "{text:?} are no hours of the week: write such as mon-fri 08:00-18:00 or sat,sun 10:00-24:00"
            ))
        };
        let (days, times) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let (from, until) = times.trim().split_once('-').ok_or_else(wrong)?;
        let (from, until) = (time(from).ok_or_else(wrong)?, time(until).ok_or_else(wrong)?);
        let days = self::days(days).ok_or_else(wrong)?;
        if from == until || from == DAY {
            return Err(wrong());
        }
        Ok(Self { days, from, until })
    }
}

/// `08:30`, up to `24:00`.
fn time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let is_plain = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    let (true, true) = (is_plain(hour), is_plain(minute)) else { return None };
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let time = hour * 60 + minute;
    (minute < 60 && time <= DAY).then_some(time)
}

/// `mon`, `mon-fri`, `sat,sun`, `fri-mon`, `daily`.
fn days(text: &str) -> Option<Vec<u16>> {
    if text == "daily" {
        return Some((0..7).collect());
    }
    let day =
        |name: &str| DAYS.iter().position(|day| *day == name).and_then(|at| u16::try_from(at).ok());
    let mut all = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let count = (last + 7 - first) % 7;
        all.extend((0..=count).map(|step| (first + step) % 7));
    }
    Some(all)
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.raw.spans.join("; "), self.raw.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(zone: &str, spans: &[&str]) -> Result<Hours, Invalid> {
        let spans = spans.iter().map(|span| (*span).to_owned()).collect();
        RawHours { zone: zone.to_owned(), spans }.try_into()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn hours_are_read_on_the_clock_of_their_zone_in_summer_and_winter() {
        let messina = hours("CET-1CEST,M3.5.0,M10.5.0/3", &["mon-fri 08:00-18:00"]).unwrap();
        // 2026-01-05 and 2026-07-06 are Mondays.
        for (moment, is_in) in [
            ("2026-01-05T06:59:59Z", false),
            ("2026-01-05T07:00:00Z", true),
            ("2026-01-05T16:59:59Z", true),
            ("2026-01-05T17:00:00Z", false),
            ("2026-07-06T06:00:00Z", true),
            ("2026-07-06T16:00:00Z", false),
            ("2026-01-10T12:00:00Z", false),
        ] {
            assert_eq!(messina.contain(at(moment)), is_in, "{moment}");
        }
        assert_eq!(messina.end(at("2026-07-06T09:30:30Z")), Some(at("2026-07-06T16:00:00Z")));
        assert_eq!(messina.end(at("2026-07-05T09:30:30Z")), Some(at("2026-07-05T09:30:30Z")));
    }

    #[test]
    fn spans_go_over_midnight_and_over_the_end_of_the_week() {
        let night = hours("UTC0", &["fri-sun 22:00-06:00"]).unwrap();
        assert!(night.contain(at("2026-01-05T05:59:00Z")), "Sunday's night ends on Monday");
        assert!(!night.contain(at("2026-01-05T06:00:00Z")));
        assert_eq!(night.end(at("2026-01-04T23:00:00Z")), Some(at("2026-01-05T06:00:00Z")));
        let always = hours("UTC0", &["daily 00:00-24:00"]).unwrap();
        assert_eq!(always.end(at("2026-01-04T23:00:00Z")), None);
        let window = Window::new(at("2026-01-04T23:00:00Z"), at("2026-01-05T06:00:00Z")).unwrap();
        assert!(night.cover(&window) && always.cover(&window));
        let later = Window::new(at("2026-01-04T23:00:00Z"), at("2026-01-05T06:01:00Z")).unwrap();
        assert!(!night.cover(&later));
    }

    #[test]
    fn the_end_is_the_first_moment_that_is_not_among_them() {
        let zone = "CET-1CEST,M3.5.0,M10.5.0/3";
        let some = hours(zone, &["mon,wed-thu 09:15-12:45", "sat 20:00-02:30", "sun 02:30-04:00"])
            .unwrap();
        // Three weeks around the change of the clock, in steps of seven minutes.
        let first = at("2026-03-16T00:00:00Z").micros();
        for step in 0..(21 * 24 * 60 / 7) {
            let now = Timestamp::from_micros(first + step * 7 * 60_000_000);
            let end = some.end(now).unwrap();
            let mut moment = now.micros();
            while moment < end.micros() {
                assert!(some.contain(Timestamp::from_micros(moment)), "{now} {end}");
                moment += 60_000_000;
            }
            if end == now {
                assert!(!some.contain(now));
            }
        }
    }

    #[test]
    fn what_is_no_hour_of_a_week_is_refused() {
        let wrong = [
            "mon",
            "mon 9:00-10:00",
            "mon 09:00",
            "moon 09:00-10:00",
            "mon 09:00-24:01",
            "mon 09:60-10:00",
            "mon 10:00-10:00",
            "mon 24:00-01:00",
            "",
            "mon- 09:00-10:00",
            "mon 09:00-10:00-11:00",
        ];
        for span in wrong {
            assert!(hours("UTC0", &[span]).is_err(), "{span:?}");
        }
        assert!(hours("Europe/Rome", &["daily 00:00-24:00"]).is_err());
        assert!(hours("UTC0", &[]).is_err());
    }
}
