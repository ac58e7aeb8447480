"""The upstream server in one process: its API, its conductor, and a scripted agent in the place of agent, router and board.

Usage: server.py --config-file FILE. The file is the server's own; its group [s4t_test] says where to listen.
Reads one JSON object a line on standard input, {"sql": "...", "args": [...]}, runs it in the database and answers the
rows, one JSON line. Ends when standard input ends. Its first answer is {"ready": URL}.
Nothing of the package is changed. Put in its place are: the identity service (the token says who it is), and the agent.
"""

import datetime
import json
import os
import socketserver
import sqlite3
import sys
import threading
import wsgiref.simple_server

import oslo_messaging
import sqlalchemy
from oslo_config import cfg
from oslo_messaging.rpc import dispatcher

from iotronic.api import app as api
from iotronic.api.middleware import auth_token
from iotronic.common import designate
from iotronic.common import service
from iotronic.conductor import endpoints
from iotronic.conductor import manager
from iotronic.db import api as dbapi
from iotronic.db.sqlalchemy import api as database
from iotronic.db.sqlalchemy import models

AGENT = "agent-a"
HOST = "conductor-a"


class Identity:
    """Who a token is: `user:project:role,role`. No token is 401, like the identity service's own filter says it."""

    def __init__(self, app, conf=None, public_api_routes=None):
        self.app = app
        self.public = set(public_api_routes or ())

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "").rstrip("/") or "/"
        environ["is_public_api"] = path in self.public
        token = environ.get("HTTP_X_AUTH_TOKEN", "")
        parts = token.split(":")
        if environ["is_public_api"]:
            return self.app(environ, start_response)
        if len(parts) != 3:
            body = b'{"error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}}'
            head = [("Content-Type", "application/json"), ("Content-Length", str(len(body))),
                    ("WWW-Authenticate", 'Keystone uri="http://127.0.0.1"')]
            start_response("401 Unauthorized", head)
            return [body]
        user, project, roles = parts
        environ.update({
            "HTTP_X_USER_ID": user, "HTTP_X_PROJECT_ID": project, "HTTP_X_ROLES": roles,
            "HTTP_X_IDENTITY_STATUS": "Confirmed", "HTTP_X_USER_NAME": user, "HTTP_X_PROJECT_NAME": project,
        })
        return self.app(environ, start_response)


class Headers:
    """For `auth_strategy = noauth`, in which the server reads the identity's headers: clients send only a token."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        parts = environ.get("HTTP_X_AUTH_TOKEN", "").split(":")
        if len(parts) == 3 and "HTTP_X_USER_ID" not in environ:
            environ["HTTP_X_USER_ID"], environ["HTTP_X_PROJECT_ID"], environ["HTTP_X_ROLES"] = parts
        return self.app(environ, start_response)


class Agent:
    """What an agent with one obedient board behind it answers. The texts are those of the board software."""

    def s4t_invoke_wamp(self, ctx, wamp_rpc_call, data, req=None):
        method = wamp_rpc_call.split(".")[-1]
        message, result = answer(method, data)
        said = {"message": message, "result": result}
        if req:
            said["req_id"] = req["uuid"]
        return json.dumps(said)

    def echo(self, ctx, text):
        return text

    def create_tap_interface(self, ctx, port_uuid, tcp_port):
        return 1

    def enable_webservice(self, ctx, **words):
        return None

    disable_webservice = add_redirect = remove_redirect = reload_proxy = enable_webservice


def answer(method, data):
    now = datetime.datetime.now().strftime("%Y-%m-%dT%H:%M:%S.%f")
    first = data[0] if data else {}
    fixed = {
        "PluginStart": "PluginStart result: STARTED",
        "PluginStop": "STOPPED",
        "PluginStatus": "PluginStatus result: ALIVE",
        "PluginReboot": "REBOOTED",
        "DeviceNetConfig": {"lo": {"address": "127.0.0.1"}},
        "DeviceUpgradeLR": ("DeviceUpgradeLR", "RUNNING"),
        "DevicePkgOperation": ("DevicePkgOperation", "RUNNING"),
        "PluginInject": "PluginInject result: INJECTED",
        "PluginRemove": "PluginRemove result: removed!",
        "ServiceEnable": "Cloud service exposed.",
        "ServiceDisable": "Cloud service disabled.",
        "ServiceRestore": "service restored.",
    }
    if method == "DevicePing":
        return "board @ " + now, "SUCCESS"
    if method == "DeviceEcho":
        if first.get("say") == "fail":
            return "the board says no", "ERROR"
        if first.get("say") == "warn":
            return "the board warns", "WARNING"
        return str(first.get("say")) + " @ " + now, "SUCCESS"
    if method in ("DeviceReboot", "DeviceRestartLR"):
        return method + " in few seconds", "SUCCESS"
    if method == "PluginCall":
        return "PluginCall result: " + json.dumps(data[1], sort_keys=True), "SUCCESS"
    if method == "destroyBoard":
        return "no such procedure", "ERROR"
    said = fixed.get(method, method + " done")
    return said if isinstance(said, tuple) else (said, "SUCCESS")


class Outside:
    """The DNS service: remembers nothing, agrees to everything."""

    @staticmethod
    def agree(*args, **words):
        return None


def make_database():
    """The package's migrations do not run on SQLite, so the tables are made out of its models."""
    engine = database.get_engine()
    # Real sites run on engines that hold rows to their references; SQLite does so only when it is told.
    sqlalchemy.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys = ON"))
    engine.dispose()
    # As in the tables of 0.5.0; otherwise no board that was ever online could be deleted.
    for table in models.Base.metadata.tables.values():
        for reference in table.foreign_key_constraints:
            if reference.referred_table.name == "boards":
                reference.ondelete = "CASCADE"
    models.Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(
            "INSERT INTO wampagents (hostname, wsurl, online, ragent) VALUES (?, ?, 1, 1)",
            (AGENT, cfg.CONF.s4t_test.agent_url),
        )


