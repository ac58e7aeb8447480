// What forms hold, and what the cloud is told.
import { expect, test } from 'vitest';
import { cloudsYaml, newOf, readRules } from '../src/screens/account/credential';
import { fromQuery, toQuery, whichOf as rowsOf } from '../src/screens/audit/filter';
import { micros } from '../src/screens/audit/verify';
import { bookingOf, hoursOf, spotOf, whichOf } from '../src/screens/bookings/wish';
import { givenOf, sayingOf } from '../src/screens/lending/given';

test('a contribution goes through its form unchanged', () => {
  const said = {
    board: 'b', by: 'u', updated_at: null, hours: { zone: 'UTC0', spans: ['daily 08:00-18:00'] },
    caps: { memory_bytes: 64 * 2 ** 20, cpu_s: 5, file_bytes: null, processes: 4, cpu_percent: 50 }, offer: { rights: ['read'], projects: ['p1', 'p2'], max_hours: 8 },
  };
  const { hours, caps, offer } = said;
  expect(sayingOf(givenOf(said as never, 'CET-1'))).toEqual({ hours, caps, offer });
  const nothing = { memory_bytes: null, cpu_s: null, file_bytes: null, processes: null, cpu_percent: null };
  expect(sayingOf(givenOf(undefined, 'CET-1'))).toEqual({ hours: null, caps: nothing, offer: null });
});

test('a place is read, and only one that is on the globe', () => {
  expect(spotOf(' 38.19, 15.55 ')).toEqual({ latitude: 38.19, longitude: 15.55 });
  for (const wrong of ['', '38.19', '91,0', '0,181', 'a,b', '38.19 15.55']) expect(spotOf(wrong)).toBeUndefined();
});

test('a booking asks for what was typed and no more', () => {
  const wish = { sensor: '', selector: 'kind=lamp', near: '38.19,15.55', kilometres: '2.5', count: '3', from: '', until: '2026-01-02T10:00', rights: 'offered' as const };
  expect(whichOf({ ...wish, near: 'nowhere' })).toEqual({ sensor: undefined, selector: 'kind=lamp', near: undefined, radius_m: undefined });
  const until = new Date('2026-01-02T10:00').toISOString();
  expect(bookingOf(wish)).toEqual({ sensor: undefined, selector: 'kind=lamp', near: '38.19,15.55', radius_m: 2500, count: 3, from: null, until, rights: [] });
  expect(hoursOf(wish, new Date('2026-01-02T08:30').getTime())).toBe(1.5);
});

test('rules of a credential name their service, and what is none is named', () => {
  expect(readRules('GET /v2/boards\n\nGET /identity/v3/users')).toEqual({
    rules: [{ method: 'GET', path: '/v2/boards', service: 'iot' }, { method: 'GET', path: '/identity/v3/users', service: 'identity' }],
  });
  expect(readRules('get /v2/boards')).toEqual({ wrong: 'get /v2/boards' });
});

test('a credential without an end or rules says nothing of them', () => {
  const draft = { name: ' ci ', description: '', expires: '', roles: ['user_iot'], rules: '', unrestricted: false };
  expect(newOf(draft, [])).toEqual({ name: 'ci', description: '', roles: [{ name: 'user_iot' }], unrestricted: false });
  const made = { id: 'i', secret: 's', name: 'ci', description: '', project_id: 'p', roles: [], expires_at: null, unrestricted: false };
  expect(cloudsYaml('https://cloud', made)).toContain('auth_url: https://cloud/identity/v3');
});

test('a filter of the audit goes into the address and back, and names become ids', () => {
  const wanted = { who: 'nina', what: 'role', about: '', since: '', until: '' };
  expect(fromQuery(toQuery(wanted))).toEqual(wanted);
  expect(rowsOf(wanted, (name) => `id of ${name}`)).toEqual({ actor: 'id of nina', verb: 'role:*', subject: undefined, since: undefined, until: undefined });
});

test('moments are read to the microsecond', () => {
  expect(micros('1970-01-01T00:00:01.5Z')).toBe(1_500_000n);
  expect(micros('2026-11-24T16:00:00Z')).toBe(BigInt(Date.UTC(2026, 10, 24, 16)) * 1000n);
  expect(micros('1970-01-01T00:00:00.000001Z')).toBe(1n);
});
