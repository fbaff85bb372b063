#!/usr/bin/env python3
"""Measures ctdl-dump against tar, zstd, restic, borg and the tools of Berkeley DB on the same site, in one run.

    compare.py --program target/release/ctdl-dump --site DIR [--rounds 3] [--name NAME]

The commands take turns, round after round, so that whatever else the machine does hits all of them. What counts are the ratios: seconds
of a shared machine say little. Every single run is kept in benches/results/NAME.jsonl, behind a line about machine and site.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import subprocess
import tempfile
import time

import steps as steps_of

# db5.3_dump takes minutes for a larger site.
LARGE_BYTES = 400e6

RESULTS = pathlib.Path(__file__).resolve().parent / "results"


def run(command):
    """Runs a pipeline and gives its seconds, its CPU seconds, and the most memory that one of its processes had."""
    before = time.monotonic()
    child = subprocess.Popen(["bash", "-o", "pipefail", "-ec", command], stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - before
    if status:
        raise SystemExit(f"exit code {os.waitstatus_to_exitcode(status)}: {command}")
    return {"seconds": round(seconds, 3), "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3), "memory_mib": usage.ru_maxrss // 1024}


def files(path):
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]


def forget(path):
    """Has the system drop what it keeps of files in memory."""
    for file in files(path):
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def measure(steps, site, work, rounds):
    is_large = total_bytes(site) > LARGE_BYTES
    for number in range(rounds):
        for step in steps:
            if step.slow and (number > 0 or is_large):
                continue
            for name in step.fresh:
                remove(work / name)
            for name in step.cold:
                forget(site if name == "site" else work / name)
            result = {"round": number, "name": step.name, **run(step.command)}
            print(f"round {number + 1}  {step.name:28}  {result['seconds']:8.2f} s  {result['cpu_seconds']:8.2f} s of CPU", flush=True)
            yield result
            if step.name == "export" and number == 0:
                # What the archive holds unpacked, for the step that hashes it.
                run(f"zstd -dqf {work}/site.ctz -o {work}/stored.tar")


def machine():
    """What the machine calls itself."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GiB, Linux {platform.release()}"


def total_bytes(path):
    return sum(file.stat().st_size for file in files(path))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--site", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--name", help="keep the results under this name")
    parser.add_argument("--only", nargs="*", help="only steps whose names begin so")
    arguments = parser.parse_args()
    program, site = arguments.program.resolve(), arguments.site.resolve()
    with tempfile.TemporaryDirectory(prefix="ctdl-dump-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as work:
        work = pathlib.Path(work)
        steps = steps_of.steps(program, site, work)
        if arguments.only:
            steps = [step for step in steps if any(step.name.startswith(only) for only in arguments.only)]
        about = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "load": round(os.getloadavg()[0], 1)}
        runs = list(measure(steps, site, work, arguments.rounds))
        about["load_at_end"] = round(os.getloadavg()[0], 1)
        about["site_bytes"] = total_bytes(site)
        about["sizes"] = {name: total_bytes(work / name) for name in ("site.ctz", "plain.ctz", "site.tar.zst", "restic", "borg", "dump.zst") if (work / name).exists()}
    if arguments.name:
        RESULTS.mkdir(exist_ok=True)
        lines = "".join(json.dumps(line) + "\n" for line in [about, *runs])
        (RESULTS / f"{arguments.name}.jsonl").write_text(lines)


if __name__ == "__main__":
    main()
