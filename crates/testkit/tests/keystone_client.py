"""Signs in the way OpenStack's own clients do (Identity API v3), with nothing but the standard library.

Usage: keystone_client.py AUTH_URL USER PASSWORD PROJECT
"""

import json
import sys
import urllib.error
import urllib.request

AUTH_URL, USER, PASSWORD, PROJECT = sys.argv[1:5]


def ask(method, url, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=dict(headers or {}))
    request.add_header("Accept", "application/json")
    if data is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, error.headers, json.loads(text) if text else None


def password(user, secret, scope=True):
    auth = {
        "identity": {
            "methods": ["password"],
            "password": {"user": {"name": user, "domain": {"name": "Default"}, "password": secret}},
        }
    }
    if scope:
        auth["scope"] = {"project": {"name": PROJECT, "domain": {"name": "Default"}}}
    return {"auth": auth}


def check(what, holds, seen):
    if not holds:
        sys.exit(f"{what}: {seen!r}")


# Discovery, as keystoneauth does it before anything else.
status, _, discovery = ask("GET", AUTH_URL)
version = discovery["version"]
check("discovery", status == 200 and version["id"].startswith("v3"), discovery)
check("status", version["status"] in ("stable", "CURRENT"), version)
link = next(link["href"] for link in version["links"] if link["rel"] == "self")
check("self link", link.rstrip("/") == AUTH_URL.rstrip("/"), link)
status, _, versions = ask("GET", AUTH_URL.rsplit("/v3", 1)[0])
check("versions", status in (200, 300) and versions["versions"]["values"][0]["id"].startswith("v3"), versions)

# A scoped token.
status, headers, answer = ask("POST", AUTH_URL + "/auth/tokens", password(USER, PASSWORD))
check("token", status == 201, (status, answer))
token = headers["X-Subject-Token"]
check("token header", token, dict(headers))
meaning = answer["token"]
check("user", meaning["user"]["name"] == USER and meaning["user"]["domain"]["id"] == "default", meaning)
check("project", meaning["project"]["name"] == PROJECT, meaning)
check("roles", [role["name"] for role in meaning["roles"]] == ["user_iot"], meaning)
check("times", meaning["issued_at"] < meaning["expires_at"] and meaning["expires_at"].endswith("Z"), meaning)
check("methods", meaning["methods"] == ["password"], meaning)
kinds = {service["type"]: service["endpoints"] for service in meaning["catalog"]}
check("catalog", {"iot", "identity"} <= set(kinds), meaning)
public = {kind: next(e["url"] for e in ends if e["interface"] == "public") for kind, ends in kinds.items()}

# The catalog leads to the service, and the token opens it.
status, _, boards = ask("GET", public["iot"].rstrip("/") + "/v2/boards", headers={"X-Auth-Token": token})
check("boards", status == 200 and boards["items"] == [], boards)

# Validation, by the token itself.
both = {"X-Auth-Token": token, "X-Subject-Token": token}
status, _, again = ask("GET", AUTH_URL + "/auth/tokens", headers=both)
check("validation", status == 200 and again["token"]["user"] == meaning["user"], again)
status, _, error = ask("GET", AUTH_URL + "/auth/tokens", headers={"X-Auth-Token": token, "X-Subject-Token": "no"})
check("validation of nonsense", status == 404, (status, error))

# A token for a token.
body = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}},
                 "scope": {"project": {"id": meaning["project"]["id"]}}}}
status, headers, answer = ask("POST", AUTH_URL + "/auth/tokens", body)
check("token by token", status == 201 and answer["token"]["expires_at"] <= meaning["expires_at"], (status, answer))

# Refusals have Keystone's body.
for request, code in ((password(USER, "wrong"), 401), (password("nobody", "x"), 401), ({"auth": {}}, 400)):
    status, _, error = ask("POST", AUTH_URL + "/auth/tokens", request)
    shape = error["error"]
    check("refusal", status == code == shape["code"] and shape["title"] and shape["message"], (status, error))

print("signed in, validated, exchanged and refused as expected")
