#!/usr/bin/env python3
"""What a pull costs the source: the first, the second without a change, and the second after 100 changed messages.

    benches/wire.py [--program PROGRAM] [--runs N] [--cold] SITE

The source is a `serve` of a copy of the site, started for every pull and ended after it, as over ssh; what it remembers is in its state
directory. Its CPU seconds are those of the process, its wall-clock time that of the pull as a whole. A changed message is one of whose stored form
one byte is another, spread evenly over the table of big bodies.
"""

import argparse
import json
import os
import resource
import shlex
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OVERFLOW = 7


def measure(log, command):
    """Runs a command, and appends its CPU seconds and peak memory to a file."""
    code = subprocess.call(command)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(log, "a") as file:
        print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "kib": used.ru_maxrss}), file=file)
    sys.exit(code)


def change(table, wanted):
    """Changes a byte on the first page of so many chains of overflow pages."""
    with open(table, "r+b") as file:
        meta = file.read(512)
        order = "<" if meta[12:16] == b"\x62\x31\x05\x00" else ">"
        (page_bytes,) = struct.unpack_from(order + "I", meta, 20)
        pages = os.fstat(file.fileno()).st_size // page_bytes
        firsts = []
        for page in range(1, pages):
            head = os.pread(file.fileno(), 26, page * page_bytes)
            previous, following = struct.unpack_from(order + "II", head, 12)
            if head[25] == OVERFLOW and previous == 0 and following != 0:
                firsts.append(page)
        for number in range(wanted):
            at = firsts[number * len(firsts) // wanted] * page_bytes + 200
            (byte,) = os.pread(file.fileno(), 1, at)
            os.pwrite(file.fileno(), bytes([byte ^ 1]), at)


def forget_pages(site):
    """Takes the files of a site out of the page cache."""
    os.sync()
    for path in Path(site).rglob("*"):
        if path.is_file() and not path.is_symlink():
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Bench:
    def __init__(self, program, site, work, is_cold):
        self.program, self.work, self.is_cold = os.path.abspath(program), Path(work), is_cold
        self.site, self.log = self.work / "site", self.work / "log"
        subprocess.run(["cp", "-a", "--reflink=auto", site, self.site], check=True)
        # Files that were made a moment ago prove nothing by their times.
        time.sleep(6)

    def pull(self, *options):
        served = [sys.executable, os.path.abspath(__file__), "--measure", str(self.log), "--", self.program, "serve", "--stdio"]
        served += ["--scratch", str(self.work), str(self.site)]
        if self.is_cold:
            forget_pages(self.site)
        self.log.unlink(missing_ok=True)
        output = self.work / "pulled.ctz"
        command = [self.program, "-q", "pull", "cmd:" + shlex.join(served), "-o", str(output), "--force", "--json", *options]
        environment = {**os.environ, "CTDL_DUMP_STATE": str(self.work / "state")}
        begun = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        seconds = time.monotonic() - begun
        if done.returncode != 0:
            sys.exit(done.stderr)
        # Whoever pulls doesn't wait for the other side to end.
        while not self.log.exists() or not self.log.read_text().endswith("\n"):
            time.sleep(0.02)
        source = json.loads(self.log.read_text())
        wire = json.loads(done.stdout.splitlines()[-1])["wire_bytes"]
        return {"wall": seconds, "cpu": source["cpu"], "kib": source["kib"], "wire": wire}, output

    def run(self):
        shutil.rmtree(self.work / "state", ignore_errors=True)
        first, output = self.pull()
        had = self.work / "had.ctz"
        output.rename(had)
        unchanged, _ = self.pull("--have", str(had))
        change(self.site / "data" / "cdb.08", 100)
        changed, _ = self.pull("--have", str(had))
        return {"first": first, "nothing changed": unchanged, "100 messages changed": changed}


def main():
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], sys.argv[4:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/ctdl-dump")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="take the site out of the page cache before every pull")
    parser.add_argument("site")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as work:
        bench = Bench(arguments.program, arguments.site, work, arguments.cold)
        runs = [bench.run() for _ in range(arguments.runs)]
    print("| pull | source, CPU s | wall s | source, MiB of memory | bytes on the wire |\n|---|---|---|---|---|")
    for name in runs[0]:
        middle = {what: statistics.median(run[name][what] for run in runs) for what in runs[0][name]}
        print(f"| {name} | {middle['cpu']:.2f} | {middle['wall']:.2f} | {middle['kib'] / 1024:.0f} | {middle['wire']:,.0f} |")


if __name__ == "__main__":
    main()
