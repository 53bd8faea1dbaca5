#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""UDP datagrams in pieces, as a kernel would never send them.

    datagrams.py receive ADDRESS PORT COUNT          a socket; closes with "whole N of COUNT"
    datagrams.py send ADDRESS PORT COUNT ORDER...    forwards, backwards, middle: 4000 bytes in three pieces,
                                                     COUNT times all of the orders in turn
    datagrams.py bad ADDRESS PORT COUNT              overlapping, tiny, odd, lonely
    datagrams.py flood ADDRESS PORT COUNT            last pieces of datagrams that have no first

Frames go out by eth0 to the MAC of the neighbour, or of the gateway.
"""
import ipaddress
import os
import random
import socket
import subprocess
import sys
import time

if sys.argv[1:2] != ["receive"]:        # Scapy takes a while to load
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
    from scapy.layers.l2 import Ether

SIZE = 4000
PIECE = 1352            # a multiple of 8 that fits everywhere
ORDERS = {"forwards": (0, 1, 2), "backwards": (2, 1, 0), "middle": (1, 0, 2)}


def content(number):
    return random.Random(number).randbytes(SIZE)


def receive(address, port, count):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((address, port))
    sock.settimeout(8)
    print("listening", flush=True)
    wanted = {content(number) for number in range(count)}
    whole = 0
    try:
        while wanted:
            data = sock.recv(65536)
            whole += data in wanted
            wanted.discard(data)
    except socket.timeout:
        pass
    print(f"whole {whole} of {count}", flush=True)


class Wire:
    """eth0, with the headers of frames to one address."""

    def __init__(self, address):
        version = "-6" if ":" in address else "-4"
        subprocess.run(["ping", version, "-n", "-q", "-c1", "-W2", address], check=True,
                       stdout=subprocess.DEVNULL)
        lines = subprocess.run(["ip", version, "-o", "neigh", "show", "dev", "eth0"], check=True,
                               stdout=subprocess.PIPE, text=True).stdout.splitlines()
        known = {line.split()[0]: line.split()[2] for line in lines if "lladdr" in line}
        got = subprocess.run(["ip", version, "-o", "route", "get", address], check=True,
                             stdout=subprocess.PIPE, text=True).stdout.split()
        hop = got[got.index("via") + 1] if "via" in got else address
        with open("/sys/class/net/eth0/address") as file:
            mac = file.read().strip()
        self.ether = Ether(src=mac, dst=known[str(ipaddress.ip_address(hop))])
        self.src, self.dst = got[got.index("src") + 1], address
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.sock.bind(("eth0", 0))

    def send(self, packet):
        self.sock.send(bytes(self.ether / packet))

    def datagram(self, port, payload):
        """The bytes of UDP header and payload, checksum right."""
        ip = IPv6 if ":" in self.dst else IP
        return bytes((ip(src=self.src, dst=self.dst) / UDP(sport=4000, dport=port) / payload)[UDP])

    def piece(self, ident, data, offset, more, proto=17):
        """One fragment; @offset in units of 8 bytes."""
        if ":" in self.dst:
            return IPv6(src=self.src, dst=self.dst) / \
                IPv6ExtHdrFragment(nh=proto, id=ident, offset=offset, m=int(more)) / data
        return IP(src=self.src, dst=self.dst, proto=proto, id=ident & 0xffff, frag=offset,
                  flags="MF" if more else 0) / data


def send(address, port, count, *orders):
    wire = Wire(address)
    for number in range(count * len(orders)):
        order = orders[number % len(orders)]
        ident = random.getrandbits(32)
        data = wire.datagram(port, content(number))
        parts = [(at // 8, data[at:at + PIECE]) for at in range(0, len(data), PIECE)]
        for i in ORDERS[order]:
            at, part = parts[i]
            wire.send(wire.piece(ident, part, at, i + 1 < len(parts)))
        time.sleep(0.01)


def bad(address, port, _count):
    wire = Wire(address)
    data = wire.datagram(port, bytes(120))
    wire.send(wire.piece(1, data[:64], 0, True))            # overlaps
    wire.send(wire.piece(1, data[56:120], 7, True))
    wire.send(wire.piece(2, bytes(TCP(sport=1, dport=2))[:16], 0, True, 6))     # tiny
    wire.send(wire.piece(3, bytes(8), 1, False, 6))         # reaches into the TCP flags
    wire.send(wire.piece(4, bytes(9), 3, True))             # odd
    wire.send(wire.piece(5, bytes(8), 8191, False))         # ends beyond 65535
    for ident in range(6, 12):                              # lonely
        wire.send(wire.piece(ident, bytes(64), 20, True))


def flood(address, _port, count):
    wire = Wire(address)
    frames = [bytes(wire.ether / wire.piece(ident, bytes(64), 20, False)) for ident in range(count)]
    for frame in frames:
        wire.sock.send(frame)


if __name__ == "__main__":
    verb, where, *more = sys.argv[1:]
    {"receive": receive, "send": send, "bad": bad, "flood": flood}[verb](
        where, int(more[0]), int(more[1]), *more[2:])
    sys.stdout.flush()
    os._exit(0)                 # Scapy's own clean-up takes half a second
