// What the operator set for the pages, read once.
import { uiSettings } from '../api/session';
import type { UiSettings } from '../api/types';

class Ui {
  current = $state.raw<UiSettings | undefined>(undefined);
  private read = false;

  ensure(): this {
    if (!this.read) {
      this.read = true;
      uiSettings().then((settings) => (this.current = settings), () => (this.read = false));
    }
    return this;
  }
}

export const ui = new Ui();
