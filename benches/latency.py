#!/usr/bin/env python3
"""What a pull takes over a link with a delay: the first, the second without a change, and the second after 100 changed messages.

    benches/latency.py [--program PROGRAM] [--runs N] [--delays 0,50,300] [--rates 10M,1M] SITE

The link is `delay.py` between the socket of a `serve` and the pull; the delay is that of a round trip. Seconds are those of the whole pull, from
the start of the program to its end, and those of the source's own work are in them: what the delay costs is the difference to the first column.
"""

import argparse
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from wire import change

LEAF = 5  # the type of a leaf page
HERE = Path(__file__).resolve().parent


def change_short(table, wanted):
    """Changes a byte in the middle of one value on each of so many leaf pages: in a site of short messages none has a page of its own."""
    with open(table, "r+b") as file:
        meta = file.read(512)
        order = "<" if meta[12:16] == b"\x62\x31\x05\x00" else ">"
        (page_bytes,) = struct.unpack_from(order + "I", meta, 20)
        pages = range(1, os.fstat(file.fileno()).st_size // page_bytes)
        leaves = [page for page in pages if os.pread(file.fileno(), 1, page * page_bytes + 25)[0] == LEAF]
        for number in range(wanted):
            page = leaves[number * len(leaves) // wanted]
            content = os.pread(file.fileno(), page_bytes, page * page_bytes)
            (item,) = struct.unpack_from(order + "H", content, 28)
            (length,) = struct.unpack_from(order + "H", content, item)
            middle = item + 3 + length // 2
            os.pwrite(file.fileno(), bytes([content[middle] ^ 1]), page * page_bytes + middle)


def wait_for(path):
    while not path.exists():
        time.sleep(0.01)


class Bench:
    def __init__(self, program, site, work):
        self.program, self.work, self.site = os.path.abspath(program), Path(work), Path(work) / "site"
        subprocess.run(["cp", "-a", "--reflink=auto", site, self.site], check=True)
        # Files that were made a moment ago prove nothing by their times.
        time.sleep(6)
        self.environment = {**os.environ, "CTDL_DUMP_STATE": str(self.work / "state")}

    def pull(self, delay, rate, *options):
        """Seconds of one pull, from a server of its own."""
        served, link = self.work / "served", self.work / "link"
        for socket in (served, link):
            socket.unlink(missing_ok=True)
        command = [self.program, "-q", "serve", "--socket", str(served), "--scratch", str(self.work), str(self.site)]
        server = subprocess.Popen(command, env=self.environment, stderr=subprocess.DEVNULL)
        wait_for(served)
        command = [sys.executable, str(HERE / "delay.py"), "--delay", str(delay), "--rate", rate]
        between = subprocess.Popen(command + ["--from", str(link), "--to", str(served)])
        wait_for(link)
        command = [self.program, "-q", "pull", f"unix:{link}", "-o", str(self.work / "pulled.ctz"), "--force", *options]
        begun = time.monotonic()
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        seconds = time.monotonic() - begun
        for process in (between, server):
            process.terminate()
            process.wait()
        if done.returncode != 0:
            sys.exit(done.stderr)
        return seconds

    def change(self):
        data = self.site / "data"
        if (data / "cdb.08").stat().st_size > 1_000_000:
            change(data / "cdb.08", 100)
        else:
            change_short(data / "cdb.00", 100)

    def run(self, delays, rate, runs):
        """A row for each pull: its seconds by delay."""
        first = [statistics.median(self.pull(delay, rate) for _ in range(runs)) for delay in delays]
        had = self.work / "had.ctz"
        (self.work / "pulled.ctz").rename(had)

        def second():
            return [statistics.median(self.pull(delay, rate, "--have", str(had)) for _ in range(runs)) for delay in delays]

        unchanged = second()
        self.change()
        changed = second()
        # The same bytes once more make it what it was.
        self.change()
        return {"first": first, "nothing changed": unchanged, "100 messages changed": changed}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/ctdl-dump")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--delays", type=lambda text: text.split(","), default=["0", "50", "300"])
    parser.add_argument("--rates", type=lambda text: text.split(","), default=["10M", "1M"])
    parser.add_argument("site")
    arguments = parser.parse_args()
    print("| bytes/s | pull | " + " | ".join(f"{delay} ms" for delay in arguments.delays) + " |")
    print("|---|---|" + "---|" * len(arguments.delays), flush=True)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as work:
        bench = Bench(arguments.program, arguments.site, work)
        for rate in arguments.rates:
            for name, row in bench.run(arguments.delays, rate, arguments.runs).items():
                print(f"| {rate} | {name} | " + " | ".join(f"{seconds:.2f}" for seconds in row) + " |", flush=True)


if __name__ == "__main__":
    main()
