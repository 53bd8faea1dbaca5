#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# session_peer.py CA PEER WHAT - an agent that behaves in one wrong way, and prints what it hears
import json
import socket
import ssl
import struct
import sys

ca, peer, what = sys.argv[1:]
DIGEST = "0" * 32


def frame(body):
    return struct.pack("!I", len(body)) + body


def message(**fields):
    return frame(json.dumps(fields).encode())


def hello(host="h9", versions=(1,), digest=DIGEST):
    return message(msg="hello", versions=versions, host=host, agent="test", digest=digest, count=0)


def ping(n):
    return message(msg="ping", n=n)


ACK = message(msg="ack", seq=1 << 52, revision=1, digest=DIGEST)
SAYS = {
    "hello": hello(),
    "claim": hello(host="h1"),
    "early": ping(1),
    "version": hello(versions=[7]),
    "huge": hello() + struct.pack("!I", 16 << 20) + b"{" * 64,
    "garbage": hello() + frame(b"{]"),
    "deep": hello() + frame(b'{"msg":"usage","x":' + b"[" * 100 + b"]" * 100 + b"}"),
    "replay": hello() + ACK + ACK,
    "objects": hello() + message(msg="objects", bucket=0, have={}),
    "unknown": hello() + message(msg="dance") + ping(4),
    "cut": hello() + ping(5)[:9],
}


# What ends the talk from our side; without an entry, an error.
LAST = {"hello": "welcome", "unknown": "pong"}


def listen(s):
    data = b""
    while chunk := s.recv(65536):
        data += chunk
        while len(data) >= 4 and len(data) >= 4 + struct.unpack("!I", data[:4])[0]:
            n = struct.unpack("!I", data[:4])[0]
            body, data = data[4:4 + n], data[4 + n:]
            yield json.loads(body)


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(ca)
    context.load_cert_chain(f"{peer}.crt", f"{peer}.key")
    heard = []
    try:
        with socket.create_connection(("127.0.0.1", 6650), timeout=20) as plain:
            with context.wrap_socket(plain) as s:
                s.sendall(SAYS[what])
                if what == "cut":
                    socket.socket.shutdown(s, socket.SHUT_WR)
                for m in listen(s):
                    heard.append(json.dumps(m))
                    if m["msg"] == LAST.get(what, "error"):
                        break
                else:
                    heard.append("closed")
    except (ssl.SSLError, ConnectionError) as e:
        heard.append(f"refused: {e}" if not heard else f"closed: {e}")
    print(" ".join(heard))


main()
