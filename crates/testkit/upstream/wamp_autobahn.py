# Two sessions of autobahn-python play every role against a router: `wamp_autobahn.py PLAN`, where the plan is JSON with the
# two sessions' transports and authentications. Says `ok WHAT` for each thing that worked and `done` at the end.
import asyncio
import json
import os
import sys
import traceback

from autobahn.asyncio.component import Component, run
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import (
    CallOptions, PublishOptions, RegisterOptions, SubscribeOptions,
)

plan = json.loads(sys.argv[1])
ready = {"left": asyncio.Event(), "right": asyncio.Event()}
sessions = {}


def component(name):
    side = plan[name]
    made = Component(
        transports=[side["transport"]],
        realm="realm1",
        authentication=side.get("authentication", {"anonymous": {}}),
    )

    @made.on_join
    async def joined(session, details):
        sessions[name] = session
        expected = side.get("method", "anonymous")
        assert details.authmethod == expected, details.authmethod
        ready[name].set()
        if name == "right":
            await ready["left"].wait()
            try:
                await play(sessions["left"], session)
                print("done", flush=True)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)

    @made.on_connectfailure
    async def failed(_component, why):
        if ready[name].is_set():
            return  # said of a session that has left, too
        print("cannot connect", name, why, flush=True)
        os._exit(1)

    return made


async def within(future):
    return await asyncio.wait_for(future, 20)


def ok(what):
    print("ok", what, flush=True)


async def play(left, right):
    await calls(left, right)
    await errors(left, right)
    await progress(left, right)
    await shared(left, right)
    await patterns(left, right)
    await events(left, right)
    await meta(left, right)
    await revoked(left, right)
    await testament(left, right)


async def calls(left, right):
    def echo(*args, **kwargs):
        return {"args": list(args), "kwargs": kwargs}

    registration = await within(left.register(echo, "com.echo"))
    for args, kwargs in [([], {}), ([1, -2.5, "böard", None, True], {}), ([{"a": [1]}], {"k": "v"})]:
        result = await within(right.call("com.echo", *args, **kwargs))
        assert result == {"args": args, "kwargs": kwargs}, result
    many = await within(asyncio.gather(*[right.call("com.echo", n) for n in range(100)]))
    assert [answer["args"] for answer in many] == [[n] for n in range(100)]
    raw = os.urandom(300)
    assert (await within(right.call("com.echo", raw)))["args"][0] == raw
    await within(registration.unregister())
    ok("calls")


async def errors(left, right):
    def fail():
        raise ApplicationError("com.error.mine", "why", detail=7)

    async def slow():
        await asyncio.sleep(60)

    await within(left.register(fail, "com.fail"))
    await within(left.register(slow, "com.slow"))
    for procedure, expected in [
        ("com.fail", "com.error.mine"),
        ("com.nobody", "wamp.error.no_such_procedure"),
    ]:
        try:
            await within(right.call(procedure))
            raise AssertionError(procedure)
        except ApplicationError as error:
            assert error.error == expected, error.error
    try:
        await within(right.call("com.slow", options=CallOptions(timeout=200)))
        raise AssertionError("no timeout")
    except ApplicationError as error:
        assert error.error in ("wamp.error.timeout", "wamp.error.canceled"), error.error
    ok("errors")


async def progress(left, right):
    async def count(upto, details=None):
        for number in range(upto):
            details.progress(number)
        return upto

    await within(left.register(count, "com.count", options=RegisterOptions(details_arg="details")))
    seen = []
    result = await within(right.call("com.count", 5, options=CallOptions(on_progress=seen.append)))
    assert (result, seen) == (5, [0, 1, 2, 3, 4]), (result, seen)
    ok("progressive results")


