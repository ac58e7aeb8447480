// Users, projects, roles and application credentials, where the cloud looks after them itself.
import { afterAll, beforeAll, expect } from 'vitest';
import { begin, journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';
import type { Answer } from './stage/cloud.ts';

let stage: Stage;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.cloud.person('otto', 'by-the-river-2', 'river', 'manager_iot_project');
});
afterAll(() => stage?.close());

journey('an operator makes a project and a user, gives a role, takes it back and undoes that; the user works and is let go', there, async ({ page, cloud }) => {
  await page.goto('/ui/people/projects');
  await page.getByRole('button', { name: 'New project' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('quay');
  await dialog.getByLabel('Description').fill('what floats');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('row', { name: /quay.*what floats.*nobody/ }).waitFor();

  await page.getByRole('link', { name: 'Users' }).click();
  await page.getByRole('button', { name: 'New user' }).click();
  await dialog.getByLabel('Name').fill('mara');
  await dialog.getByLabel('E-mail').fill('mara@example.org');
  await dialog.getByLabel('Password').fill('by-the-quay-1');
  await dialog.getByRole('button', { name: 'Create' }).click();
  const mara = page.getByRole('row', { name: /^mara/ });
  await mara.getByText('no role anywhere').waitFor();
  await mara.getByRole('button', { name: 'Roles: mara' }).click();
  await dialog.getByText('this user can sign in to nothing yet').waitFor();
  await dialog.getByLabel('Role').selectOption('manager_iot_project');
  await dialog.getByLabel('Project').selectOption({ label: 'quay' });
  await dialog.getByRole('button', { name: 'Give the role' }).click();
  await dialog.getByRole('button', { name: 'Take manager_iot_project in quay' }).click();
  await dialog.getByText('this user can sign in to nothing yet').waitFor();
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await page.getByRole('button', { name: 'Undo' }).click();
  await mara.getByText('manager_iot_project in quay').waitFor();

  const theirs = await begin(stage, { as: { user: 'mara', password: 'by-the-quay-1', project: 'quay' } });
  await theirs.page.goto('/ui/');
  await theirs.page.getByText('Your first board').waitFor();

  // Disabled, and gone: what is done to the user is seen on the open page of the user.
  theirs.watch.allow(/^401 /);
  await mara.getByRole('button', { name: 'Actions: mara' }).click();
  await page.getByRole('menuitem', { name: 'Disable' }).click();
  await mara.getByText('disabled').waitFor();
  await theirs.page.getByRole('button', { name: 'Sign in' }).waitFor();
  await mara.getByRole('button', { name: 'Actions: mara' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await dialog.getByText('What it made stays with its projects').waitFor();
  expect(await dialog.getByRole('button', { name: 'Delete' }).isDisabled()).toBe(true);
  await dialog.getByLabel('Type mara to confirm').fill('mara');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await mara.waitFor({ state: 'detached' });
  const { users } = await cloud.get('/identity/v3/users');
  expect(users.map((one: Answer) => one.name)).not.toContain('mara');
  await theirs.context.close();
});

journey('a project is changed, opened to upstream boards, disabled and deleted; not the one that one is in', there, async ({ page, cloud }) => {
  const project = async (): Promise<Answer> => (await cloud.get('/identity/v3/projects')).projects.find((one: Answer) => one.name === 'jetty');
  await cloud.post('/identity/v3/projects', { project: { name: 'wharf' } });
  await page.goto('/ui/people/projects');
  const dialog = page.getByRole('dialog');
  const act = async (name: string, word: string): Promise<void> => {
    await page.getByRole('button', { name: `Actions: ${name}` }).click();
    await page.getByRole('menuitem', { name: word }).click();
  };
  await act('wharf', 'Edit');
  await dialog.getByLabel('Name').fill('jetty');
  await dialog.getByLabel('Description').fill('where boats lie');
  await dialog.getByLabel(/^Its boards may be upstream ones/).check();
  await dialog.getByRole('button', { name: 'Save' }).click();
  const row = page.getByRole('row', { name: /jetty.*where boats lie/ });
  await row.getByText('Allowed').waitFor();
  expect(await project()).toMatchObject({ description: 'where boats lie', allow_legacy: true, enabled: true });
  await act('jetty', 'Disable');
  await row.getByText('disabled').waitFor();
  expect(await project()).toMatchObject({ enabled: false, allow_legacy: true });
  await act('jetty', 'Delete');
  await dialog.getByLabel('Type jetty to confirm').fill('jetty');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
  expect(await project()).toBeUndefined();
  await page.getByRole('button', { name: 'Actions: admin' }).click();
  expect(await page.getByRole('menuitem', { name: 'Delete' }).isDisabled()).toBe(true);
});

journey('a role of its own is made, shown with who has it, and deleted; the four that mean something stay', there, async ({ page }) => {
  await page.goto('/ui/people/roles');
  await page.getByRole('row', { name: /^admin .*Operates the cloud/ }).waitFor();
  await page.getByRole('button', { name: 'New role' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('auditor');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('button', { name: 'Delete: auditor' }).click();
  await dialog.getByLabel('Type auditor to confirm').fill('auditor');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('row', { name: /auditor/ }).waitFor({ state: 'detached' });
  expect(await page.getByRole('button', { name: /^Delete: / }).count()).toBe(0);
});

journey('what the cloud refuses about people says why, with the request', there, async ({ page, watch }) => {
  watch.allow(/^409 POST \/identity\/v3\/users$/);
  await page.goto('/ui/people');
  await page.getByRole('button', { name: 'New user' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('otto');
  await dialog.getByRole('button', { name: 'Create' }).click();
  const alert = dialog.getByRole('alert');
  await alert.getByText('That does not fit how things stand').waitFor();
  await alert.getByText(/already/).waitFor();
  await alert.getByText('Request').waitFor();
});

journey('a person makes a credential for a program, which works within its rules until it is deleted', there, async ({ page, cloud }) => {
  await page.goto('/ui/account');
  await page.getByText('No application credentials').waitFor();
  await page.getByRole('button', { name: 'New credential' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('nightly');
  await dialog.getByLabel('Requests it may send').fill('get /v2/boards');
  await dialog.getByText('“get /v2/boards” is not METHOD /path').waitFor();
  await dialog.getByLabel('Requests it may send').fill('GET /v2/boards');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByText('The secret is shown only now').waitFor();
  const [id = '', secret = ''] = await dialog.locator('code').allTextContents();
  const program = await cloud.signInAs(id, secret);
  expect((await cloud.fetchAs(program, '/v2/boards')).status).toBe(200);
  expect((await cloud.fetchAs(program, '/v2/fleets')).status).toBe(403);
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await page.getByRole('row', { name: /nightly.*river.*1 rule.*never/ }).waitFor();
  await page.getByRole('button', { name: 'Delete the credential: nightly' }).click();
  await dialog.getByLabel('Type nightly to confirm').fill('nightly');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('No application credentials').waitFor();
  expect((await cloud.fetchAs(program, '/v2/boards')).status).toBe(401);
}, { as: { user: 'otto', password: 'by-the-river-2', project: 'river' } });

journey('how much a project may have is said, seen as it fills, and refuses what is too much', there, async ({ page, cloud, watch }) => {
  watch.allow(/^409 POST \/v2\/services$/);
  await page.goto('/ui/people/projects');
  await page.getByRole('button', { name: 'Actions: admin' }).click();
  await page.getByRole('menuitem', { name: 'Quota' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Services').last().fill('1');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('The quota of admin was changed').waitFor();
  await page.goto('/ui/account');
  await page.getByText('0 of 1', { exact: true }).waitFor();
  await cloud.post('/v2/services', { name: 'web', port: 80 });
  await page.getByText('1 of 1 · no more').waitFor();
  await page.goto('/ui/services');
  await page.getByRole('button', { name: 'New service' }).first().click();
  await dialog.getByLabel('Name').fill('ssh');
  await dialog.getByLabel('Port on the board').fill('22');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByRole('alert').getByText(/services/).first().waitFor();
});

journey('a person changes the own password, and works on', there, async ({ page, watch, cloud }) => {
  watch.allow(/^401 /);
  await cloud.person('lena', 'by-the-river-3', 'river', 'user_iot');
  await page.goto('/ui/');
  await page.getByLabel('User').fill('lena');
  await page.getByLabel('Password').fill('by-the-river-3');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Your first board').waitFor();
  await page.goto('/ui/account');
  await page.getByLabel('Present password').fill('wrong');
  await page.getByLabel('New password').first().fill('by-the-river-4');
  await page.getByLabel('New password again').fill('by-the-river');
  await page.getByText('The two are not the same').waitFor();
  await page.getByLabel('New password again').fill('by-the-river-4');
  await page.getByLabel('Present password').fill('by-the-river-3');
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByText('The password was changed').waitFor();
  await page.goto('/ui/boards');
  await page.getByText('No boards yet').waitFor();
}, { as: 'nobody' });
