// Tokens of colour for what draws on a canvas, resolved for the scheme in force.
let probe: HTMLElement | undefined;

/** The colour that a token stands for now, as `rgb(...)`. */
export function colourOf(token: string): string {
  if (!probe) {
    probe = document.createElement('span');
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(${token})`;
  return getComputedStyle(probe).color;
}
