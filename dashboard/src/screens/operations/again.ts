// The same once more: which request repeats an operation. Only what is known to be asked by these pages is offered.
import * as boardsApi from '../../api/boards';
import * as pluginsApi from '../../api/plugins';
import * as servicesApi from '../../api/services';
import type { Operation } from '../../api/types';

/** Runs of plugins: their parameters are not kept, so the person is asked for them. */
export function runAgain(item: Operation): pluginsApi.Run | undefined {
  const runs: Record<string, pluginsApi.Run> = { PluginCall: 'call', PluginStart: 'start', PluginReboot: 'restart' };
  return item.subject?.noun === 'plugin' ? runs[item.method] : undefined;
}

/** What gives the command anew; nothing when the operation does not tell enough. */
export function again(item: Operation, subject: string | undefined): (() => Promise<Operation>) | undefined {
  const board = item.board;
  switch (item.method) {
    case 'DeviceReboot':
      return () => boardsApi.reboot(board);
    case 'DeviceRestartLR':
      return () => boardsApi.restartAgent(board);
  }
  if (!subject) return undefined;
  switch (item.method) {
    case 'PluginInject':
      return () => pluginsApi.inject(board, subject, 'wait');
    case 'PluginRemove':
      return () => pluginsApi.eject(board, subject);
    case 'PluginStop':
      return () => pluginsApi.stop(board, subject);
    case 'ServiceEnable':
      return () => servicesApi.enable(board, subject);
    case 'ServiceDisable':
      return () => servicesApi.disable(board, subject);
    case 'ServiceRestore':
      return () => servicesApi.restore(board, subject);
    default:
      return undefined;
  }
}
