// Every request that the sources of the pages can send, read out of them: `METHOD /path/{}/…`. A segment that can be one of a few
// words stands once for each. Where a path is not given to `ask` and its like, it is one that a stream or a link reads.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { ACTS } from '../../../src/screens/boards/acts.ts';

const SOURCES = join(import.meta.dirname, '../../../src');
/** Functions that send what they are given, and where their options stand. */
const SENDERS = new Set(['ask', 'send', 'pages']);
/** The functions that make a path out of segments. */
const BASES = new Map([['path', '/v2'], ['below', '/identity/v3']]);
/** Who speaks to the cloud; screens do not. */
const SPEAKERS = ['api/', 'live/', 'ui/terminal/'].map((folder) => join(SOURCES, folder));
const ROUTE = /^\/(v1|v2|identity)\//;

export function calls(): string[] {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.endsWith('generated.ts'));
  const program = ts.createProgram(files.map((name) => join(SOURCES, name)), { strict: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, skipLibCheck: true, types: [] });
  const found = new Set<string>();
  for (const source of program.getSourceFiles()) {
    const speaks = SPEAKERS.some((folder) => source.fileName.startsWith(folder));
    if (speaks && !/(request|generated)\.ts$/.test(source.fileName)) read(source, program.getTypeChecker(), found);
  }
  return [...found].flatMap(acts).sort();
}

/** What every act of boards is asked by. One board's restart and reboot have routes of their own. */
function acts(call: string): string[] {
  if (!call.endsWith('/actions')) return [call];
  const ofFleet = call.includes('/fleets/');
  return ACTS.filter((act) => ofFleet || act.fields.length > 0 || act.final).map((act) => `${call} ${act.action}`);
}

function read(source: ts.SourceFile, types: ts.TypeChecker, found: Set<string>): void {
  const visit = (node: ts.Node): void => {
    for (const route of routesOf(node, types)) found.add(`${methodOf(node, types)} ${route}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
}

/** The routes that an expression stands for: a call of `path` or `below`, or a text that is one, by its name too. */
function routesOf(node: ts.Node, types: ts.TypeChecker): string[] {
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
    const base = BASES.get(node.expression.text);
    if (base !== undefined) return node.arguments.reduce<string[]>((all, one) => all.flatMap((before) => words(one, types).map((word) => `${before}/${word}`)), [base]);
  }
  if (ts.isBinaryExpression(node.parent ?? node)) return [];
  if (ts.isStringLiteral(node) && ROUTE.test(node.text)) return isPrivateName(node.parent) ? [] : [node.text];
  if (!ts.isIdentifier(node) || !ts.isCallExpression(node.parent) || node.parent.expression === node) return [];
  const type = types.getTypeAtLocation(node);
  return type.isStringLiteral() && ROUTE.test(type.value) ? [type.value] : [];
}

/** Of a constant that the file keeps to itself, the uses are followed. */
function isPrivateName(node: ts.Node): boolean {
  if (!ts.isVariableDeclaration(node)) return false;
  return (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Export) === 0;
}

/** What a segment can be: itself, one of a few words, or anything. */
function words(segment: ts.Expression, types: ts.TypeChecker): string[] {
  const type = types.getTypeAtLocation(segment);
  if (type.isStringLiteral()) return [type.value];
  if (type.isUnion() && type.types.every((one) => one.isStringLiteral())) return type.types.map((one) => (one as ts.StringLiteralType).value);
  return ['{}'];
}

/** Said by the options of the request in which the path stands; a path that stands alone is read. */
function methodOf(node: ts.Node, types: ts.TypeChecker): string {
  const call = node.parent;
  if (!ts.isCallExpression(call) || !ts.isIdentifier(call.expression) || !SENDERS.has(call.expression.text)) return 'GET';
  const options = call.arguments[1];
  const method = options && types.getTypeAtLocation(options).getProperty('method');
  if (!method?.valueDeclaration || !ts.isPropertyAssignment(method.valueDeclaration)) return 'GET';
  return ts.isStringLiteral(method.valueDeclaration.initializer) ? method.valueDeclaration.initializer.text : 'GET';
}

/** Those of the calls that nobody made. */
export function unmade(calls: readonly string[], asked: readonly string[]): string[] {
  return calls.filter((call) => {
    const [method = '', route = '', act = ''] = call.split(' ');
    const pattern = new RegExp(`^${method} ${route.replaceAll('{}', '[^/ ]+')}${act && ` ${act}`}$`);
    return !asked.some((one) => pattern.test(one));
  });
}
