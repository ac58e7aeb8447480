// autobahn-js or wampy play every role against a router: `node wamp_clients.mjs FOLDER PLAN`, where FOLDER has node_modules
// and the plan is JSON: client, url, serialiser, method, authid, secret. Says `ok WHAT` for each thing that worked, `done` last.
import { createRequire } from 'node:module';
import path from 'node:path';
import assert from 'node:assert';
import { pathToFileURL } from 'node:url';

const [folder, text] = process.argv.slice(2);
const plan = JSON.parse(text);
const require = createRequire(path.join(folder, 'node_modules', 'x.js'));
const load = (name) => import(pathToFileURL(path.join(folder, 'node_modules', name)).href);
const ok = (what) => console.log('ok', what);
const within = (promise) => {
    let timer;
    const late = new Promise((_, refuse) => { timer = setTimeout(() => refuse(new Error('too late')), 20000); });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

/** One face for both clients. */
async function autobahnSession() {
    // It takes the browser's WebSocket, which older versions of Node.js do not have.
    globalThis.WebSocket ??= require('ws').WebSocket;
    const autobahn = require('autobahn');
    const kinds = {
        json: autobahn.serializer.JSONSerializer,
        msgpack: autobahn.serializer.MsgpackSerializer,
        cbor: autobahn.serializer.CBORSerializer,
    };
    const onchallenge = (_session, method, extra) => {
        if (method === 'ticket') return plan.secret;
        if (method === 'wampcra') {
            const { salt, iterations, keylen, challenge } = extra;
            const key = salt ? autobahn.auth_cra.derive_key(plan.secret, salt, iterations, keylen) : plan.secret;
            return autobahn.auth_cra.sign(key, challenge);
        }
        const key = autobahn.nacl.sign.keyPair.fromSeed(Buffer.from(plan.secret, 'hex'));
        return autobahn.auth_cryptosign.sign_challenge(key, extra);
    };
    const options = {
        url: plan.url, realm: 'realm1', max_retries: 0,
        serializers: [new kinds[plan.serialiser]()],
    };
    if (plan.method !== 'anonymous') {
        Object.assign(options, { authmethods: [plan.method], authid: plan.authid, onchallenge });
        if (plan.pubkey) options.authextra = { pubkey: plan.pubkey, channel_binding: null };
    }
    const connection = new autobahn.Connection(options);
    const session = await within(new Promise((open, refuse) => {
        connection.onopen = open;
        connection.onclose = (reason, details) => { refuse(new Error(`${reason} ${JSON.stringify(details)}`)); return true; };
        connection.open();
    }));
    return {
        id: session.id,
        register: (uri, work, options) =>
            session.register(uri, async (args, kwargs, details) => {
                const result = await work(args ?? [], kwargs ?? {}, details.progress ? (v) => details.progress([v]) : null);
                return new autobahn.Result([result]);
            }, options),
        call: (uri, args, kwargs, options, progress) =>
            new Promise((done, refuse) => session.call(uri, args, kwargs, options).then(
                done, (error) => refuse({ uri: error.error }), (piece) => progress?.(piece))),
        subscribe: (uri, heard, options) =>
            session.subscribe(uri, (args, kwargs, details) => heard(args ?? [], kwargs ?? {}, details.topic), options),
        publish: (uri, args, kwargs, options) =>
            session.publish(uri, args, kwargs, { acknowledge: true, ...options }),
        close: () => connection.close(),
    };
}

async function wampySession() {
    const { Wampy } = await load('wampy/dist/esm/wampy.js');
    const ws = require('ws').WebSocket;
    const options = { realm: 'realm1', ws, autoReconnect: false };
    if (plan.serialiser === 'msgpack') {
        const { MsgpackSerializer } = await load('wampy/dist/esm/serializers/msgpack-serializer.js');
        options.serializer = new MsgpackSerializer();
    } else if (plan.serialiser === 'cbor') {
        const { CborSerializer } = await load('wampy/dist/esm/serializers/cbor-serializer.js');
        options.serializer = new CborSerializer();
    }
    if (plan.method !== 'anonymous') {
        const helpers = {
            ticket: async () => () => plan.secret,
            wampcra: async () => (await load('wampy/dist/esm/auth/wampcra/wampy-cra.js')).sign(plan.secret),
            cryptosign: async () => (await load('wampy/dist/esm/auth/cryptosign/wampy-cryptosign.js')).sign(plan.secret),
        };
        Object.assign(options, {
            authid: plan.authid, authmethods: [plan.method], authMode: 'auto',
            authPlugins: { [plan.method]: await helpers[plan.method]() },
        });
        if (plan.pubkey) options.authextra = { pubkey: plan.pubkey, channel_binding: null };
    }
    const wampy = new Wampy(plan.url, options);
    const welcome = await within(wampy.connect());
    const fault = (error) => { throw { uri: error.error ?? error.errorUri ?? String(error) }; };
    const spread = (kwargs) => (Object.keys(kwargs ?? {}).length ? kwargs : undefined);
    const renamed = ({ receive_progress, ...rest } = {}) =>
        receive_progress ? { progress_callback: undefined, receive_progress, ...rest } : rest;
    return {
        id: welcome.session ?? wampy.getSessionId(),
        register: (uri, work, options) =>
            wampy.register(uri, async ({ argsList, argsDict, result_handler }) => {
                const progress = (value) => result_handler({ argsList: [value], options: { progress: true } });
                return { argsList: [await work(argsList ?? [], argsDict ?? {}, progress)] };
            }, options),
        call: (uri, args, kwargs, options, progress) => {
            const wishes = renamed(options);
            if (progress) wishes.progress_callback = ({ argsList }) => progress(argsList[0]);
            return wampy.call(uri, { argsList: args, argsDict: spread(kwargs) }, wishes)
                .then(({ argsList }) => argsList[0], fault);
        },
        subscribe: (uri, heard, options) =>
            wampy.subscribe(uri, ({ argsList, argsDict, details }) => heard(argsList ?? [], argsDict ?? {}, details?.topic), options),
        publish: (uri, args, kwargs, options) =>
            wampy.publish(uri, { argsList: args, argsDict: spread(kwargs) }, options),
        close: () => wampy.disconnect(),
    };
}

function queue() {
    const waiting = [];
    const there = [];
    return {
        put: (...item) => (waiting.length ? waiting.shift()(item) : there.push(item)),
        get: () => within(there.length ? Promise.resolve(there.shift()) : new Promise((take) => waiting.push(take))),
    };
}

const open = plan.client === 'wampy' ? wampySession : autobahnSession;
try {
    const [left, right] = [await open(), await open()];
    await within(left.register('js.echo', (args, kwargs) => ({ args, kwargs })));
    for (const [args, kwargs] of [[[1, 'böard', null, true, 2.5], {}], [[{ a: [1] }], { k: 'v' }]]) {
        assert.deepEqual(await within(right.call('js.echo', args, kwargs, {})), { args, kwargs });
    }
    ok('calls');
    await assert.rejects(within(right.call('js.nobody', [], {}, {})), { uri: 'wamp.error.no_such_procedure' });
    ok('errors');
    await within(left.register('js.count', async ([upto], _kwargs, progress) => {
        for (let number = 0; number < upto; number += 1) progress(number);
        return upto;
    }));
    const seen = [];
    assert.equal(await within(right.call('js.count', [3], {}, { receive_progress: true }, (n) => seen.push(n))), 3);
    assert.deepEqual(seen.filter((n) => n < 3), [0, 1, 2]);
    ok('progressive results');
    for (const [session, name] of [[left, 'left'], [right, 'right']]) {
        await within(session.register('js.shared', () => name, { invoke: 'roundrobin' }));
    }
    const answers = [await right.call('js.shared', [], {}, {}), await right.call('js.shared', [], {}, {})];
    assert.deepEqual(answers.sort(), ['left', 'right']);
    ok('shared registration');
    const heard = queue();
    await within(left.subscribe('js.topic', heard.put));
    await within(left.subscribe('js.events', heard.put, { match: 'prefix' }));
    await within(right.publish('js.topic', [1], { k: 2 }, {}));
    assert.deepEqual((await heard.get()).slice(0, 2), [[1], { k: 2 }]);
    await within(right.publish('js.events.x', ['p'], {}, {}));
    const [args, , topic] = await heard.get();
    assert.deepEqual([args, topic], [['p'], 'js.events.x']);
    await within(right.publish('js.topic', ['no'], {}, { exclude: [left.id] }));
    // wampy never sends a false `exclude_me`, so with it somebody else speaks.
    const speaker = plan.client === 'wampy' ? right : left;
    await within(speaker.publish('js.topic', ['own'], {}, { exclude_me: false }));
    assert.deepEqual((await heard.get())[0], ['own']);
    ok('events');
    assert.ok(await within(right.call('wamp.session.count', [], {}, {})) >= 2);
    ok('meta API');
    console.log('done');
    process.exit(0);
} catch (error) {
    console.error(error);
    process.exit(1);
}
