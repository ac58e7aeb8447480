"""Runs command lines of python-openstackclient, one after the other, in one process: a start costs seconds.

Reads one JSON object a line, {"args": [...], "env": {...}}, answers one, {"code": n, "out": "...", "err": "..."}.
Each command gets its own environment and a shell object of its own, as if it were a process of its own.
"""

import contextlib
import io
import json
import logging
import os
import sys

from openstackclient import shell

BASE = dict(os.environ)


def run(args, env):
    os.environ.clear()
    os.environ.update(BASE)
    os.environ.update(env)
    logging.getLogger("").handlers.clear()
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            one = shell.OpenStackShell()
            one.stdout, one.stderr = out, err
            code = one.run(args) or 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except Exception as error:
            print(error, file=err)
            code = 1
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def main():
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    for line in sys.stdin:
        step = json.loads(line)
        answers.write(json.dumps(run(step["args"], step.get("env", {}))) + "\n")
        answers.flush()


main()
