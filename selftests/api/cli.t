#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""mirachctl apply, get, describe, diff, delete, wait, watch, export against a real controller."""
import json
import os
import subprocess
import sys

import yaml

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from api import MIRACHCTL, ROOT, Controller, tap  # noqa: E402

EXAMPLES = os.path.join(ROOT, "docs/examples/networks")
OK, FAILED, USAGE, UNREACHABLE, NOT_FOUND, DIFFERENT, BEHIND = range(7)


def ends(what, done, code, part=""):
    tap.check(what, done.returncode == code and part in done.stdout + done.stderr,
              f"exit {done.returncode}\n{done.stdout}{done.stderr}\nexpected: exit {code}, {part!r}")
    return done


def write(c, name, text):
    path = c.path(name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def apply(c):
    ends("a dry run of the examples", c.ctl("apply", "-f", EXAMPLES + "/fabric.yaml", "--dry-run"), OK, "created (dry run)")
    ends("apply a file", c.ctl("apply", "-f", EXAMPLES + "/fabric.yaml"), OK, "Tenant acme")
    ends("a second file", c.ctl("apply", "--file=" + EXAMPLES + "/acme.yaml"), OK, "Instance acme/web-1")
    ends("global scope", c.ctl("apply", "-f", EXAMPLES + "/other-region.yaml"), OK, "RemoteNetwork there/acme-front")
    ends("again: nothing changes", c.ctl("apply", "-f", EXAMPLES + "/acme.yaml"), OK, "unchanged")
    done = c.ctl("export")
    folder = c.path("all")
    os.makedirs(folder)
    write(c, "all/export.yaml", done.stdout)
    ends("an export is applied as it is, from a folder", c.ctl("apply", "-f", folder), OK, "unchanged")
    tap.check("and changes nothing", "updated" not in c.ctl("apply", "-f", folder).stdout)
    text = "kind: Network\nname: side\n---\n{\"kind\": \"Subnet\", \"name\": \"s\", \"spec\": {\"network\": \"side\", \"prefix\": \"10.5.0.0/24\"}}\n"
    ends("standard input, and the tenant of the settings", c.ctl("apply", "-f", "-", input=text), OK, "Network acme/side")
    ends("another tenant", c.ctl("apply", "-f", "-", "--tenant", "widgets", input="kind: Network\nname: w\n"), OK, "Network widgets/w")


def mistakes(c):
    path = write(c, "wrong.yaml", "kind: Instance\ntenant: acme\nname: x\nspec:\n  network: front\n  mac: zz\n---\n"
                                  "kind: Subnet\ntenant: acme\nname: y\nspec:\n  network: front\n  prefix: 10.0.0.0/25\n")
    ends("what cannot be read is told with file and line", c.ctl("apply", "-f", path), FAILED,
         "wrong.yaml:6: Instance acme/x: spec.mac: \"zz\" is not a MAC")
    path = write(c, "overlap.yaml", "kind: Subnet\ntenant: acme\nname: y\nspec:\n  network: front\n\n  prefix: 10.0.0.0/25\n")
    ends("what is not valid, too", c.ctl("apply", "-f", path), FAILED,
         "overlap.yaml:7: Subnet acme/y: spec.prefix: overlaps 10.0.0.0/24 of Subnet front-v4")
    ends("a file that is not there", c.ctl("apply", "-f", "/nonexistent.yaml"), NOT_FOUND, "cannot open")
    ends("a folder without documents", c.ctl("apply", "-f", c.path("ca")), NOT_FOUND, "holds no *.yaml")
    ends("no YAML", c.ctl("apply", "-f", "-", input="a: [\n"), FAILED, "standard input:")
    ends("no -f", c.ctl("apply"), USAGE, "-f FILE is wanted")
    ends("an unknown kind", c.ctl("get", "instanzes"), USAGE, "did you mean Instance?")
    ends("an unknown object", c.ctl("get", "instance", "acme/nope"), NOT_FOUND, "there is no Instance acme/nope")
    ends("a wrong output", c.ctl("get", "hosts", "-o", "xml"), USAGE, "table, json, yaml")
    ends("a wrong option", c.ctl("apply", "--fiel", "x"), USAGE, "did you mean --file?")
    ends("a command nearly right", c.ctl("applyy"), USAGE, "did you mean `apply`?")
    ends("wait takes a number", c.ctl("apply", "-f", path, "--wait=x"), USAGE, "no number")
    ends("no token", c.ctl("get", "hosts", who=None), FAILED, "Who is asking?")
    ends("a tenant asks for hosts", c.ctl("get", "hosts", who="tenant:acme"), FAILED, "Not allowed")
    ends("nobody listens", c.ctl("get", "hosts", "--server", "https://127.0.0.1:1"), UNREACHABLE, "cannot reach")
    ends("a foreign controller", c.ctl("get", "hosts", "--ca", "/etc/ssl/certs/ca-certificates.crt"), UNREACHABLE, "certificate")
    write(c, "broken.yaml", "[1]\n")
    done = subprocess.run([MIRACHCTL, "get", "hosts"], capture_output=True, text=True, check=False,
                          env=dict(os.environ, MIRACH_CONFIG=c.path("broken.yaml")))
    ends("settings that are none", done, FAILED, "a map is wanted")


def looking(c):
    done = ends("a table", c.ctl("get", "instances"), OK, "acme/web-2")
    tap.check("with headings", done.stdout.split()[:3] == ["NAME", "NETWORK", "ADDRESSES"], done.stdout)
    tap.has("and what is asked for", done.stdout, "10.0.0.12")
    done = ends("a selector", c.ctl("get", "instances", "-l", "role=web"), OK)
    tap.same("selects", len(done.stdout.splitlines()), 3)
    for kind in ("tenants", "hosts", "hoverboards", "networks", "subnets", "peerings", "routes", "remotenetworks"):
        ends(f"get {kind}", c.ctl("get", kind), OK, "REVISION")
    done = ends("one object as JSON", c.ctl("get", "instance", "acme/web-2", "-o", "json"), OK)
    web = json.loads(done.stdout)
    done = ends("the same as YAML", c.ctl("get", "instance", "web-2", "-o", "yaml"), OK)
    tap.same("is the same", yaml.safe_load(done.stdout), web)
    done = ends("--json works, too", c.ctl("get", "hosts", "--json"), OK)
    tap.same("for lists", [o["name"] for o in json.loads(done.stdout)], ["gateway-1", "host-a", "host-b"])
    ends("describe says who uses it", c.ctl("describe", "network", "front"), OK, "used by instances: web-1 web-2 web-3")
    ends("a host's instances", c.ctl("describe", "host", "host-b"), OK, "used by instances: acme/db-1 acme/web-2")
    done = ends("a tenant's view", c.ctl("get", "instances", "-o", "yaml", who="tenant:acme"), OK)
    tap.check("without hosts", "host" not in done.stdout, done.stdout)


def changing(c):
    path = write(c, "web-2.yaml", "kind: Instance\ntenant: acme\nname: web-2\nlabels: {role: web, v: '2'}\n"
                                  "spec: {network: front, host: host-a, device: tap7, subnets: [front-v4]}\n")
    done = ends("diff shows what would change", c.ctl("diff", "-f", path), DIFFERENT, 'spec.host: "host-b"')
    for line in ('+ spec.host: "host-a"', '+ labels.v: "2"', '- spec.netns: "web-2"'):
        tap.has(f"  {line}", done.stdout, line)
    tap.check("but not what is kept", "spec.mac" not in done.stdout, done.stdout)
    ends("apply makes it so", c.ctl("apply", "-f", path), OK, "updated")
    ends("then there is no difference", c.ctl("diff", "-f", path), OK)
    ends("delete what is in use", c.ctl("delete", "network", "acme/front"), FAILED, "is still used by")
    ends("delete needs a name", c.ctl("delete", "network"), USAGE, "KIND NAME")
    ends("delete what is not there", c.ctl("delete", "instance", "acme/nope"), FAILED, "does not exist")
    ends("a dry delete", c.ctl("delete", "instance", "acme/web-3", "--dry-run"), OK, "deleted (dry run)")
    ends("delete", c.ctl("delete", "instance", "acme/web-3"), OK, "deleted")
    ends("is gone", c.ctl("get", "instance", "acme/web-3"), NOT_FOUND)
    ends("delete a whole file", c.ctl("delete", "-f", EXAMPLES + "/other-region.yaml"), OK, "deleted")


def watching(c):
    env = dict(os.environ, MIRACH_SERVER=f"https://127.0.0.1:{c.port}", MIRACH_CA=c.ca, MIRACH_TOKEN=c.tokens["operator:ann"],
               MIRACH_CONFIG=c.path("config.yaml"))
    revision = str(c.ask("GET", "/v1/revision")[1]["revision"])
    with subprocess.Popen([MIRACHCTL, "watch", "--revision", revision], stdout=subprocess.PIPE, text=True, env=env) as w:
        c.ctl("apply", "-f", "-", input="kind: Tenant\nname: seen\n")
        tap.has("watch tells of a change", w.stdout.readline(), "PUT    Tenant seen")
        c.stop()
        c.start()
        c.ctl("delete", "tenant", "seen")
        tap.has("and goes on after the controller came back", w.stdout.readline(), "DELETE Tenant seen")
        w.terminate()
    ends("watch of a kind that is none", c.ctl("watch", "nope"), FAILED, "no kind")


def waiting(c):
    done = ends("apply --wait names the hosts that have not got it", c.ctl("apply", "-f", "-", "--wait=1", input="{kind: Instance, tenant: acme, name: web-1,"
         " spec: {network: front, host: host-b, device: tap0}}\n"), BEHIND, "host-b")
    revision = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("revision"))
    ends("wait likewise", c.ctl("wait", revision, "--timeout", "1"), BEHIND, "host-b")
    ends("wait for what is no revision", c.ctl("wait", "x"), USAGE, "no revision")


def main():
    with Controller() as c:
        apply(c)
        mistakes(c)
        looking(c)
        changing(c)
        watching(c)
        waiting(c)
    tap.done()


main()
