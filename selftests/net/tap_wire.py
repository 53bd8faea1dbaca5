#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two taps, and a wire between them: stands for a hypervisor and its guest.

    tap_wire.py HOST-NETNS HOST-TAP GUEST-NETNS GUEST-TAP

Makes both taps, says "ready", and moves frames between them until it is ended.
Without offloads, as a guest's plain network card would: the guest's kernel
finishes every checksum itself.
"""
import ctypes
import fcntl
import os
import select
import struct
import sys

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000


def tap(netns, name):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(netns, encoding="ascii") as ns:
        if libc.setns(ns.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), netns)
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def move(source, sink):
    """All frames that are there. A tap that is down refuses them: they are lost, as on a wire."""
    for _ in range(64):
        try:
            frame = os.read(source, 65536)
        except BlockingIOError:
            return
        try:
            os.write(sink, frame)
        except OSError:
            pass


def main():
    host_ns, host_tap, guest_ns, guest_tap = sys.argv[1:]
    host = tap(host_ns, host_tap)
    guest = tap(guest_ns, guest_tap)
    poll = select.poll()
    poll.register(host, select.POLLIN)
    poll.register(guest, select.POLLIN)
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            move(fd, guest if fd == host else host)


if __name__ == "__main__":
    main()
