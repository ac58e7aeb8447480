// What people have boards do: plugins, services, fleets, operations.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Answer } from './stage/cloud.ts';
import { journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

const ADDER = 'def main(params, api):\n    return {"sum": params.get("a", 1) + params.get("b", 2)}\n';
const COUNTER = `import time

def main(params, api):
    count = 0
    while True:
        count += 1
        print("count", count, flush=True)
        time.sleep(0.2)
`;

let stage: Stage;
let local: Server;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.board('harbour');
  local = createServer((_, answer) => answer.end('the harbour board'));
  await new Promise<void>((done) => local.listen(0, '127.0.0.1', done));
});
afterAll(async () => {
  local?.close();
  await stage?.close();
});

journey('a plugin is written, injected, called, and its result is shown', there, async ({ page, cloud }) => {
  await page.goto('/ui/plugins');
  await page.getByRole('link', { name: 'New plugin' }).first().click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('adder');
  await page.getByRole('textbox', { name: 'Source' }).fill(ADDER);
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByText('Plugin saved').waitFor();
  expect(await cloud.get('/v2/plugins/adder')).toMatchObject({ source: ADDER, language: 'python', mode: 'sync' });

  await page.goto('/ui/boards/harbour/plugins');
  await page.getByRole('button', { name: 'Inject a plugin' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Plugin').selectOption({ label: 'adder · Python' });
  await dialog.getByRole('button', { name: 'Inject a plugin' }).click();
  const row = page.getByRole('row', { name: /adder/ });
  await row.getByText('Injected').waitFor();
  await row.getByRole('button', { name: 'Call' }).click();
  await dialog.getByRole('button', { name: 'As JSON' }).click();
  await dialog.getByLabel('Parameters').last().fill('{"a": 20, "b": 22}');
  await dialog.getByRole('button', { name: 'Call' }).click();
  await dialog.getByText('"sum": 42').waitFor();
});

journey('lines of a plugin arrive by themselves, and it stops when told', there, async ({ page, cloud }) => {
  await cloud.post('/v2/plugins', { name: 'counter', language: 'python', mode: 'async', source: COUNTER });
  await cloud.command('PUT', '/v2/boards/harbour/plugins/counter', {});
  await page.goto('/ui/boards/harbour/plugins');
  const row = page.getByRole('row', { name: /counter/ });
  await row.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Start' }).click();
  await row.getByText('Running').waitFor();
  await row.getByRole('button', { name: 'Actions: counter' }).click();
  await page.getByRole('menuitem', { name: 'Log' }).click();
  const log = page.getByRole('log');
  await log.getByText(/^count \d+$/).first().waitFor();
  const last = async (): Promise<number> => Number((await log.innerText()).match(/count (\d+)/g)?.at(-1)?.slice(6) ?? 0);
  const before = await last();
  await until('three more lines have come', async () => (await last()) >= before + 3);
  await page.goBack();
  await row.getByRole('button', { name: 'Stop' }).click();
  await row.getByText('Stopped').waitFor();
});

journey('a plugin is changed, and deleted only when its name is typed', there, async ({ page, cloud, watch }) => {
  watch.allow(/^409 DELETE /);
  await cloud.post('/v2/plugins', { name: 'draft', language: 'node', mode: 'sync', source: 'exports.main = async () => 1;\n' });
  await page.goto('/ui/plugins/draft');
  await page.getByRole('textbox', { name: 'Source' }).fill('exports.main = async () => 2;\n');
  await page.keyboard.press('Control+s');
  await page.getByText('Plugin saved').waitFor();
  expect((await cloud.get('/v2/plugins/draft')).source).toContain('2');
  await page.goto('/ui/plugins');
  await page.getByRole('row', { name: /draft/ }).getByRole('button', { name: 'Actions: draft' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Type draft to confirm').fill('draft');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('Plugin draft deleted').waitFor();
  expect(await page.getByRole('row', { name: /draft/ }).count()).toBe(0);
});

journey('a service is made, opened on a board, reached from outside, and closed', there, async ({ page, cloud }) => {
  const { port } = local.address() as AddressInfo;
  await page.goto('/ui/services');
  await page.getByRole('button', { name: 'New service' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('web');
  await dialog.getByLabel('Port on the board').fill('1');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByText('Service saved').first().waitFor();
  await page.getByRole('row', { name: /web/ }).getByRole('button', { name: 'Actions: web' }).click();
  await page.getByRole('menuitem', { name: 'Edit' }).click();
  await dialog.getByLabel('Port on the board').fill(String(port));
  await dialog.getByRole('button', { name: 'Save' }).click();
  await until('the service has its port', async () => (await cloud.get('/v2/services/web')).port === port);

  await page.goto('/ui/boards/harbour/services');
  await page.getByRole('button', { name: 'Open a service' }).first().click();
  await dialog.getByLabel('Service').selectOption({ label: `web · ${port}` });
  await dialog.getByRole('button', { name: 'Open a service' }).click();
  const row = page.getByRole('row', { name: /web/ });
  await row.getByText('Enabled').last().waitFor();
  const url = (await row.getByRole('link', { name: 'Open in a new tab: web' }).getAttribute('href')) ?? '';
  expect(await (await fetch(url)).text()).toBe('the harbour board');
  await page.goto('/ui/services');
  await page.getByRole('button', { name: 'Actions: web' }).click();
  await page.getByRole('menuitem', { name: 'Open on these boards' }).click();
  await dialog.getByRole('link', { name: 'harbour' }).click();
  await row.getByRole('button', { name: 'Close' }).click();
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await row.waitFor({ state: 'detached' });
  await expect(fetch(url)).rejects.toThrow();

  await page.goto('/ui/services');
  await page.getByRole('row', { name: /web/ }).getByRole('button', { name: 'Actions: web' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await dialog.getByLabel('Type web to confirm').fill('web');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('Service web deleted').waitFor();
});

journey('a plugin is called, and taken off, on several boards at once; one is left out', there, async ({ page, cloud }) => {
  await stage.board('mole');
  await cloud.post('/v2/plugins', { name: 'greeter', language: 'python', mode: 'sync', source: 'def main(params, api):\n    return {"hello": params.get("to", "all")}\n' });
  for (const board of ['harbour', 'mole']) await cloud.command('PUT', `/v2/boards/${board}/plugins/greeter`, {});
  await page.goto('/ui/plugins/greeter');
  await page.getByRole('button', { name: 'On its boards' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('2 boards chosen').waitFor();
  await dialog.getByRole('button', { name: 'As JSON' }).click();
  await dialog.getByLabel('Parameters').last().fill('{"to": "the harbour"}');
  await dialog.getByRole('button', { name: 'Call' }).click();
  const row = (board: string) => page.getByRole('row', { name: new RegExp(`Call plugin greeter.*${board}.*Succeeded`) });
  for (const board of ['harbour', 'mole']) await row(board).waitFor();
  const { items } = await cloud.get('/v2/operations');
  const called = items.findLast((one: Answer) => one.method === 'PluginCall');
  expect((await cloud.get(`/v2/operations/${called.id}`)).result).toMatchObject({ hello: 'the harbour' });

  await page.goto('/ui/plugins/greeter');
  await page.getByRole('button', { name: 'On its boards' }).click();
  await dialog.getByLabel('What to do').selectOption({ label: 'Remove from the boards' });
  await dialog.getByText('its code is removed from it').waitFor();
  await dialog.getByRole('checkbox', { name: /harbour/ }).uncheck();
  await dialog.getByText('1 board chosen').waitFor();
  await dialog.getByRole('button', { name: 'Remove from the boards' }).click();
  await page.getByRole('row', { name: /Remove plugin greeter.*mole.*Succeeded/ }).waitFor();
  expect((await cloud.get('/v2/boards/harbour/plugins')).items.map((one: Answer) => one.name)).toContain('greeter');
});

journey('a service is opened, restored and closed on several boards at once', there, async ({ page, cloud }) => {
  await stage.board('jetty');
  const before = (await cloud.get('/v2/boards')).items.filter((one: Answer) => one.status === 'online').length;
  await cloud.post('/v2/services', { name: 'door', port: (local.address() as AddressInfo).port });
  const dialog = page.getByRole('dialog');
  const act = async (label: string): Promise<void> => {
    await page.goto('/ui/services');
    await page.getByRole('button', { name: 'Actions: door' }).click();
    await page.getByRole('menuitem', { name: 'On its boards' }).click();
    await dialog.getByLabel('What to do').selectOption({ label });
    if (label === 'Open') for (const board of ['harbour', 'jetty']) await dialog.getByRole('checkbox', { name: board }).check();
    await dialog.getByText('2 boards chosen').waitFor();
    await dialog.locator('footer').getByRole('button', { name: label }).click();
    await dialog.waitFor({ state: 'detached' });
    const done = { Open: 'Open service', Restore: 'Restore service', Close: 'Close service' }[label];
    for (const board of ['harbour', 'jetty']) await page.getByRole('row', { name: new RegExp(`${done} door.*${board}.*Succeeded`) }).waitFor();
  };
  for (const label of ['Open', 'Restore', 'Close']) await act(label);
  expect(before).toBeGreaterThan(1);
  expect((await cloud.get('/v2/boards/jetty/services')).items).toEqual([]);
});

journey('a fleet is made, filled, emptied with a way back, and deleted', there, async ({ page, cloud }) => {
  await page.goto('/ui/fleets');
  await page.getByRole('button', { name: 'New fleet' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('coast');
  await dialog.getByLabel('Description').fill('all along the shore');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('link', { name: 'coast' }).click();
  await page.getByRole('button', { name: 'Add boards' }).first().click();
  await dialog.getByLabel('Board', { exact: true }).fill('harbour');
  await dialog.getByRole('button', { name: 'Add boards' }).click();
  const row = page.getByRole('row', { name: /harbour/ });
  await row.waitFor();
  const { id } = await cloud.get('/v2/fleets/coast');
  expect((await cloud.get('/v2/boards/harbour')).fleet).toBe(id);
  await row.getByRole('button', { name: 'Take out: harbour' }).click();
  await row.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Undo' }).click();
  await row.waitFor();
  await row.getByRole('button', { name: 'Take out: harbour' }).click();
  await row.waitFor({ state: 'detached' });
  await page.goto('/ui/fleets');
  await page.getByRole('button', { name: 'Actions: coast' }).click();
  await page.getByRole('menuitem', { name: 'Edit' }).click();
  await dialog.getByLabel('Description').fill('all along the southern shore');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('all along the southern shore').waitFor();
  expect((await cloud.get('/v2/fleets/coast')).description).toBe('all along the southern shore');
  await page.getByRole('button', { name: 'Actions: coast' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await dialog.getByLabel('Type coast to confirm').fill('coast');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('Fleet coast deleted').waitFor();
});

journey('a fleet with a rule shows who would be in it, and follows the labels as they change', there, async ({ page, cloud }) => {
  await cloud.ask('PATCH', '/v2/boards/harbour', { labels: { kind: 'lamp' } });
  await page.goto('/ui/fleets');
  await page.getByRole('button', { name: 'New fleet' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('lights');
  await dialog.getByLabel('Rule').fill('kind=');
  await dialog.getByRole('button', { name: 'Create' }).and(page.locator(':disabled')).waitFor();
  await dialog.getByLabel('Rule').fill('kind=lamp,!broken');
  await dialog.getByText('1 board fits now: harbour').waitFor();
  await cloud.ask('PATCH', '/v2/boards/harbour', { labels: { kind: 'lamp', broken: 'yes' } });
  await dialog.getByText('0 boards fit now').waitFor();
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('link', { name: 'lights' }).click();
  await page.getByText('No boards in this fleet').waitFor();
  await cloud.ask('PATCH', '/v2/boards/harbour', { labels: { kind: 'lamp' } });
  const row = page.getByRole('row', { name: /harbour.*by rule/ });
  await row.waitFor();
  const { items } = await cloud.get('/v2/fleets/lights/boards');
  expect(items.map((one: Answer) => one.name)).toEqual(['harbour']);
  await page.goto('/ui/boards/harbour');
  await page.getByRole('link', { name: 'lights' }).waitFor();
  await page.goto('/ui/fleets/lights');
  await row.waitFor();
  await page.getByRole('button', { name: 'Edit' }).click();
  await dialog.getByLabel('Rule').fill('');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await row.waitFor({ state: 'detached' });
  expect((await cloud.get('/v2/fleets/lights')).rule).toBeNull();
  await cloud.ask('DELETE', '/v2/fleets/lights');
});

journey('a fleet is asked as one, and what its boards refuse is said', there, async ({ page, cloud }) => {
  await cloud.post('/v2/fleets', { name: 'dock' });
  await cloud.ask('PATCH', '/v2/boards/harbour', { fleet: 'dock' });
  await page.goto('/ui/fleets/dock');
  await page.getByRole('button', { name: 'Maintain' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What to do').selectOption({ label: 'Root file system' });
  await dialog.getByLabel('Do', { exact: true }).selectOption('mount_rw');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  const row = page.getByRole('row', { name: /harbour.*Failed/ });
  await row.waitFor();
  const { items } = await cloud.get('/v2/operations');
  const asked = items.find((one: Answer) => one.method === 'DeviceMountFs');
  expect(asked).toMatchObject({ state: 'failed' });
  await page.goto(`/ui/operations/${asked.id}`);
  await page.getByText(asked.fault.message).first().waitFor();
});

journey('an operation waits for a board that is away, is withdrawn, done again, and succeeds', there, async ({ page, cloud }) => {
  const away = await stage.board('away');
  await away.stop();
  await away.has('offline');
  await page.goto('/ui/boards/away');
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Restart agent' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restart agent' }).click();
  await page.getByRole('link', { name: 'Show the operation' }).click();
  await page.getByText('Waiting').first().waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('Cancelled').first().waitFor();
  const first = page.url();
  await page.getByRole('button', { name: 'Do it again' }).click();
  await until('the new operation is shown', () => page.url() !== first);
  await page.getByText('Waiting').first().waitFor();
  away.start();
  await page.getByText('Succeeded').first().waitFor();
  await page.getByRole('link', { name: 'Operations' }).first().click();
  await page.getByRole('row', { name: /Restart agent.*away.*Succeeded/ }).waitFor();
  const { items } = await cloud.get('/v2/operations');
  const states = items.filter((one: Answer) => one.method === 'DeviceRestartLR').map((one: Answer) => one.state);
  expect(states.sort()).toEqual(['cancelled', 'succeeded']);
});

journey('what plugins answer and log stays text, whatever it looks like', there, async ({ page, cloud }) => {
  const evil = `<img src=x onerror="document.title='broken'"><script>document.title='broken'</script>\u202Eevil\u0007 {{7*7}}`;
  const source = `def main(params, api):\n    print(params["evil"], flush=True)\n    raise ValueError(params["evil"])\n`;
  const echo = 'def main(params, api):\n    return {params["evil"]: params["evil"]}\n';
  await cloud.post('/v2/plugins', { name: 'evil', language: 'python', mode: 'sync', source: `# ${evil}\n${source}`, parameters: { evil } });
  await cloud.post('/v2/plugins', { name: 'echo', language: 'python', mode: 'sync', source: echo, parameters: { evil } });
  await cloud.post('/v2/fleets', { name: 'a'.repeat(64), description: evil });
  await cloud.command('PUT', '/v2/boards/harbour/plugins/evil', {});
  await cloud.command('PUT', '/v2/boards/harbour/plugins/echo', {});
  await page.goto('/ui/boards/harbour/plugins');
  const dialog = page.getByRole('dialog');
  for (const name of ['evil', 'echo']) {
    await page.getByRole('row', { name: new RegExp(name) }).getByRole('button', { name: 'Call' }).click();
    await dialog.getByRole('button', { name: 'Call' }).click();
    await dialog.getByRole('status').getByText('<img src=x').first().waitFor();
    await page.keyboard.press('Escape');
  }
  const { id } = await cloud.get('/v2/plugins/evil');
  await page.goto(`/ui/boards/harbour/logs?plugin=${id}`);
  await page.getByRole('log').getByText('<img src=x').first().waitFor();
  for (const path of ['/ui/plugins/evil', '/ui/fleets', `/ui/fleets/${'a'.repeat(64)}`, '/ui/operations']) {
    await page.goto(path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.getByText('evil').or(page.getByRole('textbox', { name: 'Source' })).or(page.getByText('Call plugin')).first().waitFor();
    expect(await page.title()).not.toBe('broken');
    expect(await page.locator('main img').count()).toBe(0);
  }
});
