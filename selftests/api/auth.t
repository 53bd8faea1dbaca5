#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Who may what: certificates and tokens, operator and tenants, and who is refused."""
import os
import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from api import BUILD, Controller, WORLD, run, tap  # noqa: E402


def openssl(*argv):
    made = run("openssl", *argv)
    assert made.returncode == 0, made.stderr


def signed(c, name, subject, ca, days):
    """A certificate for @subject by @ca, which must fail somewhere."""
    key, request, crt = (c.path(f"{name}.{end}") for end in ("key", "csr", "crt"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={subject}",
            "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial", "-days", str(days),
            "-out", crt)
    return crt, key


def by_certificate(c, certificate):
    conn = c.connect(certificate)
    status, reply = c.ask("GET", "/v1/instances", who=None, conn=conn)
    conn.close()
    return status, reply


def certificates(c):
    status, reply = by_certificate(c, c.certificate("operator-ann"))
    tap.same("an operator's certificate", (status, len(reply["items"])), (200, 2))
    status, reply = by_certificate(c, c.certificate("tenant-acme"))
    tap.same("a tenant's certificate", (status, len(reply["items"])), (200, 2))
    status, reply = by_certificate(c, c.certificate("host-h1"))
    tap.same("a host's certificate is not for the API", status, 403)
    tap.has("and it says so", reply["detail"], "host:h1")
    tap.same("no certificate and no token", by_certificate(c, None)[0], 401)
    ours = (c.ca, c.ca.replace(".crt", ".key"))
    status, why = by_certificate(c, signed(c, "old", "operator:ann", ours, -1))
    tap.same("an expired certificate is refused", status, 401)
    tap.has("and it says why", why["detail"], "certificate has expired")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=evil",
            "-keyout", c.path("evil.key"), "-out", c.path("evil.crt"))
    status, why = by_certificate(c, signed(c, "foreign", "operator:ann", (c.path("evil.crt"), c.path("evil.key")), 9))
    tap.same("a foreign certificate is refused", status, 401)
    tap.has("and it says so", why["detail"], "is not trusted")
    status, why = by_certificate(c, signed(c, "nobody", "ann", ours, 9))
    tap.same("a name without a role", status, 403)


def tokens(c):
    def ask(value):
        return c.ask("GET", "/v1/revision", who=None, headers={"Authorization": value})
    tap.same("a token that is none", ask("Bearer 0000")[0], 401)
    tap.has("asks for one", c.headers, "WWW-Authenticate")
    tap.same("another scheme", ask("Basic YTpi")[0], 401)
    tap.same("none at all", c.ask("GET", "/v1/revision", who=None)[0], 401)
    old = c.add_token("tenant:acme", "2020-01-01T00:00:00Z")
    status, reply = ask("Bearer " + old)
    tap.same("an expired token, in a file read again without a restart", status, 401)
    tap.has("is said to be expired", reply["detail"], "expired")
    fresh = c.add_token("tenant:acme", "2999-01-01T00:00:00Z")
    tap.same("one with time left", ask("Bearer " + fresh)[0], 200)
    with open(c.path("tokens"), "a", encoding="utf-8") as out:
        out.write("nonsense\n")
    tap.same("a broken file leaves the tokens as they were", ask("Bearer " + fresh)[0], 200)
    c.tokens["tenant:acme"] = fresh
    mode = os.stat(c.path("api.sock")).st_mode & 0o777
    tap.same("the socket is for its owner", mode, 0o600)
    seen = run("curl", "-s", "--unix-socket", c.path("api.sock"), "http://x/v1/hosts")
    tap.has("who may open it is the operator", seen.stdout, "192.0.2.1")
    seen = run("curl", "-s", f"http://127.0.0.1:{c.plain}/v1/hosts")
    tap.has("plain HTTP wants a token", seen.stdout, '"status":401')


