// Hours of the week and time zones as the cloud writes them.
import { expect, test } from 'vitest';
import { posixZone, readHours } from '../src/screens/lending/hours';

test('hours become strips of the days, over midnight and over the end of the week too', () => {
  const read = readHours(['mon-fri 08:00-18:00', 'sun 22:00-06:30']);
  expect(read).toEqual({
    week: [
      [{ from: 480, until: 1080 }, { from: 0, until: 390 }],
      ...Array.from({ length: 4 }, () => [{ from: 480, until: 1080 }]),
      [],
      [{ from: 1320, until: 1440 }],
    ],
  });
  expect(readHours(['daily 00:00-24:00'])).toEqual({ week: Array.from({ length: 7 }, () => [{ from: 0, until: 1440 }]) });
});

test('what are no hours is named', () => {
  for (const line of ['mon 8:00-18:00', 'day 08:00-18:00', 'mon 08:00-08:00', 'mon 08:00-24:30', 'mon', '']) {
    expect(readHours([line])).toEqual({ wrong: line });
  }
});

test('a zone is written with the rules of its summer time, north and south', () => {
  expect(posixZone('Europe/Rome', 2026)).toBe('<+01>-1<+02>-2,M3.5.0/2,M10.5.0/3');
  expect(posixZone('America/New_York', 2026)).toBe('<-05>5<-04>4,M3.2.0/2,M11.1.0/2');
  expect(posixZone('Australia/Sydney', 2026)).toBe('<+10>-10<+11>-11,M10.1.0/2,M4.1.0/3');
  expect(posixZone('Asia/Kolkata', 2026)).toBe('<+0530>-5:30');
  expect(posixZone('UTC', 2026)).toBe('<+00>0');
});
