// A terminal of a board that was recorded, for stages on which its recording is looked at.
import { begin } from './journey.ts';
import type { Stage } from './stage.ts';
import { until } from './wait.ts';

/** Opens one, has its shell say these lines and ends it; gives the recording's id. */
export async function record(stage: Stage, board: string, lines: string[]): Promise<string> {
  const { cloud } = stage;
  await cloud.ask('PUT', '/v2/recording-settings', { board, record: 'on' });
  const { page, context } = await begin(stage);
  await page.goto(`/ui/boards/${board}/terminal`);
  await page.getByRole('button', { name: 'New terminal' }).click();
  await page.getByText('What it shows is recorded').waitFor();
  for (const line of lines) await page.keyboard.type(`${line}\n`);
  await page.keyboard.type('exit\n');
  await page.getByText('The shell ended').waitFor();
  await context.close();
  return until('the recording has ended', async () => {
    const { items } = await cloud.get(`/v2/recordings?board=${board}`);
    return items.at(-1)?.ended_at && items.at(-1).id;
  });
}
