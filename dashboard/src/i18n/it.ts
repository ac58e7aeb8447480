// Every text of the pages in Italian.
import { en, type Dictionary } from './en';
export const it: Dictionary = en;
