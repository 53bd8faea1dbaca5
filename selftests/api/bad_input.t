#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Bad input over HTTPS: a clear error, the state untouched, everybody else unaffected."""
import json
import socket
import ssl
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from api import Controller, WORLD, run, tap  # noqa: E402

APPLY = "/v1/apply"
WEB = "/v1/tenants/acme/instances/web-1"
BODIES = (
    ("an unknown kind", b"kind: Networq\nname: x\n", 400, "did you mean Network?"),
    ("a wrong type", b"kind: Tenant\nname: [x]\n", 400, "a list, but a name is wanted"),
    ("a number for a text", b'{"kind":"Tenant","name":7}', 400, "put it in quotes"),
    ("a text for a number", b'{"kind":"Tenant","name":"x","spec":{"maxRoutes":"7"}}', 400, "without quotes"),
    ("duplicate keys", b'{"kind":"Tenant","name":"x","name":"y"}', 400, "given twice"),
    ("deep nesting", b"[" * 100000, 413, "levels of nesting"),
    ("deep maps", b'{"a":' * 5000 + b"1" + b"}" * 5000, 413, "levels of nesting"),
    ("invalid UTF-8", b"kind: Tenant\nname: x\nspec: {description: \"\xff\xfe\"}\n", 400, "not UTF-8"),
    ("NUL", b"kind: Tenant\nname: \"a\\0b\"\n", 400, "NUL character"),
    ("no YAML", b"kind: [\n", 400, "not YAML"),
    ("half a JSON text", b'{"kind": "Tenant", "na', 400, "body:1:"),
    ("nothing", b"", 400, "empty"),
    ("only comments", b"# nothing\n", 400, "empty"),
    ("a scalar", b"hello", 400, "an object is wanted"),
    ("an alias bomb", b"a: &a [x,x]\nb: &b [*a,*a]\n", 400, "anchors"),
    ("an unknown field", b"kind: Tenant\nname: x\nspec: {maxInstnaces: 5}\n", 400, "did you mean \\\"maxInstances\\\"?"),
    ("a name that is none", b"kind: Tenant\nname: ../../etc\n", 400, "is no name"),
    ("a document twice", b"kind: Tenant\nname: x\n---\nkind: Tenant\nname: x\n", 422, "in this transaction twice"),
    ("two scopes at once", b"kind: Tenant\nname: x\n---\n{kind: RemoteNetwork, region: us, name: r, spec: {network: a/b,"
     b" vni: 1, prefixes: [10.0.0.0/8], gateways: [192.0.2.7]}}\n", 422, "transaction of its own"),
)


def bodies(c):
    for what, body, expected, why in BODIES:
        status, reply = c.ask("POST", APPLY, body)
        tap.check(f"{what}: {expected}, and why", status == expected and why in json.dumps(reply),
                  f"{status} {json.dumps(reply)[:600]}")
    tap.has("the place is named", c.ask("POST", APPLY, b"kind: Tenant\nname: x\nspec:\n  foo: 1\n")[1],
            '"line": 4, "object": "Tenant x", "field": "spec.foo"')
    status, reply = c.ask("POST", APPLY, b"---\n{kind: Tenant, name: t}\n" * 20001)
    tap.check("more documents than a transaction holds", status == 413 and "20000 documents" in str(reply), (status, reply))
    status, reply = c.ask("PUT", WEB, {"name": "web-2", "spec": {"network": "front"}})
    tap.has("a body that is not what the address says", reply, "name must be web-1")
    status, reply = c.ask("GET", "/v1/tenants/acme/instances/" + "x" * 100)
    tap.same("an endless name", status, 404)
    status, reply = c.ask("GET", "/v1/tenants/acme/instances/%2e%2e%2f%00")
    tap.check("an address that is none", status in (400, 404), status)
    status, reply = c.ask("PUT", "/v1/tenants/acme/instances/" + "x" * 100, {"spec": {"network": "front"}})
    tap.same("an endless name to write", status, 400)


def raw(c, data, seconds=5):
    """Sends bytes over TLS and returns what comes back until the end or @seconds."""
    context = ssl.create_default_context(cafile=c.ca)
    got = b""
    with socket.create_connection(("127.0.0.1", c.port), timeout=seconds) as s:
        with context.wrap_socket(s, server_hostname="127.0.0.1") as tls:
            try:
                tls.sendall(data)
                while part := tls.recv(65536):
                    got += part
            except (TimeoutError, ssl.SSLError, ConnectionError):
                pass
    return got


