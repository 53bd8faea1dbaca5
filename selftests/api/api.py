# SPDX-License-Identifier: BSD-2-Clause
"""A real controller on loopback for the tests of the API, and TAP.

    with Controller() as c:
        status, reply = c.ask("GET", "/v1/revision")
        tap.check("it has a revision", status == 200, reply)
    tap.done()

The store is SQLite in a directory of its own (or API_STORE, like etcd:http://127.0.0.1:2379, which must
be empty); certificates come from `mirachctl ca`,
those that must fail from openssl. Everything goes away on any exit.
"""
import atexit
import json
import os
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import http.client

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
MIRACHCTL = os.path.join(BUILD, "mirachctl")


class Tap:
    """Test results; done() prints the plan and ends the program."""

    def __init__(self):
        self.n = self.failed = 0

    def check(self, what, good, seen=None):
        self.n += 1
        print(f"{'ok' if good else 'not ok'} {self.n} - {what}", flush=True)
        if not good:
            self.failed += 1
            print("# seen: " + str(seen).replace("\n", "\n# "), flush=True)

    def same(self, what, seen, expected):
        self.check(what, seen == expected, f"{seen!r}\nexpected: {expected!r}")

    def has(self, what, seen, part):
        text = seen if isinstance(seen, str) else json.dumps(seen)
        self.check(what, part in text, f"{text}\nexpected therein: {part}")

    def done(self):
        print(f"1..{self.n}")
        sys.exit(1 if self.failed else 0)


tap = Tap()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*argv, **kwargs):
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, **kwargs)


class Controller:
    """mirach-controller with TLS, plain and socket listeners."""

    def __init__(self, *options, largest_file=None):
        """@largest_file: bytes a file of it can have, which is a full disk to it."""
        self.largest_file = largest_file
        self.dir = tempfile.mkdtemp(prefix="mirach-api-")
        self.options = options
        self.process = None
        self.port, self.plain = free_port(), free_port()
        atexit.register(self.close)
        self.make_certificates()
        self.tokens = {}
        for who in ("operator:ann", "tenant:acme", "tenant:other"):
            self.add_token(who)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    def path(self, name):
        return os.path.join(self.dir, name)

    def make_certificates(self):
        ca = self.path("ca")
        for words in (["init"], ["controller", "c1", "--address", "127.0.0.1,localhost"],
                      ["operator", "ann"], ["tenant", "acme"], ["host", "h1"]):
            made = run(MIRACHCTL, "ca", *words, "--dir", ca)
            assert made.returncode == 0, made.stderr
        self.ca = os.path.join(ca, "ca.crt")

    def certificate(self, name):
        """(certificate, key) of "operator-ann" and the like, wherever ca put it."""
        found = {}
        for base, _, names in os.walk(self.path("ca")):
            for n in names:
                found[n] = os.path.join(base, n)
        return found[name + ".crt"], found[name + ".key"]

    def add_token(self, who, until=""):
        made = run(MIRACHCTL, "token", who)
        assert made.returncode == 0, made.stderr
        token = made.stderr.splitlines()[1]
        with open(self.path("tokens"), "a", encoding="utf-8") as out:
            out.write(made.stdout.strip() + (" " + until if until else "") + "\n")
        self.tokens[who] = token
        return token

    def start(self):
        cert, key = self.certificate("controller-c1")
        self.log = open(self.path("log"), "a", encoding="utf-8")
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "mirach-controller"), "--store",
             os.environ.get("API_STORE") or "sqlite:" + self.path("store.db"),
             "--api", f"127.0.0.1:{self.port}", "--api-plain", f"127.0.0.1:{self.plain}",
             "--api-socket", self.path("api.sock"), "--ca", self.ca, "--cert", cert, "--key", key,
             "--tokens", self.path("tokens"), *self.options], stdout=self.log, stderr=self.log,
            preexec_fn=self.limit)
        for _ in range(600):
            try:
                if self.ask("GET", "/healthz")[0] == 200:
                    return
            except OSError:
                pass
            assert self.process.poll() is None, open(self.path("log"), encoding="utf-8").read()
            time.sleep(0.1)
        raise AssertionError("the controller does not come up")

    def limit(self):
        if self.largest_file:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.largest_file, self.largest_file))

    def stop(self, kill=False):
        if self.process:
            self.process.kill() if kill else self.process.terminate()
            status = self.process.wait(60)
            self.process = None
            self.log.close()
            return status
        return None

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def connect(self, certificate=None):
        context = ssl.create_default_context(cafile=self.ca)
        if certificate:
            context.load_cert_chain(*certificate)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)

    def ask(self, method, path, body=None, who="operator:ann", headers=None, conn=None):
        """Asks over TLS with a token; returns status and the JSON (or text) of the answer."""
        own = conn or self.connect()
        headers = dict(headers or {})
        if who:
            headers.setdefault("Authorization", "Bearer " + self.tokens[who])
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        own.request(method, path, body=body, headers=headers)
        reply = own.getresponse()
        text = reply.read().decode(errors="replace")
        self.headers = dict(reply.getheaders())
        if not conn:
            own.close()
        try:
            return reply.status, json.loads(text)
        except ValueError:
            return reply.status, text

    def apply(self, text, query="", who="operator:ann"):
        return self.ask("POST", "/v1/apply" + query, text, who)

    def ctl(self, *argv, who="operator:ann", **kwargs):
        env = dict(os.environ, MIRACH_SERVER=f"https://127.0.0.1:{self.port}", MIRACH_CA=self.ca,
                   MIRACH_CONFIG=self.path("config.yaml"))
        env.pop("MIRACH_TOKEN", None)
        if not os.path.exists(env["MIRACH_CONFIG"]):
            with open(env["MIRACH_CONFIG"], "w", encoding="utf-8") as out:
                out.write("tenant: acme\n")
        if who:
            env["MIRACH_TOKEN"] = self.tokens[who]
        return run(MIRACHCTL, *argv, env=env, **kwargs)


WORLD = """
kind: Tenant
name: acme
---
kind: Tenant
name: other
---
kind: Host
name: h1
spec: {underlay: [192.0.2.1], uplinks: [{device: eth0}]}
---
kind: Host
name: h2
spec: {underlay: [192.0.2.2]}
---
kind: Hoverboard
name: hb
spec: {host: h2}
---
kind: Network
tenant: acme
name: front
---
kind: Subnet
tenant: acme
name: a
spec: {network: front, prefix: 10.0.0.0/24}
---
kind: Instance
tenant: acme
name: web-1
labels: {role: web}
spec: {network: front, host: h1, device: tap0}
---
kind: Instance
tenant: acme
name: db-1
labels: {role: db}
spec: {network: front}
---
kind: Network
tenant: other
name: net
---
kind: Peering
tenant: acme
name: out
spec: {network: front, peer: other/net}
---
kind: Route
tenant: acme
name: default
spec: {network: front, prefix: 0.0.0.0/0, nextHop: {instance: web-1}}
"""
