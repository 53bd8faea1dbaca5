#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Objects over HTTPS: transactions, revisions, dry runs, lists, watches, restarts."""
import json
import os
import sqlite3
import sys
import threading

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from api import Controller, WORLD, tap  # noqa: E402

WEB = "/v1/tenants/acme/instances/web-1"


def outcomes(reply):
    return sorted({r["outcome"] for r in reply["results"]})


def transactions(c):
    status, reply = c.apply(WORLD, "?dryRun=true")
    tap.same("a dry run says what would be created", (status, outcomes(reply), reply["dryRun"]),
             (200, ["created"], True))
    tap.has("a dry run shows what would be allocated", reply, '"mac": "02:')
    tap.same("and changes nothing", c.ask("GET", "/v1/tenants")[1]["items"], [])
    status, reply = c.apply(WORLD)
    tap.same("the world is created in one revision", (status, outcomes(reply)), (200, ["created"]))
    revision = reply["revision"]
    status, again = c.apply(WORLD)
    tap.same("applied again it is unchanged, no revision is used",
             (outcomes(again), again["revision"]), (["unchanged"], revision))
    status, reply = c.apply("kind: Tenant\nname: new\n---\nkind: Subnet\ntenant: acme\nname: b\n"
                            "spec: {network: front, prefix: 10.0.0.128/25}\n---\nkind: Instance\n"
                            "tenant: acme\nname: x\nspec: {network: front, addresses: [10.0.0.1], host: h9}\n")
    tap.same("a wrong transaction is refused whole", status, 422)
    tap.same("with every error", [(e["object"], e.get("field")) for e in reply["errors"]],
             [("Subnet acme/b", "spec.prefix"), ("Instance acme/x", "spec.host"),
              ("Instance acme/x", "spec.addresses[0]")])
    tap.has("and what to do", reply["errors"][1]["problem"], "declare it before")
    tap.same("of which nothing is there", c.ask("GET", "/v1/tenants/new")[0], 404)
    status, reply = c.apply("kind: Network\ntenant: acme\nname: tmp\n---\n{kind: Network, tenant: other, name: net,"
                            " delete: true}\n---\n{kind: Peering, tenant: acme, name: out, delete: true}\n")
    tap.same("creating and deleting go together", (status, outcomes(reply)), (200, ["created", "deleted"]))
    status, reply = c.ask("POST", "/v1/apply", json.dumps([{"kind": "Network", "tenant": "other", "name": "net"},
                                                           {"kind": "Network", "tenant": "acme", "name": "tmp",
                                                            "delete": True}]))
    tap.same("a JSON list is as good", (status, outcomes(reply)), (200, ["created", "deleted"]))
    return revision