def serve_topic(topic, name, endpoint, version=None):
    transport = oslo_messaging.get_transport(cfg.CONF)
    target = oslo_messaging.Target(topic=topic, server=name, version=version)
    oslo_messaging.get_rpc_server(
        transport, target, [endpoint], executor="threading",
        access_policy=dispatcher.DefaultRPCAccessPolicy).start()


def start_conductor():
    """What the conductor's own start does; that one parses the settings again, which one process can do only once."""
    instance = dbapi.get_instance()
    instance.register_conductor({"hostname": HOST})
    endpoint = endpoints.ConductorEndpoint(instance.get_registration_wampagent())
    serve_topic(manager.MANAGER_TOPIC, HOST, endpoint, manager.ConductorManager.RPC_API_VERSION)


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    def address_string(self):
        return self.client_address[0]

    def log_message(self, format, *args):
        sys.stderr.write("%s\n" % (format % args))


def start_api():
    if cfg.CONF.auth_strategy == "keystone":
        auth_token.AuthTokenMiddleware = Identity
        app = api.VersionSelectorApplication()
    else:
        app = Headers(api.VersionSelectorApplication())
    server = wsgiref.simple_server.make_server(
        "127.0.0.1", cfg.CONF.s4t_test.port, app, server_class=Server, handler_class=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def serve_statements(answers):
    path = cfg.CONF.database.connection.replace("sqlite:///", "", 1).split("?")[0]
    for line in sys.stdin:
        step = json.loads(line)
        try:
            with sqlite3.connect(path, timeout=30) as connection:
                cursor = connection.execute(step["sql"], step.get("args", []))
                said = {"rows": [list(row) for row in cursor.fetchall()]}
        except Exception as error:
            said = {"error": str(error)}
        answers.write(json.dumps(said) + "\n")
        answers.flush()
    os._exit(0)


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    group = cfg.OptGroup("s4t_test")
    cfg.CONF.register_group(group)
    cfg.CONF.register_opts([cfg.PortOpt("port"), cfg.StrOpt("agent_url")], group)
    service.prepare_service(sys.argv)
    make_database()
    designate.create_record = designate.delete_record = Outside.agree
    serve_topic("s4t", AGENT, Agent())
    start_conductor()
    port = start_api()
    answers.write(json.dumps({"ready": "http://127.0.0.1:%d" % port}) + "\n")
    answers.flush()
    serve_statements(answers)


main()
