// What can be asked of boards beyond plugins and services, and what each act needs to know. Pure.
import type { Json } from '../../api/types';

export interface ActField {
  name: string;
  kind: 'text' | 'choice' | 'switch' | 'json';
  choices?: readonly string[];
  needed?: boolean;
}

export interface BoardAct {
  action: ActName;
  fields: readonly ActField[];
  /** Cannot be taken back: the name must be typed. */
  final?: boolean;
}

export type ActName =
  | 'DeviceRestartLR' | 'DeviceReboot' | 'DeviceUpgradeLR' | 'DevicePkgOperation' | 'DeviceMountFs' | 'DeviceRestSubmit'
  | 'DeviceFactoryReset';

export const ACTS: readonly BoardAct[] = [
  { action: 'DeviceRestartLR', fields: [] },
  { action: 'DeviceReboot', fields: [] },
  { action: 'DeviceUpgradeLR', fields: [{ name: 'version', kind: 'text' }, { name: 'update_conf', kind: 'switch' }] },
  {
    action: 'DevicePkgOperation',
    fields: [
      { name: 'manager', kind: 'choice', choices: ['apt', 'apt-get', 'pip', 'pip3', 'npm'] },
      { name: 'command', kind: 'choice', choices: ['install', 'update', 'upgrade', 'remove', 'uninstall'] },
      { name: 'package', kind: 'text' },
      { name: 'version', kind: 'text' },
      { name: 'options', kind: 'text' },
    ],
  },
  { action: 'DeviceMountFs', fields: [{ name: 'mnt_cmd', kind: 'choice', choices: ['mount_status', 'mount_rw', 'mount_ro'] }] },
  { action: 'DeviceRestSubmit', fields: [{ name: 'request', kind: 'json', needed: true }] },
  { action: 'DeviceFactoryReset', fields: [], final: true },
];

/** The parameters as typed; the JSON of a request stands for itself. */
export function parametersOf(act: BoardAct, typed: Record<string, string>, json: Json): Json {
  const made: { [key: string]: Json } = {};
  for (const field of act.fields) {
    if (field.kind === 'json') return json;
    const text = typed[field.name] ?? field.choices?.[0] ?? '';
    if (field.kind === 'switch') made[field.name] = text === 'yes';
    else if (text !== '') made[field.name] = text;
  }
  return made;
}
