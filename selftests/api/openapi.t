#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The OpenAPI document against the running server.

Every path and method of the document is asked, with every kind its {kind} may be, and
each answer must be what the document says: its status listed, its body valid
against the schema. What the document does not know, the server must not know either.
"""
import json
import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from jsonschema import Draft202012Validator, ValidationError, RefResolver  # noqa: E402
from api import ROOT, Controller, WORLD, tap  # noqa: E402

SAMPLES = {
    "tenants": {"spec": {"description": "x"}},
    "hosts": {"spec": {"underlay": ["192.0.2.9"]}},
    "hoverboards": {"spec": {"host": "h1"}},
    "networks": {"spec": {}},
    "subnets": {"spec": {"network": "front", "prefix": "10.9.0.0/24"}},
    "instances": {"labels": {"a": "b"}, "spec": {"network": "front"}},
    "peerings": {"spec": {"network": "front", "peer": "acme/x"}},
    "routes": {"spec": {"network": "front", "prefix": "10.8.0.0/16", "nextHop": {"blackhole": True}}},
    "remotenetworks": {"spec": {"network": "acme/front", "vni": 7, "prefixes": ["10.7.0.0/16"],
                                "gateways": ["198.51.100.1"]}},
}
ORDER = {"put": 0, "get": 1, "post": 2, "delete": 3}


def wrong(document, operation, status, content_type, body):
    """What contradicts the document, or None."""
    responses = operation["responses"]
    response = responses.get(str(status)) or responses.get(f"{status // 100}XX") or responses["default"]
    media = response["content"].get(content_type.split(";")[0])
    if media is None:
        return f"{status} with {content_type}"
    try:
        Draft202012Validator(media["schema"], resolver=RefResolver.from_schema(document)).validate(body)
    except ValidationError as e:
        return f"{status} {json.dumps(body)[:400]}: {e.message}"
    return None


def first_line(c, path):
    """The start of an endless answer."""
    conn = c.connect()
    conn.request("GET", path, headers={"Authorization": "Bearer " + c.tokens["operator:ann"]})
    reply = conn.getresponse()
    line = reply.readline().decode()
    conn.close()
    return reply.status, reply.getheader("Content-Type"), line


def ask(c, document, path, method, kind):
    """One operation; a line for each contradiction."""
    operation = document["paths"][path][method]
    where = path.format(tenant="acme", region="us", kind=kind, name="x")
    who = "operator:ann" if operation.get("security") != [] else None
    body = None
    if "requestBody" in operation:
        body = [dict(SAMPLES["tenants"], kind="Tenant", name="y")] if path == "/v1/apply" else SAMPLES[kind]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        if path == "/v1/apply":
            Draft202012Validator(schema, resolver=RefResolver.from_schema(document)).validate(body)
    if operation["operationId"] == "watch":
        status, content_type, reply = first_line(c, where)
    else:
        status, reply = c.ask(method.upper(), where, body, who)
        content_type = c.headers.get("Content-Type", "")
    problem = wrong(document, operation, status, content_type, reply)
    if operation["operationId"] == "programming":
        return problem if status in (200, 202, 501) else f"status {status}"
    return problem if status < 300 else problem or f"status {status}: {reply}"


def fields(schema, prefix=""):
    """Every field below a schema, as docs/model.md writes it."""
    for name, field in schema.get("properties", {}).items():
        yield prefix + name, field["description"]
        yield from fields(field, prefix + name + ".")
        yield from fields(field.get("items", {}), prefix + name + "[].")


def documented(document):
    """Fields that docs/model.md does not tell of, in the words of the table."""
    with open(ROOT + "/docs/model.md", encoding="utf-8") as f:
        sections = {s.split("\n")[0]: s for s in f.read().split("\n### ")[1:]}
    return [f"{kind}: {name}" for kind, schema in document["components"]["schemas"].items()
            if "spec" in schema.get("properties", {})
            for name, text in fields(schema["properties"]["spec"])
            if f"| `{name}` |" not in sections.get(kind, "") or text not in sections[kind]]


def main():
    with Controller() as c:
        status, document = c.ask("GET", "/v1/openapi.json", who=None)
        tap.same("the document is there for anybody", (status, document["openapi"]), (200, "3.1.0"))
        bad = []
        for name, schema in document["components"]["schemas"].items():
            try:
                Draft202012Validator.check_schema(schema)
            except Exception as e:  # pylint: disable=broad-except
                bad.append(f"{name}: {e}")
        tap.check("every schema is one", not bad, bad)
        status, reply = c.apply(WORLD)
        tap.same("the world is declared", status, 200)

        missing = documented(document)
        tap.check("docs/model.md tells of every field of every kind", not missing, missing)
        operations = [(method, path) for path in document["paths"] for method in document["paths"][path]]
        for method, path in sorted(operations, key=lambda o: (ORDER[o[0]], o[1])):
            operation = document["paths"][path][method]
            enum = [p["schema"]["enum"] for p in operation["parameters"] if p["name"] == "kind" and
                    p["in"] == "path"]
            order = list(SAMPLES)
            found = sorted(enum[0] if enum else [None], key=lambda k: order.index(k) if k else 0,
                           reverse=method == "delete")
            problems = [f"{kind}: {p}" for kind in found
                        if (p := ask(c, document, path, method, kind))]
            tap.check(f"{method.upper()} {path}: {len(found)} kinds as the document says", not problems,
                      "\n".join(problems))

        for path, methods in sorted(document["paths"].items()):
            unknown = [m for m in ("GET", "PUT", "POST", "DELETE") if m.lower() not in methods]
            where = path.format(tenant="acme", region="us", kind="instances", name="web-1")
            seen = {m: c.ask(m, where, "{}" if m in ("PUT", "POST") else None)[0] for m in unknown}
            tap.check(f"{path} knows no other methods", all(s in (404, 405) for s in seen.values()), seen)
        status, reply = c.ask("GET", "/v1/instances/web-1")
        tap.has("a tenant's object without its tenant is explained", reply["detail"], "/v1/tenants/{tenant}/")
        status, reply = c.ask("GET", "/v2/instances")
        tap.same("an unknown address is 404", (status, reply["status"]), (404, 404))
        status, reply = c.ask("GET", "/v1/instanzes")
        tap.has("an unknown kind gets a suggestion", reply["detail"], "did you mean instances?")
        status, reply = c.ask("GET", "/v1/tenants/acme/firewallrules")
        tap.has("kinds of the future are named", reply["detail"], "FirewallRule is not available yet")
    tap.done()


main()
