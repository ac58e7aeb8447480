"""A real Keystone on loopback, in a folder of its own: set up on first start, then served until standard input ends.

Usage: keystone_server.py FOLDER PORT PASSWORD
Says "ready" when it accepts.
"""

import os
import pathlib
import subprocess
import sys
import threading

FOLDER, PORT, PASSWORD = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
# What follows must not take our arguments for its own.
sys.argv = ["keystone"]
URL = f"http://127.0.0.1:{PORT}/v3"
CONFIG = FOLDER / "keystone.conf"

SETTINGS = f"""
[database]
connection = sqlite:///{FOLDER}/keystone.db
[fernet_tokens]
key_repository = {FOLDER}/fernet
[fernet_receipts]
key_repository = {FOLDER}/receipts
[credential]
key_repository = {FOLDER}/credential
[oslo_policy]
enforce_scope = true
enforce_new_defaults = true
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.memory
"""


def manage(*words):
    start = "import sys; from keystone.cmd.manage import main; main()"
    command = [sys.executable, "-c", start, "--config-file", str(CONFIG), *words]
    subprocess.run(command, check=True, stdout=sys.stderr)


def set_up():
    for name in ("fernet", "receipts", "credential"):
        (FOLDER / name).mkdir(mode=0o700)
    CONFIG.write_text(SETTINGS)
    owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    manage("db_sync")
    manage("fernet_setup", *owner)
    manage("credential_setup", *owner)
    urls = [word for kind in ("admin", "internal", "public") for word in (f"--bootstrap-{kind}-url", URL)]
    manage("bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", "RegionOne", *urls)


def main():
    if not CONFIG.exists():
        set_up()
    from keystone.server.flask import core
    from werkzeug.serving import make_server

    app = core.initialize_application("public", config_files=[str(CONFIG)])
    server = make_server("127.0.0.1", PORT, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print('{"ready": true}', flush=True)
    sys.stdin.read()
    server.shutdown()


main()
