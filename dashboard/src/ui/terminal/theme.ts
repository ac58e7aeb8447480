// The colours of a terminal, out of the page's tokens.
import type { ITheme } from '@xterm/xterm';
import { colourOf } from '../colour';

export function themeOf(): ITheme {
  return {
    background: colourOf('--surface'), foreground: colourOf('--ink'), cursor: colourOf('--accent'),
    cursorAccent: colourOf('--surface'), selectionBackground: colourOf('--accent-soft'), selectionForeground: colourOf('--ink'),
    red: colourOf('--bad'), green: colourOf('--good'), yellow: colourOf('--warn'), blue: colourOf('--code-name'),
    magenta: colourOf('--code-word'), cyan: colourOf('--accent'), black: colourOf('--ink-faint'), white: colourOf('--ink-soft'),
    brightBlack: colourOf('--ink-faint'), brightRed: colourOf('--bad'), brightGreen: colourOf('--good'),
    brightYellow: colourOf('--warn'), brightBlue: colourOf('--code-name'), brightMagenta: colourOf('--code-word'),
    brightCyan: colourOf('--accent-strong'), brightWhite: colourOf('--ink'),
  };
}
