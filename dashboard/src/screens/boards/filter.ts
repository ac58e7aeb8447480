// Which boards a person wants to see: what stands in the address, and what fits it. Pure.
import type { BoardStatus, Fleet, Summary } from '../../api/types';
import { fleetsOf, membership } from '../fleets/members';
import { readSelector } from './selector';

export const STATUSES: readonly BoardStatus[] = ['online', 'offline', 'registered', 'replacing'];

export interface Filter {
  text: string;
  statuses: BoardStatus[];
  selector: string;
  fleet: string;
}

/** The fleet word for boards that are in none. */
export const NO_FLEET = '-';

export function fromQuery(query: URLSearchParams): Filter {
  const wanted = (query.get('status') ?? '').split(',');
  return {
    text: query.get('text') ?? '',
    statuses: STATUSES.filter((status) => wanted.includes(status)),
    selector: query.get('selector') ?? '',
    fleet: query.get('fleet') ?? '',
  };
}

export function toQuery(filter: Filter): URLSearchParams {
  const query = new URLSearchParams();
  if (filter.text) query.set('text', filter.text);
  if (filter.statuses.length > 0) query.set('status', filter.statuses.join(','));
  if (filter.selector) query.set('selector', filter.selector);
  if (filter.fleet) query.set('fleet', filter.fleet);
  return query;
}

/** The boards that fit. A selector that cannot be read fits all: the screen says what is wrong with it. */
export function fitting(boards: readonly Summary[], filter: Filter, fleets: readonly Fleet[]): Summary[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const read = readSelector(filter.selector);
  const test = 'test' in read ? read.test : () => true;
  const isIn = inFleet(filter.fleet, fleets);
  return boards.filter((board) => {
    if (filter.statuses.length > 0 && !filter.statuses.includes(board.status)) return false;
    if (!isIn(board)) return false;
    if (!test(board.labels)) return false;
    return words.every((word) => contains(board, word));
  });
}

function inFleet(wanted: string, fleets: readonly Fleet[]): (board: Summary) => boolean {
  if (!wanted) return () => true;
  if (wanted === NO_FLEET) return (board) => !board.fleet && fleetsOf(fleets, board).length === 0;
  const fleet = fleets.find((one) => one.id === wanted);
  const how = fleet && membership(fleet);
  return (board) => (how ? how(board) !== undefined : board.fleet === wanted);
}

function contains(board: Summary, word: string): boolean {
  if (board.name.toLowerCase().includes(word) || board.id.startsWith(word)) return true;
  return Object.entries(board.labels).some(([key, value]) => `${key}=${value}`.toLowerCase().includes(word));
}
