#!/usr/bin/env python3
"""A link that is slow: it delays what goes through it, and lets no more through than its rate.

    benches/delay.py --delay 300 --rate 10M -- COMMAND ...      standard input and output of a command
    benches/delay.py --delay 300 --rate 10M --from A --to B     makes a socket A; whoever connects talks to the socket B

The delay is that of a round trip, in milliseconds: each way takes half of it. The rate is in bytes per second, for each way; K and M are 1000 and
1000000. Whatever is on its way is held here in full, so that no window but those of the two programs limits what goes through. As a peer of a pull:

    ctdl-dump pull 'cmd:python3 benches/delay.py --delay 300 --rate 10M -- ctdl-dump serve --stdio /srv/citadel' -o site.ctz
"""

import argparse
import os
import queue
import socket
import subprocess
import sys
import threading
import time

PIECE = 16_384  # bytes that are read at once, and arrive at once
AHEAD = 0.02  # seconds for which bytes may wait before the line


def way(source, target, delay, rate, end):
    """Brings bytes from one file descriptor to another in two threads, and calls `end` behind the last; gives the second thread."""
    under_way = queue.SimpleQueue()

    def take():
        free = 0  # when the last byte so far has gone onto the line
        piece = b"begin"
        while piece:
            try:
                piece = os.read(source, PIECE)
            except OSError:
                piece = b""
            free = max(free, time.monotonic()) + (len(piece) / rate if rate else 0)
            under_way.put((free + delay, piece))
            time.sleep(max(0, free - time.monotonic() - AHEAD))

    def bring():
        while True:
            due, piece = under_way.get()
            time.sleep(max(0, due - time.monotonic()))
            if not piece:
                break
            try:
                while piece:
                    piece = piece[os.write(target, piece):]
            except OSError:
                break
        end()

    threading.Thread(target=take, daemon=True).start()
    bringing = threading.Thread(target=bring, daemon=True)
    bringing.start()
    return bringing


def over_command(command, delay, rate):
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    way(sys.stdin.fileno(), child.stdin.fileno(), delay, rate, child.stdin.close)
    back = way(child.stdout.fileno(), sys.stdout.fileno(), delay, rate, lambda: os.close(sys.stdout.fileno()))
    back.join()
    child.stdin.close()
    return child.wait()


def over_sockets(here, there, delay, rate):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(here)
    listener.listen()
    while True:
        client, _ = listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(there)

        def ending(stream):
            def end():
                try:
                    stream.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
            return end

        way(client.fileno(), server.fileno(), delay, rate, ending(server))
        way(server.fileno(), client.fileno(), delay, rate, ending(client))
        kept.append((client, server))


kept = []  # sockets that must not be closed while their threads read them


def rate_of(text):
    return float(text.rstrip("KM")) * {"K": 1e3, "M": 1e6}.get(text[-1:], 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delay", type=float, default=0, help="milliseconds of a round trip")
    parser.add_argument("--rate", type=rate_of, default=0, help="bytes per second; without it as fast as it goes")
    parser.add_argument("--from", dest="here", help="the socket to make")
    parser.add_argument("--to", dest="there", help="the socket to talk to")
    parser.add_argument("command", nargs="*")
    arguments = parser.parse_args()
    delay = arguments.delay / 2000
    if arguments.here:
        over_sockets(arguments.here, arguments.there, delay, arguments.rate)
    return over_command(arguments.command, delay, arguments.rate)


if __name__ == "__main__":
    sys.exit(main())
