// Who did what: rows by who, what, about and when, as they come; the proof of one, checked in the page; the whole log to take along.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect } from 'vitest';
import { journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';

let stage: Stage;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open({ 'audit.head_s': '1' });
  await stage.cloud.person('nina', 'by-the-river-1', 'river', 'user_iot');
  await stage.cloud.person('otto', 'by-the-river-2', 'river', 'admin_iot_project');
});
afterAll(() => stage?.close());

journey('rows come as things happen, and are found by who, what and about', there, async ({ page, cloud }) => {
  await page.goto('/ui/audit');
  await page.getByRole('row', { name: /role:assign/ }).first().waitFor();
  await cloud.post('/v2/claims', { name: 'harbour' });
  await page.getByRole('row', { name: /admin.*claim:create/ }).waitFor();
  await page.getByLabel('What').selectOption({ label: 'Users' });
  await page.getByRole('row', { name: /user:create.*nina/ }).waitFor();
  expect(await page.getByRole('row', { name: /role:assign/ }).count()).toBe(0);
  await page.getByLabel('About').fill('otto');
  await page.getByRole('row', { name: /nina/ }).waitFor({ state: 'detached' });
  await page.getByRole('row', { name: /user:create.*otto/ }).waitFor();
  expect(new URL(page.url()).search).toBe('?what=user&about=otto');
  await page.reload();
  await page.getByRole('row', { name: /user:create.*otto/ }).waitFor();
  await page.getByLabel('Before').fill('2001-01-01T00:00');
  await page.getByText('No row fits').waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).first().click();
  await page.getByRole('row', { name: /claim:create/ }).first().waitFor();
});

journey('a row is proved against the signed head in the page itself, and the proof is taken along', there, async ({ page }) => {
  await page.goto('/ui/audit?what=user');
  await page.getByRole('region', { name: 'Signed heads' }).getByText(/\d+ rows/).first().waitFor();
  await page.getByRole('row', { name: /user:create.*nina/ }).getByRole('button').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('nina').first().waitFor();
  await dialog.getByRole('button', { name: 'Check it' }).click();
  for (const text of ['The row says what was hashed', 'The signed head has this row in it', 'The cloud signed the head']) {
    await dialog.locator('li.good').getByText(text).waitFor();
  }
  const [kept] = await Promise.all([page.waitForEvent('download'), dialog.getByRole('button', { name: 'Download the proof' }).click()]);
  const proof = JSON.parse(readFileSync(await kept.path(), 'utf8'));
  expect(proof.proof.seq).toBe(proof.row.seq);
  expect(proof.head.size).toBe(proof.proof.size);
});

journey('a row that somebody changed on its way is seen to be false', there, async ({ page, context }) => {
  await context.route(/\/v2\/audit\?/, async (route) => {
    const answer = await route.fetch();
    const list = await answer.json();
    await route.fulfill({ response: answer, json: { ...list, items: list.items.map((row: { verb: string }) => ({ ...row, verb: row.verb.replace('user:create', 'user:delete') })) } });
  });
  await page.goto('/ui/audit?what=user');
  await page.getByRole('row', { name: /user:delete.*nina/ }).getByRole('button').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Check it' }).click();
  await dialog.locator('li.bad').getByText('The row says what was hashed').waitFor();
  await dialog.locator('li.bad').getByText('The signed head has this row in it').waitFor();
});

journey('who operates the cloud takes the whole log along; s4t finds it whole', there, async ({ page, cloud }) => {
  await page.goto('/ui/audit');
  await page.getByRole('row', { name: /role:assign/ }).first().waitFor();
  const [kept] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download all' }).click()]);
  // A log that was changed ends the command with an error.
  expect(cloud.verifyAudit(await kept.path())).toContain('heads');
});

journey('looks are counted by who and what, and found by who looked', there, async ({ page, cloud }) => {
  await cloud.get('/v2/boards');
  const otto = await cloud.signIn('otto', 'by-the-river-2', 'river');
  for (let times = 0; times < 3; times += 1) await cloud.askAs(otto, 'GET', '/v2/fleets');
  // Counts are written down once a minute, and at the end.
  await cloud.down();
  await cloud.up();
  await page.goto('/ui/audit');
  await page.getByRole('link', { name: 'Who looked' }).click();
  await page.getByRole('row', { name: /otto.*fleet:get.*3/ }).waitFor();
  await page.getByRole('row', { name: /admin.*board:get/ }).first().waitFor();
  await page.getByLabel('Who').fill('otto');
  await page.getByRole('row', { name: /admin.*board:get/ }).first().waitFor({ state: 'detached' });
  await page.getByRole('row', { name: /otto.*fleet:get.*3/ }).waitFor();
  await page.getByRole('button', { name: 'Read again' }).click();
  await page.getByLabel('Who').fill('nobody-here');
  await page.getByText('No row fits').waitFor();
});

journey('an administrator of a project sees the rows of that project and no export; who only looks sees none', there, async ({ page, context, cloud }) => {
  await page.goto('/ui/audit');
  await page.getByRole('row', { name: /role:assign/ }).first().waitFor();
  expect(await page.getByRole('row', { name: /user:create/ }).count()).toBe(0);
  expect(await page.getByRole('link', { name: 'Download all' }).count()).toBe(0);
  await context.clearCookies();
  await context.request.post('/v2/session', { data: { user: 'nina', password: 'by-the-river-1', project: 'river' } });
  await page.goto('/ui/audit');
  await page.getByText('Only administrators of the project see who did what').waitFor();
  expect(await cloud.get('/v2/audit')).toBeTruthy();
}, { as: { user: 'otto', password: 'by-the-river-2', project: 'river' } });

journey('what is personal of one user is erased when the name is typed, and the log stays whole', there, async ({ page, cloud, watch }) => {
  watch.allow(/^40[04] POST \/v2\/audit\/erase$/);
  const personal = async (): Promise<string> => JSON.stringify((await cloud.get('/v2/audit?verb=user:*')).items);
  expect(await personal()).toContain('"otto"');
  await page.goto('/ui/audit');
  await page.getByRole('button', { name: 'Erase personal values' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('The chain stays valid').waitFor();
  await dialog.getByLabel('All of one user').fill('otto');
  expect(await dialog.getByRole('button', { name: 'Erase' }).isDisabled()).toBe(true);
  await dialog.getByLabel('Type otto to confirm').fill('otto');
  await dialog.getByRole('button', { name: 'Erase' }).click();
  await page.getByText(/\d+ values? erased/).waitFor();
  await page.getByRole('row', { name: /audit:erase/ }).waitFor();
  expect(await personal()).not.toContain('"otto"');
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download all' }).click()]);
  expect(cloud.verifyAudit(await file.path())).toMatch(/rows/);
});
