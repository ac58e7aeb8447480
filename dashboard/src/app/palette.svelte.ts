// Whether the command palette is open. Its content comes when it is first opened.
class PaletteState {
  open = $state(false);

  show(): void {
    this.open = true;
  }

  hide(): void {
    this.open = false;
  }

  /** Ctrl-K (or Cmd-K) anywhere but in a terminal, which gets its own keys. */
  key(event: KeyboardEvent): void {
    if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    if ((event.target as Element | null)?.closest?.('.xterm')) return;
    event.preventDefault();
    this.open = !this.open;
  }
}

export const palette = new PaletteState();
