#!/usr/bin/env python3
"""Measures ctdl-dump against tar and zstd on the same site, in one run.

    compare.py --program target/release/ctdl-dump --site DIR [--rounds 5] [--name NAME]

The commands take turns, round after round, so that whatever else the machine does hits all of them. What counts are the ratios: seconds
of a shared machine say little. Every single run is kept in benches/results/NAME.jsonl, the summary beside it in NAME.md.
"""
import argparse
import json
import os
import pathlib
import platform
import shlex
import shutil
import statistics
import subprocess
import tempfile
import time

RESULTS = pathlib.Path(__file__).resolve().parent / "results"


def commands(program, site, work):
    """What is measured: name, command, and what it is compared with."""
    program, site, work = (shlex.quote(str(path)) for path in (program, site, work))
    tar = f"tar -C {site} -cf - . | zstd -3 -T0 -q -f -o {work}/site.tar.zst"
    untar = f"mkdir {work}/untarred && zstd -dc {work}/site.tar.zst | tar -C {work}/untarred -xf -"
    return [
        ("tar, zstd -3 -T0", tar, None),
        ("export", f"{program} export -q --site {site} -o {work}/site.ctz", "tar, zstd -3 -T0"),
        ("export --no-fold", f"{program} export -q --no-fold --site {site} -o {work}/plain.ctz", "tar, zstd -3 -T0"),
        ("zstd -d", f"zstd -dc {work}/site.tar.zst >/dev/null", None),
        ("verify", f"{program} verify -q {work}/site.ctz >/dev/null", "zstd -d"),
        ("zstd -d, tar x", untar, None),
        ("zstd -d, tar x, sync", f"{untar} && sync -f {work}/untarred", None),
        ("import", f"{program} import -q {work}/site.ctz --site {work}/imported", "zstd -d, tar x"),
        ("import", None, "zstd -d, tar x, sync"),
    ]


def run(command):
    """Runs a pipeline and gives its seconds, its CPU seconds, and the most memory that one of its processes had."""
    before = time.monotonic()
    child = subprocess.Popen(["bash", "-o", "pipefail", "-c", command], stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - before
    if status:
        raise SystemExit(f"exit code {os.waitstatus_to_exitcode(status)}: {command}")
    return {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "memory_mib": usage.ru_maxrss / 1024}


def measure(steps, work, rounds):
    runs = []
    for number in range(rounds):
        for name, command, _ in steps:
            if command is None:
                continue
            for made in ("untarred", "imported"):
                shutil.rmtree(work / made, ignore_errors=True)
            archive = {"export": "site.ctz", "export --no-fold": "plain.ctz"}.get(name)
            if archive:
                (work / archive).unlink(missing_ok=True)
            runs.append({"round": number, "name": name, **run(command)})
            print(f"round {number + 1}  {name:22}  {runs[-1]['seconds']:8.2f} s", flush=True)
    return runs


def machine():
    """What the machine calls itself."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GiB, Linux {platform.release()}"


def summary(steps, runs, site, sizes, load):
    def middle(name, figure):
        return statistics.median(run[figure] for run in runs if run["name"] == name)

    total = sum(file.stat().st_size for file in site.rglob("*") if file.is_file() and not file.is_symlink())
    ctz, plain, packed = sizes["site.ctz"], sizes["plain.ctz"], sizes["site.tar.zst"]
    rounds = 1 + max(run["round"] for run in runs)
    lines = [
        f"{machine()}; {time.strftime('%Y-%m-%d')}; medians of {rounds} rounds. "
        f"Others kept {load:.1f} cores busy when it began.",
        "",
        f"The site has {total / 1e6:.0f} MB; as .tar.zst {packed / 1e6:.1f} MB, as .ctz {ctz / 1e6:.1f} MB (ratio {ctz / packed:.3f}), "
        f"not folded {plain / 1e6:.1f} MB ({plain / packed:.3f}).",
        "",
        "| | seconds | CPU seconds | memory, MiB | MB/s |",
        "|---|---|---|---|---|",
    ]
    for name, command, _ in steps:
        if command:
            seconds = middle(name, "seconds")
            cpu, memory = middle(name, "cpu_seconds"), middle(name, "memory_mib")
            lines.append(f"| {name} | {seconds:.2f} | {cpu:.2f} | {memory:.0f} | {total / 1e6 / seconds:.0f} |")
    lines += ["", "| ratio | seconds | CPU seconds |", "|---|---|---|"]
    for name, _, other in steps:
        if other:
            ratios = [middle(name, figure) / middle(other, figure) for figure in ("seconds", "cpu_seconds")]
            lines.append(f"| {name} / {other} | {ratios[0]:.2f} | {ratios[1]:.2f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--site", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--name", help="keep the results under this name")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ctdl-dump-bench-") as work:
        work = pathlib.Path(work)
        steps = commands(arguments.program.resolve(), arguments.site.resolve(), work)
        load = os.getloadavg()[0]
        runs = measure(steps, work, arguments.rounds)
        sizes = {name: (work / name).stat().st_size for name in ("site.ctz", "plain.ctz", "site.tar.zst")}
    text = summary(steps, runs, arguments.site, sizes, load)
    print(text)
    if arguments.name:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{arguments.name}.md").write_text(text)
        (RESULTS / f"{arguments.name}.jsonl").write_text("".join(json.dumps(run) + "\n" for run in runs))


if __name__ == "__main__":
    main()
