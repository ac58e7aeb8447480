"""Runs one plugin in this Python process.

File 3 is the channel to the agent: one framed JSON request comes in, framed answers go out.
Whatever the plugin prints is its log. Upstream's modules are provided here under their own names,
so that plugins written for them run unchanged.
"""

import json
import os
import signal
import sys
import threading
import types

CHANNEL = 3
TRACEBACK_LINES = 12
TEXT_LIMIT = 2000
OWNER = os.getpid()

send_lock = threading.Lock()


def send(answer):
    """Writes one frame; a forked child of the plugin must never answer in its name."""
    if os.getpid() != OWNER:
        os._exit(0)
    body = answer.encode("ascii")
    rest = memoryview(len(body).to_bytes(4, "big") + body)
    with send_lock:
        while rest:
            rest = rest[os.write(CHANNEL, rest):]


def receive():
    length = int.from_bytes(read_exactly(4), "big")
    return json.loads(read_exactly(length))


def read_exactly(count):
    parts = []
    while count:
        part = os.read(CHANNEL, min(count, 1 << 20))
        if not part:
            raise SystemExit("the agent closed the channel")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class Result:
    """Stands for upstream's result queue: the first value put in is the result."""

    def __init__(self, service):
        self.service = service
        self.given = False
        self.values = []

    def put(self, value, block=True, timeout=None):
        self.values.append(value)
        if self.service or self.given:
            return
        self.given = True
        send(encode(value))

    put_nowait = put

    def get(self, block=True, timeout=None):
        return self.values.pop(0)

    def empty(self):
        return not self.values

    def qsize(self):
        return len(self.values)


def encode(value):
    try:
        return json.dumps({"ok": value}, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return json.dumps({"not_json": str(error)[:TEXT_LIMIT]})


class Plugin(threading.Thread):
    """Upstream's base class. The runner calls run() itself; it is a thread only in name."""

    def __init__(self, uuid, name, q_result=None, params=None):
        threading.Thread.__init__(self)
        self.uuid = uuid
        self.name = name
        self.status = "INITED"
        self._is_running = True
        self.params = params
        self.q_result = q_result
        self.type = type

    def run(self):
        raise NotImplementedError("the plugin's Worker has no run()")

    def stop(self):
        self._is_running = False

    def checkStatus(self):
        return self.status

    def setStatus(self, status):
        self.status = status

    def complete(self, rpc_name, result):
        self.setStatus(result)
        return rpc_name + " result: " + self.checkStatus()


class Logger:
    """The part of a logger that plugins use; records are lines of the plugin's log."""

    def __init__(self, name):
        self.name = name

    def log(self, level, message, *args, **options):
        text = str(message)
        if args:
            try:
                text = text % args
            except (TypeError, ValueError):
                text = " ".join([text, *map(str, args)])
        print(level, text, file=sys.stderr)
        if options.get("exc_info"):
            import traceback
            traceback.print_exc()

    def debug(self, message, *args, **options):
        self.log("DEBUG", message, *args, **options)

    def info(self, message, *args, **options):
        self.log("INFO", message, *args, **options)

    def warning(self, message, *args, **options):
        self.log("WARNING", message, *args, **options)

    warn = warning

    def error(self, message, *args, **options):
        self.log("ERROR", message, *args, **options)

    def critical(self, message, *args, **options):
        self.log("CRITICAL", message, *args, **options)

    def exception(self, message, *args, **options):
        self.log("ERROR", message, *args, exc_info=True)


class Api:
    """What plugins may ask the board; upstream's names."""

    def __init__(self, context):
        self.context = context if isinstance(context, dict) else {}

    def getBoardID(self):
        return self.context.get("uuid")

    getBoardId = getBoardID

    def getBoardName(self):
        return self.context.get("name")

    def getExtraInfo(self):
        return self.context.get("extra") or "NA"

    def getLogger(self, name, level="debug"):
        return Logger(name)

    def getLocation(self):
        return self.context.get("location")

    def getPosition(self):
        location = self.getLocation()
        if isinstance(location, list):
            location = location[0] if location else None
        place = location if isinstance(location, dict) else {}
        return {name: place.get(name) for name in ("altitude", "longitude", "latitude")}

    def getBoardGpio(self):
        raise RuntimeError("this board gives plugins no pins")

    def sendRequest(self, url, action, headers=None, body=None, verbose=False):
        import urllib.request
        data = body.encode() if isinstance(body, str) else body
        request = urllib.request.Request(url, data=data, headers=headers or {}, method=action)
        with urllib.request.urlopen(request) as response:
            content = response.read()
            if verbose:
                print(response.status, content)
            return response, content


class LateSitePackages:
    """Adds the installed packages to the path only when a plugin needs one: most do not, and it
    costs a fifth of the interpreter's start."""

    def find_spec(self, name, path=None, target=None):
        if path is not None or name in ("sitecustomize", "usercustomize"):
            return None
        sys.meta_path.remove(self)
        import importlib.machinery
        import site
        site.main()
        return importlib.machinery.PathFinder.find_spec(name)


def provide_upstream_modules(api):
    def module(name, **members):
        made = types.ModuleType(name)
        made.__dict__.update(members)
        made.__path__ = []
        sys.modules[name] = made
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, made)

    calls = {name: getattr(api, name) for name in dir(api) if not name.startswith("_")}
    module("iotronic_lightningrod")
    module("iotronic_lightningrod.modules")
    for package in ("iotronic_lightningrod.plugins", "iotronic_lightningrod.modules.plugins"):
        module(package)
        module(package + ".Plugin", Plugin=Plugin)
        module(package + ".pluginApis", **calls)
    # The name that plugins of the 2.x agents import.
    module("plugin_apis", **calls)
    module("oslo_log")
    module("oslo_log.log", getLogger=Logger)