async def shared(left, right):
    hits = []
    for session, name in [(left, "left"), (right, "right")]:
        options = RegisterOptions(invoke="roundrobin")
        await within(session.register(lambda name=name: hits.append(name) or name, "com.shared", options=options))
    answers = [await within(right.call("com.shared")) for _ in range(4)]
    assert sorted(answers) == ["left", "left", "right", "right"], answers
    ok("shared registration")


async def patterns(left, right):
    async def who(details=None):
        return [details.procedure, details.caller]

    for uri, match in [("com.prefix", "prefix"), ("com..wild", "wildcard")]:
        options = RegisterOptions(match=match, details_arg="details")
        await within(left.register(who, uri, options=options))
    for procedure in ["com.prefix.x.y", "com.some.wild"]:
        answer = await within(right.call(procedure))
        assert answer == [procedure, right._session_id], answer
    ok("patterns and caller identification")


async def events(left, right):
    queue = asyncio.Queue()

    def received(*args, details=None, **kwargs):
        queue.put_nowait((list(args), kwargs, details.topic, details.publisher))

    for topic, match in [("com.topic", "exact"), ("com.events.", "prefix"), ("com..any", "wildcard")]:
        await within(left.subscribe(received, topic, SubscribeOptions(match=match, details=True)))
    for topic in ["com.topic", "com.events.one", "com.what.any"]:
        published = right.publish(topic, 1, "two", k=3, options=PublishOptions(acknowledge=True))
        assert (await within(published)).id
        args, kwargs, where, publisher = await within(queue.get())
        assert (args, kwargs, where) == ([1, "two"], {"k": 3}, topic)
        assert publisher == right._session_id
    for options, is_heard in [
        (PublishOptions(acknowledge=True, exclude=[left._session_id]), False),
        (PublishOptions(acknowledge=True, eligible=[right._session_id]), False),
        (PublishOptions(acknowledge=True, eligible_authrole=["nobody"]), False),
        (PublishOptions(acknowledge=True, exclude_authid=[left._authid]), False),
        (PublishOptions(acknowledge=True, eligible=[left._session_id]), True),
    ]:
        await within(right.publish("com.topic", options=options))
        await within(right.publish("com.topic", "mark", options=PublishOptions(acknowledge=True)))
        heard = []
        while True:
            args = (await within(queue.get()))[0]
            if args == ["mark"]:
                break
            heard.append(args)
        assert bool(heard) == is_heard, (str(options), heard)
    await within(left.publish("com.topic", "own", options=PublishOptions(acknowledge=True, exclude_me=False)))
    assert (await within(queue.get()))[0] == ["own"]
    ok("events, exclusion, black and white lists")


async def meta(left, right):
    count = await within(right.call("wamp.session.count"))
    assert count >= 2
    listed = await within(right.call("wamp.session.list"))
    assert left._session_id in listed
    details = await within(right.call("wamp.session.get", left._session_id))
    assert details["session"] == left._session_id
    registration = await within(right.call("wamp.registration.match", "com.shared"))
    callees = await within(right.call("wamp.registration.list_callees", registration))
    assert sorted(callees) == sorted([left._session_id, right._session_id])
    subscription = await within(right.call("wamp.subscription.lookup", "com.topic"))
    assert await within(right.call("wamp.subscription.count_subscribers", subscription)) == 1
    ok("meta API")


async def revoked(left, right):
    # The client takes note of it and goes on; it does not mark its own object.
    await within(left.register(lambda: 1, "com.taken"))
    await within(right.register(lambda: 2, "com.taken", options=RegisterOptions(force_reregister=True)))
    assert await within(left.call("com.taken")) == 2
    ok("registration revocation")


async def testament(left, right):
    heard = asyncio.Queue()
    await within(right.subscribe(lambda *args: heard.put_nowait(list(args)), "com.testament"))
    await within(left.call("wamp.session.add_testament", "com.testament", ["gone"], {}))
    left.leave()
    assert await within(heard.get()) == ["gone"]
    ok("testament")


run([component("left"), component("right")], log_level="warn")