def sizes(c):
    auth = f"Authorization: Bearer {c.tokens['operator:ann']}\r\n".encode()
    head = b"POST /v1/apply HTTP/1.1\r\nHost: x\r\n" + auth
    got = raw(c, head + b"Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n", 20)
    tap.check("100 MB announced are refused before they are sent", b" 413 " in got[:20], got[:200])
    start = time.monotonic()
    try:
        status = c.ask("POST", APPLY, b"a" * 100_000_000)[0]
    except (ConnectionError, ssl.SSLError, OSError):
        status = "cut"
    tap.check("100 MB sent are refused or cut", status in (413, "cut"), status)
    tap.check("in no time", time.monotonic() - start < 30, time.monotonic() - start)


def no_requests(c):
    """What the web server refuses by itself comes as a problem, like everything else."""
    line = b"GET /v1/revision HTTP/1.1\r\nHost: x\r\n"
    post = b"POST /v1/apply HTTP/1.1\r\nHost: x\r\n"
    for what, data, expected in (
            ("17 kB of headers", line + b"X: " + b"a" * 17000 + b"\r\n\r\n", 400),
            ("a first line of 17 kB", b"GET /" + b"a" * 17000 + b" HTTP/1.1\r\n\r\n", 400),
            ("garbage", b"\x16\x03garbage\r\n\r\n" * 100, 400),
            ("a first line without version", b"GET /v1/revision\r\n\r\n", 400),
            ("a version of the future", b"GET /v1/revision HTTX/9\r\n\r\n", 400),
            ("a header without a colon", line + b"nonsense\r\n\r\n", 400),
            ("a length that is none", post + b"Content-Length: -5\r\n\r\n", 400),
            ("a length of 17 MiB", post + b"Expect: 100-continue\r\nContent-Length: 17825792\r\n\r\n", 413),
            ("a chunk of 17 MiB", post + b"Transfer-Encoding: chunked\r\n\r\n1100000\r\n", 413),
            ("another expectation", post + b"Expect: wonders\r\nContent-Length: 5\r\n\r\nhello", 417)):
        status, headers, body = answer(raw(c, data, 20))
        tap.check(f"{what}: {expected}, as a problem", status == expected and body.get("status") == expected and
                  body["detail"] and headers.get("content-type") == "application/problem+json", (status, headers, body))
    got = raw(c, line + b"X: " + b"a" * 1000000 + b"\r\n\r\n", 20)
    tap.check("a megabyte of headers is refused or cut", b"200 OK" not in got, got[:200])
    token = b"Authorization: Bearer " + c.tokens["operator:ann"].encode() + b"\r\n"
    for method in (b"BREW", b"PATCH", b"OPTIONS", b"TRACE"):
        data = method + b" /v1/revision HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + token + b"\r\n"
        status, headers, body = answer(raw(c, data, 20))
        tap.check(f"{method.decode()} is no method here", status == 405 and body["title"] == "No such method", (status, body))
    status, headers, body = answer(raw(c, line + token + b"\r\n" + line + b"nonsense\r\n\r\n", 20))
    tap.check("a good request before a bad one is answered", status == 200 and b'"status":400' in body, (status, body))


def answer(got):
    """Status, headers and body of the first reply in @got; the body as JSON if it is."""
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.decode(errors="replace").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    try:
        return int(lines[0].split()[1]), headers, json.loads(body)
    except (ValueError, IndexError):
        return int(lines[0].split()[1]) if " " in lines[0] else 0, headers, body


def crowd():
    """A listener has so many connections: more are told so, still more wait, and nobody is forgotten."""
    with Controller("--api-connections", "8", "--api-idle", "60") as c:
        revision = "/v1/revision"
        socket_ask = ("curl", "-s", "--unix-socket", c.path("api.sock"), "http://x/metrics")
        first = [c.connect() for _ in range(8)]
        tap.same("as many as may be are served", [c.ask("GET", revision, conn=f)[0] for f in first], [200] * 8)
        many = c.connect()
        status, reply = c.ask("GET", revision, conn=many)
        tap.check("one more is told that there are too many", status == 503 and reply["title"] == "Too many connections"
                  and c.headers.get("Retry-After") == "1", (status, reply, c.headers))
        tap.same("who was there is served on", c.ask("GET", revision, conn=first[0])[0], 200)
        tap.has("another listener has its own", run(*socket_ask).stdout, "mirach_http_connections_refused_total 1")
        silent = [socket.create_connection(("127.0.0.1", c.port)) for _ in range(60)]

        def connections():
            return next(int(line.split()[1]) for line in run(*socket_ask).stdout.splitlines()
                        if line.startswith("mirach_http_connections "))
        tap.check("a crowd that says nothing is left waiting", soon(lambda: connections() == 8 + 32 + 1), connections())
        for s in silent + first + [many]:
            s.close()
        tap.check("when it has gone its places are free", soon(lambda: connections() == 1), connections())
        tap.check("and all is as before", soon(lambda: c.ask("GET", revision)[0] == 200))


