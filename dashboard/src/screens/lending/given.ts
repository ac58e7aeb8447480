// A contribution as a form holds it, and as the cloud wants it. Pure.
import type { Caps, Contribution, NewContribution } from '../../api/types';

export const MIB = 2 ** 20;

/** What a person types. */
export interface Given {
  hours: 'always' | 'some';
  spans: string;
  zone: string;
  memory: string;
  cpu: string;
  file: string;
  processes: string;
  /** Percent of one core. */
  share: string;
  offered: 'nobody' | 'some' | 'all';
  /** Names or ids of projects, apart by spaces. */
  projects: string;
  rights: string;
  maxHours: string;
}

export function givenOf(said: Contribution | undefined, zone: string): Given {
  const caps: Caps = said?.caps ?? {};
  const inMib = (bytes: number | null | undefined): string => (bytes ? String(bytes / MIB) : '');
  const text = (count: number | null | undefined): string => (count ? String(count) : '');
  const offer = said?.offer;
  return {
    hours: said?.hours ? 'some' : 'always', spans: said?.hours?.spans.join('\n') ?? 'mon-fri 08:00-18:00', zone: said?.hours?.zone ?? zone,
    memory: inMib(caps.memory_bytes), cpu: text(caps.cpu_s), file: inMib(caps.file_bytes), processes: text(caps.processes),
    share: text(caps.cpu_percent),
    offered: !offer ? 'nobody' : (offer.projects ?? []).length > 0 ? 'some' : 'all',
    projects: (offer?.projects ?? []).join(' '), rights: offer ? offer.rights.join(' ') : 'read', maxHours: String(offer?.max_hours ?? 24),
  };
}

/** Lines that say something. */
export function linesOf(text: string): string[] {
  return text.split('\n').map((line) => line.trim()).filter(Boolean);
}

export function sayingOf(given: Given): NewContribution {
  const number = (text: string, unit = 1): number | null => (text.trim() ? Math.round(Number(text) * unit) : null);
  const words = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);
  return {
    hours: given.hours === 'always' ? null : { zone: given.zone, spans: linesOf(given.spans) },
    caps: {
      memory_bytes: number(given.memory, MIB), cpu_s: number(given.cpu), file_bytes: number(given.file, MIB), processes: number(given.processes),
      cpu_percent: number(given.share),
    },
    offer: given.offered === 'nobody' ? null : {
      rights: words(given.rights), projects: given.offered === 'some' ? words(given.projects) : [], max_hours: Number(given.maxHours),
    },
  };
}

/** `read`, `write` or single names: whether a set of rights is one that has a word. */
export function isWord(rights: string): rights is 'read' | 'write' {
  return rights === 'read' || rights === 'write';
}
