#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Has a guest run one command line, over the socket of its serial console.

    serial.py SOCKET SECONDS COMMAND

The guest's shell reads a line, runs it, and ends its output with the line
"vm-exit N", which becomes the exit code here; 124 when it did not come in time.
"""
import socket
import sys
import time


def main():
    path, seconds, command = sys.argv[1:]
    deadline = time.monotonic() + float(seconds)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(" ".join(command.split("\n")).encode() + b"\n")
        seen = b""
        while not (seen.endswith(b"\n") and b"\nvm-exit " in seen):
            s.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                more = s.recv(65536)
            except TimeoutError:
                more = b""
            if not more:
                sys.stderr.write(f"no answer to: {command}\n")
                return 124
            seen += more
    output, code = seen.decode(errors="replace").rsplit("\nvm-exit ", 1)
    if output:
        print(output.rstrip("\n"))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
