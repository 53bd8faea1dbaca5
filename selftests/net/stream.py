#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Numbered UDP packets, so that every single one can be accounted for.

    stream.py receive ADDRESS PORT COUNT    ends COUNT packets or 5 s of silence later
    stream.py send ADDRESS PORT COUNT RATE  packets per second

The receiver prints "so far N" about five times a second and closes with
"received N lost N twice N late N". A sender that comes late catches up, but never
sends more than a handful at once. On SIGTERM it ends before COUNT, and tells the
receiver how many there were.
"""
import signal
import socket
import struct
import sys
import time

NUMBER = struct.Struct("!I")
THE_END = struct.Struct("!II")
END = 0xffffffff                # in place of a number, behind it how many there were; lost, silence says it
PATIENCE_S = 60                 # for the first packet
SILENCE_S = 5


def socket_for(address):
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)


def send(address, port, count, rate):
    sock = socket_for(address)
    sock.connect((address, port))
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    begin = time.monotonic()
    for number in range(count):
        if ended:
            sock.send(THE_END.pack(END, number))
            return
        delay = begin + number / rate - time.monotonic()
        if delay > 0:
            time.sleep(delay)
        elif delay < -0.05:
            begin -= delay
        try:
            sock.send(NUMBER.pack(number) + bytes(60))
        except OSError as error:    # e.g. an ICMP error that came back; the receiver will miss it
            print(f"{number}: {error}", flush=True)


def receive(address, port, count):
    sock = socket_for(address)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((address, port))
    sock.settimeout(PATIENCE_S)
    print("listening", flush=True)
    seen = bytearray(count)
    received = twice = late = 0
    highest, said = -1, 0.0
    while received - twice < count:
        try:
            packet = sock.recv(2048)
        except socket.timeout:
            break
        sock.settimeout(SILENCE_S)
        number = NUMBER.unpack_from(packet)[0]
        if number == END:
            count = min(count, THE_END.unpack_from(packet)[1])
            continue
        received += 1
        twice += seen[number]
        late += number < highest
        highest = max(highest, number)
        seen[number] = 1
        if time.monotonic() - said > 0.2:
            said = time.monotonic()
            print("so far", received, flush=True)
    missing = [n for n in range(count) if not seen[n]]
    if missing:
        print("missing:", *missing[:20], "..." if len(missing) > 20 else "")
    print(f"received {received} lost {len(missing)} twice {twice} late {late}", flush=True)


if __name__ == "__main__":
    verb, where, *numbers = sys.argv[1:]
    {"send": send, "receive": receive}[verb](where, *map(int, numbers))
