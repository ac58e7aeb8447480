// The terminal library writes its rules into <style> elements, which our content security policy does not apply. While it
// opens, it gets stand-ins whose text goes to a constructed style sheet instead: the same rules, no hole in the policy.

/** Runs `open`; style elements made meanwhile are stand-ins. */
export function withSheets(open: () => void): void {
  const original = document.createElement;
  const make = function (this: Document, name: string, options?: ElementCreationOptions): HTMLElement {
    return name.toLowerCase() === 'style' ? standIn(original) : original.call(document, name, options);
  };
  document.createElement = make as typeof document.createElement;
  try {
    open();
  } finally {
    // The method lives on the prototype; taking ours away uncovers it.
    delete (document as { createElement?: unknown }).createElement;
  }
}

function standIn(make: typeof document.createElement): HTMLElement {
  const element = make.call(document, 'template');
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  Object.defineProperty(element, 'textContent', {
    set: (text: string) => sheet.replaceSync(text),
    get: () => '',
  });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}

/** Colours of single letters (selected ones, 24 bits) are written by the library into style attributes, which the policy forbids,
    and not into style objects, which it allows. It makes spans alone. */
export function styleBySheets(): void {
  if (Object.hasOwn(HTMLSpanElement.prototype, 'setAttribute')) return;
  const plain = Element.prototype.setAttribute;
  HTMLSpanElement.prototype.setAttribute = function (name: string, value: string): void {
    if (name === 'style') this.style.cssText = value;
    else plain.call(this, name, value);
  };
}
