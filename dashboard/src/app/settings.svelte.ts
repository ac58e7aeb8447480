// What a person chose for these pages, kept in this browser: theme, language, saved views. Never anything secret.
export type Theme = 'system' | 'light' | 'dark';
export type Language = 'en' | 'it';

/** A filter of the boards that a person wants back. */
export interface SavedView {
  name: string;
  query: string;
}

interface Kept {
  theme: Theme;
  language: Language;
  views: SavedView[];
}

const KEY = 's4t.settings';
/** Most saved views. */
const MAX_VIEWS = 30;

class Settings {
  theme = $state<Theme>('system');
  language = $state<Language>('en');
  views = $state<SavedView[]>([]);

  constructor() {
    const kept = read();
    this.theme = kept.theme ?? 'system';
    this.language = kept.language ?? (navigator.language?.startsWith('it') ? 'it' : 'en');
    this.views = kept.views ?? [];
    this.show();
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    this.keep();
  }

  setLanguage(language: Language): void {
    this.language = language;
    this.keep();
  }

  saveView(view: SavedView): void {
    this.views = [...this.views.filter((other) => other.name !== view.name), view].slice(-MAX_VIEWS);
    this.keep();
  }

  dropView(name: string): void {
    this.views = this.views.filter((view) => view.name !== name);
    this.keep();
  }

  private keep(): void {
    const { theme, language, views } = this;
    try {
      localStorage.setItem(KEY, JSON.stringify({ theme, language, views }));
    } catch {
      // A browser that keeps nothing still shows the choice until the page goes.
    }
    this.show();
  }

  private show(): void {
    const root = document.documentElement;
    if (this.theme === 'system') delete root.dataset['theme'];
    else root.dataset['theme'] = this.theme;
    root.lang = this.language;
  }
}

function read(): Partial<Kept> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof kept === 'object' && kept !== null ? (kept as Partial<Kept>) : {};
  } catch {
    return {};
  }
}

export const settings = new Settings();
