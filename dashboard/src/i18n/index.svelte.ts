// The texts in the person's language. English is always there; another dictionary comes when it is wanted.
import { settings, type Language } from '../app/settings.svelte';
import { en, type Dictionary } from './en';

const LOADERS: Record<Exclude<Language, 'en'>, () => Promise<Dictionary>> = {
  it: async () => (await import('./it')).it,
};

class Words {
  current = $state.raw<Dictionary>(en);
  private wanted: Language = 'en';

  async use(language: Language): Promise<void> {
    this.wanted = language;
    const dictionary = language === 'en' ? en : await LOADERS[language]();
    if (this.wanted === language) this.current = dictionary;
  }
}

export const words = new Words();

/** The texts: `t.boards.title`. Reading one in a component makes it follow the language. */
export const t: Dictionary = new Proxy({} as Dictionary, {
  get: (_, key) => words.current[key as keyof Dictionary],
});

/** The locale for numbers and times. */
export function locale(): string {
  return settings.language === 'it' ? 'it-IT' : 'en-GB';
}
