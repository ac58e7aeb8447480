// Colours for code: a small reader of Python and JavaScript that knows words, texts, numbers and remarks. It never changes the
// text, so whatever it does not understand is shown plainly. Pure.
export type TokenKind = 'plain' | 'word' | 'text' | 'number' | 'remark' | 'name';

export interface Token {
  kind: TokenKind;
  text: string;
}

export type CodeLanguage = 'python' | 'node' | 'json';

/** Longer sources are shown without colours. */
export const MAX_COLOURED = 64 * 1024;

const WORDS: Record<CodeLanguage, ReadonlySet<string>> = {
  python: new Set(
    ('False None True and as assert async await break class continue def del elif else except finally for from global if import in ' +
      'is lambda match nonlocal not or pass raise return try while with yield').split(' '),
  ),
  node: new Set(
    ('async await break case catch class const continue debugger default delete do else export extends false finally for function ' +
      'if import in instanceof let new null of return static super switch this throw true try typeof undefined var void while yield').split(' '),
  ),
  json: new Set(['true', 'false', 'null']),
};

const PYTHON =
  /(#[^\n]*)|((?:[rbfuRBFU]{0,2})(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))|(\b\d[\w.]*)|((?<=\b(?:def|class)\s+)[A-Za-z_]\w*)|([A-Za-z_]\w*)/g;
const SCRIPT =
  /(\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|("(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|`(?:\\.|[^`\\])*(?:`|$))|(\b\d[\w.]*)|((?<=\b(?:function|class)\s+)[A-Za-z_$][\w$]*)|([A-Za-z_$][\w$]*)/g;

/** The text in coloured pieces; together they are the text again. */
export function tokens(source: string, language: CodeLanguage): Token[] {
  if (source.length > MAX_COLOURED) return [{ kind: 'plain', text: source }];
  const found: Token[] = [];
  const words = WORDS[language];
  let at = 0;
  for (const match of source.matchAll(language === 'python' ? PYTHON : SCRIPT)) {
    if (match.index > at) found.push({ kind: 'plain', text: source.slice(at, match.index) });
    found.push({ kind: kindOf(match, words), text: match[0] });
    at = match.index + match[0].length;
  }
  if (at < source.length) found.push({ kind: 'plain', text: source.slice(at) });
  return found;
}

function kindOf(match: RegExpMatchArray, words: ReadonlySet<string>): TokenKind {
  if (match[1] !== undefined) return 'remark';
  if (match[2] !== undefined) return 'text';
  if (match[3] !== undefined) return 'number';
  if (match[4] !== undefined) return words.has(match[4]) ? 'word' : 'name';
  return words.has(match[5] ?? '') ? 'word' : 'plain';
}
