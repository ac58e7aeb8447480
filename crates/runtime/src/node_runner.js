// Runs one plugin in this Node.js process.
//
// File 3 is the channel to the agent: one framed JSON request comes in, framed answers go out.
// Whatever the plugin prints is its log.
'use strict';

const fs = require('fs');
const Module = require('module');
const path = require('path');

const CHANNEL = 3;
const TRACEBACK_LINES = 12;
const TEXT_LIMIT = 2000;

let answered = false;

function send(answer) {
  const body = Buffer.from(JSON.stringify(answer));
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  let rest = Buffer.concat([header, body]);
  while (rest.length > 0) rest = rest.subarray(fs.writeSync(CHANNEL, rest));
}

function readExactly(count) {
  const buffer = Buffer.alloc(count);
  for (let have = 0; have < count; ) {
    const read = fs.readSync(CHANNEL, buffer, have, count - have, null);
    if (read === 0) throw new Error('the agent closed the channel');
    have += read;
  }
  return buffer;
}

function receive() {
  return JSON.parse(readExactly(readExactly(4).readUInt32BE(0)).toString('utf8'));
}

// Ends the process in order; a result was given or there is none to give.
function finish(answer, code) {
  if (answered) return;
  answered = true;
  send(answer);
  process.exit(code);
}

// JSON.stringify drops what it cannot write; a plugin should hear of it instead.
function checkJson(value, seen) {
  const kind = typeof value;
  if (value === null || kind === 'string' || kind === 'boolean') return;
  if (kind === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${value} is not a JSON number`);
    return;
  }
  if (kind !== 'object') throw new TypeError(`a ${kind} cannot be written as JSON`);
  if (typeof value.toJSON === 'function') return checkJson(value.toJSON(), seen);
  if (value instanceof Map || value instanceof Set || value instanceof Promise) {
    throw new TypeError(`a ${value.constructor.name} cannot be written as JSON`);
  }
  if (seen.has(value)) throw new TypeError('the value contains itself');
  seen.add(value);
  for (const key of Object.keys(value)) {
    // As everywhere in JavaScript, a member that is undefined counts as absent.
    if (value[key] !== undefined || Array.isArray(value)) checkJson(value[key], seen);
  }
  seen.delete(value);
}

function deliver(value) {
  const result = value === undefined ? null : value;
  try {
    checkJson(result, new Set());
  } catch (error) {
    return finish({ not_json: String(error.message).slice(0, TEXT_LIMIT) }, 0);
  }
  finish({ ok: result }, 0);
}

function describe(error) {
  const isError = error instanceof Error;
  const stack = isError && typeof error.stack === 'string' ? error.stack : String(error);
  const lines = stack.split('\n').filter((line) => !line.includes(__filename));
  console.error(lines.join('\n'));
  return {
    raised: {
      kind: isError ? error.name : typeof error,
      message: String(isError ? error.message : error).slice(0, TEXT_LIMIT),
      traceback: lines.slice(0, TRACEBACK_LINES).map((line) => line.slice(0, TEXT_LIMIT)),
    },
  };
}

function fail(error) {
  finish(describe(error), 1);
}

// Records are lines of the plugin's log, whatever level was asked for.
function makeLogger() {
  const at = (level) => (...parts) => console.error(level, ...parts);
  return {
    trace: at('TRACE'),
    debug: at('DEBUG'),
    info: at('INFO'),
    warn: at('WARNING'),
    error: at('ERROR'),
    fatal: at('CRITICAL'),
    setLevel: () => {},
  };
}

function localTime() {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60000).toISOString();
}

// What plugins may ask the board; the names of upstream's agents, 2.x included.
function makeApi(context) {
  const facts = context !== null && typeof context === 'object' ? context : {};
  const place = (Array.isArray(facts.location) ? facts.location[0] : facts.location) || {};
  return {
    context: facts,
    getLogger: makeLogger,
    getPosition: () => ({ altitude: place.altitude, longitude: place.longitude, latitude: place.latitude }),
    getExtraInfo: () => facts.extra || 'NA',
    getBoardId: () => facts.uuid,
    getLocalTime: localTime,
    getUtcTime: () => new Date().toISOString(),
    getBoardID: () => facts.uuid,
    getBoardName: () => facts.name,
    getLocation: () => facts.location,
  };
}

function load(request) {
  const filename = path.join(path.dirname(request.source), `${request.name}.js`);
  const plugin = new Module(filename);
  plugin.filename = filename;
  plugin.paths = Module._nodeModulePaths(process.cwd()).concat(Module.globalPaths);
  plugin._compile(fs.readFileSync(request.source, 'utf8'), filename);
  const main = typeof plugin.exports === 'function' ? plugin.exports : plugin.exports.main;
  if (typeof main !== 'function') throw new TypeError('the plugin does not set exports.main to a function');
  return { main, stop: plugin.exports.stop };
}

// Node's (error, value); upstream's ("OK", value); and a lone value.
function callback(first, ...rest) {
  if (first instanceof Error) return fail(first);
  if (rest.length === 0) return deliver(first);
  if (first === null || first === undefined || /^(ok|success|completed)$/i.test(first)) return deliver(rest[0]);
  fail(new Error(rest[0] === undefined ? String(first) : `${first}: ${rest[0]}`));
}

function start(main, request, api) {
  const { name, params } = request;
  if (main.length >= 4) return main(name, params, api, callback);
  if (main.length === 3) return main(name, params, api);
  return main.length === 2 ? main(params, api) : main(params);
}

function runCall(plugin, request, api) {
  const usesCallback = plugin.main.length >= 4;
  process.on('exit', () => {
    if (!answered) send('no_result');
  });
  const value = start(plugin.main, request, api);
  const isPromise = value !== null && typeof value === 'object' && typeof value.then === 'function';
  if (isPromise) value.then((result) => (usesCallback && result === undefined ? undefined : deliver(result)), fail);
  else if (!usesCallback) deliver(value);
}

function runService(plugin, request, api) {
  process.on('SIGTERM', async () => {
    try {
      if (typeof plugin.stop === 'function') await plugin.stop();
      process.exit(0);
    } catch (error) {
      fail(error);
    }
  });
  send('ready');
  const value = start(plugin.main, request, api);
  if (value !== null && typeof value === 'object' && typeof value.then === 'function') value.then(undefined, fail);
}

function main() {
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  const request = receive();
  const api = makeApi(request.context);
  const plugin = load(request);
  if (request.service) runService(plugin, request, api);
  else runCall(plugin, request, api);
}

main();
