#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Frames that nobody should send, each a named lie.

    malformed.py guest SMAC DMAC SRC DST SRC6 DST6    out of eth0, as a guest
    malformed.py tap NAME FILE SMAC DMAC SRC DST      as a virtual machine: holds the tap NAME, waits for FILE
    malformed.py fabric DEVICE DMAC OUTER-SRC OUTER-DST INNER-DMAC SRC DST SRC6 DST6    as the underlay

Every frame goes out COUNT times. After the known lies come good frames with random bytes
changed, from a seed that is printed. The last line says how many frames were sent.
"""
import fcntl
import os
import random
import socket
import struct
import sys
import time

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN

COUNT = 5
RANDOM = 2000


def spoilt(packet, at, value):
    data = bytearray(bytes(packet))
    data[at:at + len(value)] = value
    return bytes(data)


def lies(ether, v4, v6):
    """Frames by the lie they tell; @v4 and @v6 are IP headers with good addresses."""
    udp, tcp = UDP(sport=5, dport=6), TCP(sport=5, dport=6, flags="A")
    good4, good6 = ether / v4 / udp / bytes(64), ether / v6 / udp / bytes(64)
    l3 = 14
    yield "shorter than Ethernet", bytes(good4)[:13]
    yield "Ethernet and nothing", bytes(ether) + struct.pack("!H", 0x0800)
    for cut in (15, 20, 33, 34, 38, 41):
        yield f"IPv4 cut to {cut}", bytes(good4)[:cut]
    for cut in (15, 40, 53, 54, 58, 61):
        yield f"IPv6 cut to {cut}", bytes(good6)[:cut]
    for total in (0, 19, 20, 27, 1000, 65535):
        yield f"IPv4 total length {total}", spoilt(good4, l3 + 2, struct.pack("!H", total))
    for length in (0, 7, 1000, 65535):
        yield f"IPv6 payload length {length}", spoilt(good6, l3 + 4, struct.pack("!H", length))
    for ihl in (0x40, 0x44, 0x4f, 0x05, 0x65, 0xf5):
        yield f"IPv4 version and length {ihl:#x}", spoilt(good4, l3, bytes([ihl]))
    yield "IPv4 with the type of IPv6", spoilt(good4, 12, b"\x86\xdd")
    yield "IPv6 with the type of IPv4", spoilt(good6, 12, b"\x08\x00")
    for length in (0, 7, 1000, 65535):
        yield f"UDP length {length}", spoilt(good4, l3 + 24, struct.pack("!H", length))
        yield f"UDP6 length {length}", spoilt(good6, l3 + 44, struct.pack("!H", length))
    for offset in (0x00, 0x40, 0xf0):
        yield f"TCP offset {offset:#x}", spoilt(ether / v4 / tcp / bytes(20), l3 + 32, bytes([offset]))
    yield "a packet of 20 bytes and a trailer of 1400", bytes(ether / v4.__class__(
        src=v4.src, dst=v4.dst, len=20, proto=59)) + bytes(1400)
    yield "larger than the MTU", bytes(ether / v4 / udp / bytes(1600))
    yield "seven extensions", ether / v6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / \
        IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / \
        IPv6ExtHdrDestOpt() / udp
    yield "an extension past the packet", spoilt(ether / v6 / IPv6ExtHdrDestOpt() / udp, l3 + 41, b"\xff")
    yield "an extension and nothing", ether / v6.__class__(src=v6.src, dst=v6.dst, nh=60)
    yield "a fragment in a fragment", ether / v6 / IPv6ExtHdrFragment(m=1) / \
        IPv6ExtHdrFragment(m=1) / udp / bytes(8)
    yield "a first fragment without ports", ether / v4.__class__(
        src=v4.src, dst=v4.dst, flags="MF", proto=6) / bytes(8)
    yield "a fragment into the TCP flags", ether / v4.__class__(
        src=v4.src, dst=v4.dst, frag=1, proto=6) / bytes(16)
    yield "a fragment past 65535", ether / v4.__class__(
        src=v4.src, dst=v4.dst, frag=8191, proto=17) / bytes(64)
    yield "ICMP of 4 bytes", ether / v4.__class__(src=v4.src, dst=v4.dst, proto=1) / bytes(4)
    yield "three tags", Ether(src=ether.src, dst=ether.dst) / Dot1Q(vlan=1) / Dot1Q(vlan=2) / \
        Dot1Q(vlan=3) / v4 / udp
    yield "a tag and nothing", bytes(Ether(src=ether.src, dst=ether.dst, type=0x8100))
    yield "ARP cut short", bytes(ether.copy() / ARP(op=1, psrc=v4.src, pdst=v4.dst))[:30]
    yield "an unknown type", bytes(Ether(src=ether.src, dst=ether.dst, type=0x88cc)) + bytes(60)
    yield "an 802.3 length", bytes(Ether(src=ether.src, dst=ether.dst, type=0x0040)) + bytes(60)


def outer_lies(outer, inner):
    """Tunnel packets whose outer headers lie; @outer ends in UDP."""
    good = outer / VXLAN(vni=100) / inner
    l3, udp = 14, 34
    for total in (0, 19, 20, 28, 30, 65535):
        yield f"outer total length {total}", spoilt(good, l3 + 2, struct.pack("!H", total))
    for length in (0, 7, 8, 15, 16, 65535):
        yield f"outer UDP length {length}", spoilt(good, udp + 4, struct.pack("!H", length))
    for ihl in (0x40, 0x44, 0x4f):
        yield f"outer header length {ihl:#x}", spoilt(good, l3, bytes([ihl]))
    for cut in (20, 33, 34, 41, 42, 49, 50, 56, 63, 64, 83):
        yield f"tunnel packet cut to {cut}", bytes(good)[:cut]
    yield "no VNI flag", spoilt(good, udp + 8, b"\x00")
    yield "another VNI", outer / VXLAN(vni=0xffffff) / inner
    yield "nothing inside", outer / VXLAN(vni=100)
    yield "a tunnel in the tunnel", outer / VXLAN(vni=100) / good


def vnet_lies(ether, v4):
    """What a virtual machine may say of its super-packets: struct virtio_net_hdr, and the frame."""
    tcp = bytes(ether / v4 / TCP(sport=5, dport=6, flags="A") / bytes(3000))
    udp = bytes(ether / v4 / UDP(sport=5, dport=6) / bytes(3000))
    for frame in tcp, udp, tcp[:60], udp[:42], bytes(ether / v4)[:34], tcp[:14]:
        for gso_type in 0, 1, 3, 4, 5, 0x81, 0x77:      # none, TCP4, UDP, TCP6, UDP segments, ECN, no such
            for gso_size in 0, 1, 64, 1400, 65535:
                for csum_start, csum_offset in (0, 0), (34, 16), (34, 65535), (65535, 16), (len(frame), 0):
                    yield struct.pack("<BBHHHH", 1, gso_type, 54, gso_size, csum_start, csum_offset) + frame
            yield struct.pack("<BBHHHH", 0, gso_type, 65535, 1400, 0, 0) + frame


def tap(name, go, smac, dmac, src, dst):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", name.encode(), 0x5002))  # TUNSETIFF: tap, no PI, vnet header
    print("ready", flush=True)
    while not os.path.exists(go):
        time.sleep(.05)
    sent = refused = 0
    for l4 in TCP(sport=5, dport=6, flags="A"), UDP(sport=5, dport=6):    # open the flows
        os.write(fd, bytes(10) + bytes(Ether(src=smac, dst=dmac) / IP(src=src, dst=dst) / l4))
    time.sleep(1)
    for data in vnet_lies(Ether(src=smac, dst=dmac), IP(src=src, dst=dst)):
        try:
            os.write(fd, data)
            sent += 1
        except OSError:
            refused += 1
    print(f"sent {sent} refused {refused}", flush=True)


def disturbed(frames, seed):
    """Good and bad frames with up to four random bytes changed, cut or not."""
    dice = random.Random(seed)
    for _ in range(RANDOM):
        frame = bytearray(dice.choice(frames))
        for _ in range(dice.randrange(5)):
            frame[12 + dice.randrange(max(1, min(len(frame), 110) - 12)) if len(frame) > 12 else 0] = \
                dice.randrange(256)
        yield bytes(frame[:14 + dice.randrange(len(frame))] if dice.random() < .2 else frame)


def send_all(device, frames, keep):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((device, 0))
    sent = refused = 0
    for frame in frames:
        frame = keep + frame[len(keep):] if len(frame) >= len(keep) else frame
        try:
            sock.send(frame)
            sent += 1
        except OSError:             # the sender's own device refuses it
            refused += 1
    print(f"sent {sent} refused {refused}", flush=True)


def main():
    role, *args = sys.argv[1:]
    if role == "tap":
        tap(*args)
        return
    if role == "guest":
        device, (smac, dmac, src, dst, src6, dst6) = "eth0", args
        ether = Ether(src=smac, dst=dmac)
        known = [bytes(f) for _, f in lies(ether, IP(src=src, dst=dst), IPv6(src=src6, dst=dst6))]
        keep = b""
    else:
        device, dmac, osrc, odst, inner_dmac, src, dst, src6, dst6 = args
        inner = Ether(dst=inner_dmac)
        outer = Ether(dst=dmac) / IP(src=osrc, dst=odst, flags="DF") / UDP(sport=50000, dport=4789, chksum=0)
        known = [bytes(outer / VXLAN(vni=100) / bytes(f)) for _, f in
                 lies(inner, IP(src=src, dst=dst), IPv6(src=src6, dst=dst6))]
        known += [bytes(f) for _, f in outer_lies(outer, inner / IP(src=src, dst=dst) / UDP() / bytes(64))]
        keep = bytes(outer)[:12]
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    send_all(device, known * COUNT + list(disturbed(known, seed)), keep)


main()
os._exit(0)                 # Scapy's own clean-up takes half a second
