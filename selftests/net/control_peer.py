#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""control_peer.py - a controller that does as it is told, for tests of the agent's side

    control_peer.py serve ADDRESS PORT CA CERT KEY DIR
    control_peer.py objects <host.yaml

`serve` speaks the host protocol, with whomever the CA vouches for. What a host should
have is DIR/HOST.json, {"revision": 1, "objects": {id: spec}}; whenever that file changes
the difference is sent. A file DIR/HOST.raw is sent as it is, and removed. What happens
is printed, a line each: `hello`, `sent`, `ack`, `bind`, `usage`, `gone`.

`objects` turns a configuration file into such a JSON, tenant `t`.
"""
import hashlib
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

import yaml

LOCK = threading.Lock()


def say(*words):
    with LOCK:
        print(*words, flush=True)


def digest(spec):
    return hashlib.md5(json.dumps(spec, sort_keys=True).encode()).hexdigest()


class Session:
    def __init__(self, conn, directory):
        self.conn, self.dir = conn, directory
        self.host, self.have, self.waiting = None, {}, set()
        self.seq, self.stamp, self.sent = 0, None, {}

    def send(self, **msg):
        body = json.dumps(msg).encode()
        self.conn.sendall(struct.pack('>I', len(body)) + body)

    def take(self, n):
        data = b''
        while len(data) < n:
            try:
                more = self.conn.recv(n - len(data))
            except socket.timeout:
                if not data:
                    raise
                continue
            if not more:
                raise EOFError
            data += more
        return data

    def heard(self):
        """The next message, or None if there is none now."""
        try:
            size, = struct.unpack('>I', self.take(4))
        except socket.timeout:
            return None
        return json.loads(self.take(size))

    def update(self):
        """Sends what differs from DIR/HOST.json, if that has changed."""
        path = f'{self.dir}/{self.host}.json'
        try:
            stamp = os.stat(path).st_mtime_ns
        except FileNotFoundError:
            return
        if stamp == self.stamp:
            return
        self.stamp = stamp
        with open(path) as f:
            want = json.load(f)
        changed = [{'id': i, 'v': digest(s), 'spec': s} for i, s in want['objects'].items()
                   if self.have.get(i) != digest(s)]
        gone = [i for i in self.have if i not in want['objects']]
        if not changed and not gone:
            say('same', self.host, want['revision'])
            return
        self.seq += 1
        half = len(changed) // 2                # in two frames, as large ones come
        self.send(msg='update', seq=self.seq, revision=want['revision'], set=changed[:half],
                  more=True, future=1)
        self.send(msg='update', seq=self.seq, revision=want['revision'], set=changed[half:],
                  more=False, **{'del': gone})
        self.sent[self.seq] = {o['id']: o['v'] for o in changed}, gone
        say('sent', self.host, self.seq, 'set', len(changed), 'del', len(gone))

    def raw(self):
        path = f'{self.dir}/{self.host}.raw'
        if os.path.exists(path):
            with open(path, 'rb') as f:
                data = f.read()
            os.unlink(path)
            self.conn.sendall(data)
            say('raw', self.host, len(data))

    def on_hello(self, msg):
        self.host = msg['host']
        say('hello', self.host, 'count', msg['count'], msg['digest'])
        self.send(msg='welcome', version=1, usage_ms=50, ping_ms=1000, more='to come')
        self.send(msg='query', what='bucket', buckets=list(range(256)))
        self.waiting = set(range(256))

    def on_objects(self, msg):
        self.have.update(msg['have'])
        self.waiting.discard(msg['bucket'])

    def on_ack(self, msg):
        if 'error' in msg:
            say('ack', self.host, msg['seq'], 'error', json.dumps(msg['error']))
            return
        changed, gone = self.sent.get(msg['seq'], ({}, []))
        self.have.update(changed)
        for i in gone:
            self.have.pop(i, None)
        say('ack', self.host, msg['seq'], 'ok', msg['digest'])

    def on_bind(self, msg):
        say('bind', self.host, json.dumps(msg, sort_keys=True))
        if msg['instance'].startswith('t.'):
            self.send(msg='bound', instance=msg['instance'])
        else:
            self.send(msg='bound', instance=msg['instance'], error='there is no such instance')

    def on_ping(self, msg):
        self.send(msg='pong', n=msg['n'])

    def on_usage(self, msg):
        say('usage', self.host, json.dumps(msg['pairs']))

    def on_report(self, msg):
        say('report', self.host, json.dumps(msg['vports']))

    def on_error(self, msg):
        say('error', self.host, msg['text'])

    def run(self):
        while True:
            msg = self.heard()
            if msg:
                getattr(self, 'on_' + msg['msg'], lambda m: None)(msg)
            if self.host and not self.waiting:
                self.update()
                self.raw()


def talk(conn, context, directory):
    session = None
    try:
        conn = context.wrap_socket(conn, server_side=True)
        conn.settimeout(0.02)
        session = Session(conn, directory)
        session.run()
    except (EOFError, OSError, ValueError) as e:
        say('gone', session.host if session else '-', type(e).__name__)
    finally:
        conn.close()


def serve(address, port, ca, cert, key, directory):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(cert, key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    server = socket.socket(family)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, int(port)))
    server.listen(16)
    say('listening')
    while True:
        conn, _ = server.accept()
        threading.Thread(target=talk, args=(conn, context, directory), daemon=True).start()


def objects():
    c = yaml.safe_load(sys.stdin)
    out = {'host/self': dict(underlay=c['host']['underlay'], uplinks=c['host']['uplinks'],
                             encapsulation=c['encapsulation'], role='host')}
    for n in c['networks']:
        out['network/t.' + n.pop('name')] = n
    for v in c['vports'] or []:
        v['network'] = 't.' + v['network']
        out['vport/t.' + v.pop('name')] = v
    for r in c['remotes'] or []:
        r['network'] = 't.' + r['network']
        out[f'route/{r["network"]}/{r["prefix"]}'] = r
    json.dump({'revision': int(time.time() * 1000), 'objects': out}, sys.stdout, indent=1)


if sys.argv[1:2] == ['objects']:
    objects()
else:
    serve(*sys.argv[2:])