def soon(true):
    for _ in range(300):
        if true():
            return True
        time.sleep(0.1)
    return False


def slow_clients(c):
    """Connections that stand still hold up nobody."""
    plain = [socket.create_connection(("127.0.0.1", c.port)) for _ in range(50)]
    for s in plain[:25]:
        s.sendall(b"\x16\x03\x01")
    slow = []
    for _ in range(20):
        s = socket.create_connection(("127.0.0.1", c.plain))
        s.sendall(b"POST /v1/apply HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nkind:")
        slow.append(s)
    tap.same("70 clients that say nothing more: others are answered", c.ask("GET", WEB)[0], 200)
    tap.same("and may write", c.ask("PUT", WEB, {"labels": {"a": "b"}, "spec": {"network": "front"}})[0], 200)
    for s in plain + slow:
        s.close()
    for _ in range(20):
        s = socket.create_connection(("127.0.0.1", c.plain))
        s.sendall(b"POST /v1/apply HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
                  c.tokens["operator:ann"].encode() + b"\r\nContent-Length: 26\r\n\r\nkind: Tenant\nname: gone-by\n")
        s.close()
    tap.same("clients that go before the answer harm nobody", c.ask("GET", WEB)[0], 200)


def idle_clients():
    """Connections that stand still are closed, in whatever state; one that is used is not."""
    with Controller("--api-idle", "2") as c:
        used, watching = c.connect(), c.connect()
        watching.request("GET", "/v1/watch", headers={"Authorization": "Bearer " + c.tokens["operator:ann"]})
        watched = watching.getresponse()
        watched.readline()
        still = [socket.create_connection(("127.0.0.1", port)) for port in (c.port, c.plain)]
        half = socket.create_connection(("127.0.0.1", c.plain))
        half.sendall(b"POST /v1/apply HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nkind:")
        for _ in range(5):
            assert c.ask("GET", "/v1/revision", conn=used)[0] == 200
            time.sleep(1)
        ends = []
        for s in still + [half]:
            s.settimeout(20)
            ends.append(s.recv(4096))
        tap.same("connections that stand still are closed", [b"200 OK" in e for e in ends], [False] * 3)
        tap.has("one that listens stays", watched.readline().decode(), "BOOKMARK")
        tap.same("one that is used stays", c.ask("GET", "/v1/revision", conn=used)[0], 200)


def full_disk():
    """What the store has no room for is refused whole; what is there can be read, and room helps."""
    with Controller(largest_file=3 << 20) as c:
        assert c.apply(WORLD)[0] == 200
        for n in range(100):
            before = c.ask("GET", "/v1/export")[1]
            status, reply = c.apply("".join(f"---\n{{kind: Tenant, name: t-{n}-{i}, spec: {{description: {'x' * 250}}}}}\n"
                                            for i in range(400)))
            if status != 200:
                break
        tap.same("a full disk: 507", status, 507)
        tap.check("and what it means", reply["title"] == "The store is full" and reply["detail"], reply)
        tap.same("nothing of it happened, and all can be read", c.ask("GET", "/v1/export")[1], before)
        c.stop()
        c.largest_file = None
        c.start()
        tap.same("it is all there later", c.ask("GET", "/v1/export")[1], before)
        tap.same("and can be changed again", c.apply("kind: Tenant\nname: room\n")[0], 200)


def main():
    idle_clients()
    crowd()
    full_disk()
    with Controller() as c:
        assert c.apply(WORLD)[0] == 200
        before = c.ask("GET", "/v1/export")[1]
        bodies(c)
        sizes(c)
        no_requests(c)
        tap.same("after all this nothing has changed", c.ask("GET", "/v1/export")[1], before)
        slow_clients(c)
        tap.same("the controller is the same and stops when asked", c.stop(), 0)
    tap.done()


main()