def revisions(c):
    status, web = c.ask("GET", WEB)
    status, changed = c.ask("PUT", WEB, dict(web, labels={"role": "web", "v": "2"}))
    tap.same("a change with the revision that was read", (status, changed["labels"]),
             (200, {"role": "web", "v": "2"}))
    tap.check("has a new revision", changed["revision"] > web["revision"], changed)
    tap.same("and keeps what was allocated", changed["spec"], web["spec"])
    status, reply = c.ask("PUT", WEB, dict(web, labels={}))
    tap.same("an old revision is a conflict", status, 409)
    tap.has("that says where it is now", reply, f"is at revision {changed['revision']} by now")
    tap.same("nothing of it happened", c.ask("GET", WEB)[1], changed)
    tap.same("delete with an old revision", c.ask("DELETE", WEB + "?revision=1")[0], 409)
    results = []

    def race(n):
        results.append(c.ask("PUT", WEB, dict(changed, labels={"racer": str(n)}), conn=c.connect())[0])
    threads = [threading.Thread(target=race, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    tap.same("of eight writers with one revision one wins", sorted(results), [200] + [409] * 7)
    status, reply = c.ask("PUT", "/v1/tenants/acme/instances/new", {"spec": {"network": "front"}})
    tap.same("a new object is 201", (status, reply["name"]), (201, "new"))
    address = reply["spec"]["addresses"]
    tap.same("it goes again", c.ask("DELETE", "/v1/tenants/acme/instances/new")[0], 200)
    status, reply = c.ask("PUT", "/v1/tenants/acme/instances/new", {"spec": {"network": "front"}})
    tap.same("and gets the same address when it comes back", reply["spec"]["addresses"], address)


def lists(c):
    text = "".join(f"---\nkind: Instance\ntenant: acme\nname: many-{i:03}\nlabels: {{n: '{i % 5}'}}\n"
                   "spec: {network: front}\n" for i in range(120))
    tap.same("120 instances in one transaction", c.apply(text)[0], 200)
    names, more, pages = [], "", 0
    while True:
        status, reply = c.ask("GET", "/v1/tenants/acme/instances?limit=25&labels=n" + more)
        names += [o["name"] for o in reply["items"]]
        pages += 1
        if "continue" not in reply:
            break
        more = "&continue=" + reply["continue"]
    tap.same("pages hold each of them once, in order", names, [f"many-{i:03}" for i in range(120)])
    tap.check("in several pages", pages >= 5, pages)
    count = {s: len(c.ask("GET", "/v1/instances?labels=" + s)[1]["items"])
             for s in ("n=3", "n!=3,n", "!n", "n=3,role=web")}
    tap.same("selectors select", (count["n=3"], count["n!=3,n"], count["n=3,role=web"]), (24, 96, 0))
    addresses = [a for o in c.ask("GET", "/v1/instances")[1]["items"] for a in o["spec"]["addresses"]]
    tap.same("no address was given twice", len(addresses), len(set(addresses)))
    tap.same("selectors that are none", c.ask("GET", "/v1/instances?labels==")[0], 400)
    tap.same("limits that are none", c.ask("GET", "/v1/instances?limit=0")[0], 400)


def read_events(c, path, enough):
    """Lines of a watch until enough(events)."""
    conn = c.connect()
    conn.request("GET", path, headers={"Authorization": "Bearer " + c.tokens["operator:ann"]})
    reply, events = conn.getresponse(), []
    while not enough(events):
        events.append(json.loads(reply.readline()))
    conn.close()
    return events


def watches(c):
    revision = c.ask("GET", "/v1/revision")[1]["revision"]
    c.apply("kind: Tenant\nname: seen\n")
    c.apply("kind: Tenant\nname: seen\nlabels: {a: b}\n")
    c.ask("DELETE", "/v1/tenants/seen")
    events = read_events(c, f"/v1/watch?revision={revision}", lambda e: len([x for x in e if x["type"] == "DELETE"]))
    kinds = [(e["type"], e["object"]["name"]) for e in events if e["type"] != "BOOKMARK"]
    tap.same("a watch tells what happened since", kinds, [("PUT", "seen"), ("PUT", "seen"), ("DELETE", "seen")])
    rest = read_events(c, f"/v1/watch?revision={events[1]['revision']}&kind=tenant",
                       lambda e: len([x for x in e if x["type"] == "DELETE"]))
    tap.same("and goes on where it was", [e["type"] for e in rest if e["type"] != "BOOKMARK"], ["PUT", "DELETE"])
    tap.same("a kind that is none", c.ask("GET", "/v1/watch?kind=foo")[0], 400)


def statuses(c):
    def peering():
        return c.ask("GET", "/v1/tenants/acme/peerings/there")[1]["status"]
    c.apply("{kind: Network, tenant: acme, name: far}\n---\n{kind: Peering, tenant: acme, name: there, spec:"
            " {network: front, peer: acme/far}}\n")
    tap.same("a peering one side has declared", peering(), {"active": False})
    c.apply("{kind: Peering, tenant: acme, name: back, spec: {network: far, peer: acme/front}}\n")
    tap.same("and both", peering(), {"active": True})
    c.apply("{kind: Host, name: h3, spec: {underlay: [192.0.2.3]}}\n---\n{kind: Hoverboard, name: hc, spec:"
            " {host: h3}}\n---\n{kind: Network, tenant: acme, name: far, spec: {hoverboards: [hc]}}\n")
    tap.has("the operator is told of a hoverboard that carries one alone", peering().get("problem"),
            "hoverboard hb carries acme/front alone")
    tap.same("the tenant is not", c.ask("GET", "/v1/tenants/acme/peerings/there", who="tenant:acme")[1]["status"],
             {"active": True})
    c.apply("{kind: Network, tenant: acme, name: far, spec: {hoverboards: [hb, hc]}}\n")
    tap.same("all is well when both are carried by the same", peering(), {"active": True})
    c.apply("{kind: Network, tenant: acme, name: far}\n---\n{kind: Hoverboard, name: hb, delete: true}\n---\n"
            "{kind: Hoverboard, name: hc, delete: true}\n---\n{kind: Host, name: h3, delete: true}\n")
    tap.has("it is told of two that nobody carries", peering().get("problem"), "no hoverboard carries the two")
    c.apply("{kind: Hoverboard, name: hb, spec: {host: h2}}\n")


def waits(c):
    move = "kind: Instance\ntenant: acme\nname: web-1\nspec: {network: front, host: h2, device: tap0}\n"
    status, reply = c.apply(move, "?wait=1")
    moved = reply["revision"]
    tap.same("hosts that are away are waited for and named", (status, reply["programmed"]["programmed"],
                                                           "h2" in reply["programmed"]["missing"]), (202, False, True))
    status, reply = c.apply("kind: Instance\nname: web-1\nlabels: {a: b}\nspec: {network: front}\n", "?wait=1",
                            who="tenant:acme")
    tap.same("a tenant is told how many at most", (status, "missing" in reply.get("programmed", {})), (status, False))
    status, reply = c.ask("GET", f"/v1/programming?wait=0&revision={moved}")
    tap.same("it can be asked afterwards", (status, reply["programmed"]), (202, False))
    tap.same("a wait that is too long", c.apply(move, "?wait=601")[0], 400)


def restart(c):
    before = c.ask("GET", "/v1/export")[1]
    tap.same("killed", c.stop(kill=True), -9)
    c.start()
    tap.same("everything is there after kill -9", c.ask("GET", "/v1/export")[1], before)
    c.apply("kind: Tenant\nname: after\n")
    tap.same("it stops when asked", c.stop(), 0)


def too_far_back(c):
    if os.environ.get("API_STORE"):
        return                                  # the store's own tests compact an etcd
    with sqlite3.connect(c.path("store.db")) as db:  # as if 50,000 revisions had come since
        newest = db.execute("SELECT revision FROM state").fetchone()[0]
        db.execute("DELETE FROM history")
        db.execute("UPDATE state SET compacted = revision")
    db.close()
    c.start()
    conn = c.connect()
    conn.request("GET", f"/v1/watch?revision={newest - 1}",
                 headers={"Authorization": "Bearer " + c.tokens["operator:ann"]})
    reply = conn.getresponse()
    lines = [json.loads(line) for line in reply.read().splitlines()]  # to the end of the answer
    conn.close()
    tap.same("a watch from too far back ends with an error", [x["type"] for x in lines], ["BOOKMARK", "ERROR"])
    tap.same("which is 410, Gone", lines[-1]["status"], 410)
    tap.has("and says what to do", lines[-1]["title"], "list again")
    here = read_events(c, f"/v1/watch?revision={newest}", len)
    tap.same("one from where the list is goes on", here[0]["type"], "BOOKMARK")
    c.apply("kind: Tenant\nname: later\n")
    events = read_events(c, f"/v1/watch?revision={newest}", lambda e: [x for x in e if x["type"] == "PUT"])
    tap.same("and tells what comes next", events[-1]["object"]["name"], "later")


def main():
    with Controller() as c:
        transactions(c)
        revisions(c)
        lists(c)
        watches(c)
        statuses(c)
        waits(c)
        restart(c)
        too_far_back(c)
    tap.done()


main()