def load(request):
    with open(request["source"], "rb") as file:
        source = file.read()
    filename = request["name"] + ".py"
    # Lets tracebacks show the plugin's own lines under the plugin's own name.
    plugin = types.ModuleType("plugin")
    plugin.__file__ = filename
    plugin.__dict__["__s4t_source__"] = source
    sys.modules["plugin"] = plugin
    exec(compile(source, filename, "exec"), plugin.__dict__)
    return plugin


def prepare(plugin, request, api, result):
    """What to run, and how to ask it to stop."""
    params = request["params"]
    if hasattr(plugin, "Worker"):
        worker = plugin.Worker(request["id"], request["name"], result, params)
        return worker.run, worker.stop
    main = getattr(plugin, "main", None)
    if not callable(main):
        raise AttributeError("the plugin has neither a class Worker nor a function main")
    arguments = [request["name"], params, api]
    code = getattr(main, "__code__", None)
    accepts = code.co_argcount if code else 1
    chosen = [[], [params], [params, api]][accepts] if accepts < 3 else arguments

    def run():
        value = main(*chosen)
        if hasattr(value, "__await__"):
            import asyncio
            value = asyncio.run(value)
        result.put(value)

    return run, end_now


def end_now():
    raise SystemExit(0)


def describe(error, request):
    import linecache
    import traceback
    source = sys.modules.get("plugin")
    text = getattr(source, "__s4t_source__", b"").decode("utf-8", "replace")
    filename = request.get("name", "plugin") + ".py"
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    lines = "".join(traceback.format_exception(type(error), error, frames)).splitlines()
    print("\n".join(lines), file=sys.stderr)
    return json.dumps({"raised": {
        "kind": type(error).__name__,
        "message": safe_text(error),
        "traceback": [line[:TEXT_LIMIT] for line in lines[-TRACEBACK_LINES:]],
    }})


def safe_text(error):
    try:
        return str(error)[:TEXT_LIMIT]
    except Exception:
        return "(its message cannot be shown)"


def tidy_up():
    """Runs the plugin's exit handlers, then ends without waiting for threads it left behind."""
    import atexit
    try:
        atexit._run_exitfuncs()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass


def main():
    del sys.path[0]
    os.set_inheritable(CHANNEL, False)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    request = receive()
    sys.argv = [request["name"] + ".py"]
    sys.meta_path.append(LateSitePackages())
    code = 1
    try:
        code = run(request)
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 0 if ending.code is None else 1
        if isinstance(ending.code, str):
            print(ending.code, file=sys.stderr)
    except BaseException as error:
        send(describe(error, request))
    if os.getpid() != OWNER:
        os._exit(0)
    tidy_up()
    os._exit(code & 0xFF)


def run(request):
    api = Api(request["context"])
    provide_upstream_modules(api)
    result = Result(request["service"])
    start, stop = prepare(load(request), request, api, result)
    if request["service"]:
        signal.signal(signal.SIGTERM, lambda number, frame: stop())
        send('"ready"')
        start()
        return 0
    start()
    if not result.given:
        send('"no_result"')
    return 0
