// Hours of the week as the cloud writes them (`mon-fri 08:00-18:00`), as the strips that a person sees; and time zones in the
// POSIX form that the cloud wants. Pure.

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const DAY = 24 * 60;

/** Part of a day, in minutes. */
export interface Strip {
  from: number;
  until: number;
}

/** The strips of each day from Monday on, or the line that says nothing. */
export type ReadHours = { week: Strip[][] } | { wrong: string };

export function readHours(spans: readonly string[]): ReadHours {
  const week: Strip[][] = DAYS.map(() => []);
  for (const line of spans) {
    const span = readSpan(line);
    if (!span) return { wrong: line };
    for (const day of span.days) {
      if (span.from < span.until) week[day]?.push({ from: span.from, until: span.until });
      else {
        week[day]?.push({ from: span.from, until: DAY });
        if (span.until > 0) week[(day + 1) % 7]?.push({ from: 0, until: span.until });
      }
    }
  }
  return { week };
}

function readSpan(line: string): { days: number[]; from: number; until: number } | undefined {
  const [, dayText = '', fromText = '', untilText = ''] = /^\s*(\S+)\s+(\d\d:\d\d)-(\d\d:\d\d)\s*$/.exec(line) ?? [];
  const [days, from, until] = [readDays(dayText), readTime(fromText), readTime(untilText)];
  if (!days || from === undefined || until === undefined || from === until || from === DAY) return undefined;
  return { days, from, until };
}

function readTime(text: string): number | undefined {
  const [hour, minute] = text.split(':').map(Number);
  if (hour === undefined || minute === undefined || minute > 59) return undefined;
  const time = hour * 60 + minute;
  return time <= DAY ? time : undefined;
}

function readDays(text: string): number[] | undefined {
  if (text === 'daily') return DAYS.map((_, at) => at);
  const all: number[] = [];
  for (const part of text.split(',')) {
    const [first, last = first] = part.split('-').map((name) => DAYS.findIndex((day) => day === name));
    if (first === undefined || last === undefined || first < 0 || last < 0) return undefined;
    for (let step = 0; step <= (last + 7 - first) % 7; step += 1) all.push((first + step) % 7);
  }
  return all;
}

/** How a zone's offset from UTC changes within a year. */
interface Change {
  at: number;
  before: number;
  after: number;
}

/** A zone such as `Europe/Rome` in POSIX form: `CET-1CEST-2,M3.5.0/2,M10.5.0/3`. */
export function posixZone(zone: string, year: number): string {
  const changes = changesOf(zone, year);
  const [one, other] = changes;
  const first = offsetOf(zone, Date.UTC(year, 0, 1));
  if (changes.length !== 2 || !one || !other) return `<${signed(first)}>${posixOffset(first)}`;
  const [toSummer, toWinter] = one.after > one.before ? [one, other] : [other, one];
  const [winter, summer] = [toSummer.before, toSummer.after];
  return `<${signed(winter)}>${posixOffset(winter)}<${signed(summer)}>${posixOffset(summer)},${rule(toSummer)},${rule(toWinter)}`;
}

/** The zone of this computer. */
export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function changesOf(zone: string, year: number): Change[] {
  const changes: Change[] = [];
  let before = offsetOf(zone, Date.UTC(year, 0, 1));
  const hour = 3_600_000;
  for (let day = Date.UTC(year, 0, 1); day < Date.UTC(year + 1, 0, 1); day += 24 * hour) {
    if (offsetOf(zone, day + 24 * hour) === before) continue;
    let at = day;
    while (offsetOf(zone, at) === before) at += hour / 4;
    const after = offsetOf(zone, at);
    changes.push({ at, before, after });
    before = after;
  }
  return changes;
}

/** `M3.5.0/2`: month, week (5 is the last), weekday, and the hour on the clock of before. */
function rule({ at, before }: Change): string {
  const there = new Date(at + before * 60_000);
  const days = new Date(Date.UTC(there.getUTCFullYear(), there.getUTCMonth() + 1, 0)).getUTCDate();
  const week = there.getUTCDate() + 7 > days ? 5 : Math.ceil(there.getUTCDate() / 7);
  const minutes = there.getUTCMinutes() === 0 ? '' : `:${String(there.getUTCMinutes()).padStart(2, '0')}`;
  return `M${there.getUTCMonth() + 1}.${week}.${there.getUTCDay()}/${there.getUTCHours()}${minutes}`;
}

/** Minutes ahead of UTC. */
function offsetOf(zone: string, at: number): number {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone, year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', hourCycle: 'h23',
  }).formatToParts(at);
  const part = (type: string): number => Number(parts.find((one) => one.type === type)?.value);
  const there = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'));
  return Math.round((there - Math.floor(at / 60_000) * 60_000) / 60_000);
}

/** `+01`, `-0330`. */
function signed(minutes: number): string {
  const size = Math.abs(minutes);
  const rest = size % 60 === 0 ? '' : String(size % 60).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${String(Math.floor(size / 60)).padStart(2, '0')}${rest}`;
}

/** POSIX counts what is to be added to get UTC. */
function posixOffset(minutes: number): string {
  const size = Math.abs(minutes);
  const rest = size % 60 === 0 ? '' : `:${String(size % 60).padStart(2, '0')}`;
  return `${minutes > 0 ? '-' : ''}${Math.floor(size / 60)}${rest}`;
}