def tenants(c):
    acme = "tenant:acme"
    status, reply = c.ask("GET", "/v1/tenants/acme/instances/web-1", who=acme)
    tap.same("a tenant sees its instance, not where it runs", sorted(reply["spec"]),
             ["addresses", "mac", "network"])
    status, reply = c.ask("GET", "/v1/tenants/acme/networks/front", who=acme)
    tap.same("its network, not the VNI", sorted(reply["spec"]), ["gatewayMac"])
    tap.same("its own tenant only", [t["name"] for t in c.ask("GET", "/v1/tenants", who=acme)[1]["items"]], ["acme"])
    tap.same("its own objects only", {o["tenant"] for o in c.ask("GET", "/v1/networks", who=acme)[1]["items"]}, {"acme"})
    tap.same("and in the export", {o["tenant"] for o in c.ask("GET", "/v1/export", who=acme)[1]["items"]}, {"acme"})
    refused = {p: c.ask(m, p, b, who=acme)[0] for m, p, b in (
        ("GET", "/v1/hosts", None), ("GET", "/v1/hosts/h1", None), ("GET", "/v1/hoverboards", None),
        ("GET", "/v1/tenants/other", None), ("GET", "/v1/tenants/other/networks", None),
        ("GET", "/v1/tenants/nobody/networks/x", None), ("GET", "/metrics", None),
        ("PUT", "/v1/tenants/acme", {"spec": {"maxInstances": 9}}), ("DELETE", "/v1/hosts/h2", None),
        ("PUT", "/v1/tenants/other/networks/net", {"spec": {}}), ("GET", "/v1/remotenetworks", None))}
    tap.same("everything else is forbidden, there or not", set(refused.values()), {403})
    status, reply = c.apply("kind: Network\ntenant: acme\nname: mine\n---\nkind: Network\ntenant: other\nname: theirs\n",
                            who=acme)
    tap.same("a transaction with somebody else's object is refused whole",
             (status, c.ask("GET", "/v1/tenants/acme/networks/mine")[0]), (403, 404))
    status, reply = c.ask("PUT", "/v1/tenants/acme/instances/web-1", {"spec": {"network": "front", "host": "h2"}}, who=acme)
    tap.same("a tenant does not place instances", (status, reply["errors"][0]["field"]), (422, "spec.host"))
    before = c.ask("GET", "/v1/tenants/acme/instances/web-1")[1]
    status, reply = c.ask("PUT", "/v1/tenants/acme/instances/web-1", {"labels": {"x": "y"}, "spec": {"network": "front"}},
                          who=acme)
    after = c.ask("GET", "/v1/tenants/acme/instances/web-1")[1]
    tap.same("its change leaves the placement alone", (status, after["spec"]), (200, before["spec"]))
    status, reply = c.apply("kind: Network\nname: short\n", who=acme)
    tap.same("a tenant's own name may be left out", (status, reply["results"][0]["tenant"]), (200, "acme"))
    status, reply = c.apply("kind: Instance\nname: i\nspec: {network: nope}\n", who=acme)
    tap.check("what it is told names no host and no VNI", "h1" not in str(reply) and "vni" not in str(reply).lower(), reply)


def refuses_to_start(c):
    binary = os.path.join(BUILD, "mirach-controller")
    store = "sqlite:" + c.path("other.db")
    for what, words, why in (
            ("plain HTTP for the world", ["--api-plain", "0.0.0.0:7380"], "only loopback addresses"),
            ("TLS without a key", ["--api", "127.0.0.1:1", "--ca", c.ca], "needs --ca, --cert and --key"),
            ("a listener without a port", ["--api-plain", "127.0.0.1"], "not an address with a port"),
            ("tokens that are not there", ["--tokens", "/nonexistent"], "cannot read"),
            ("a range of VNIs that is none", ["--vni-range", "9-1"], "is like"),
            ("a number that is none", ["--api-connections", "many"], "--api-connections wants a number from 1")):
        done = run(binary, "--store", store, *words)
        tap.check(f"{what} is refused", done.returncode and why in done.stderr, done)


def main():
    with Controller() as c:
        assert c.apply(WORLD)[0] == 200
        certificates(c)
        tokens(c)
        tenants(c)
        refuses_to_start(c)
    tap.done()


main()
