#!/usr/bin/env python3
"""Puts the figures of benches/results/*.jsonl into docs/speed.md, between its two marks."""
import json
import pathlib
import statistics

from steps import RATIOS

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- figures: made by benches/page.py -->", "<!-- end of the figures -->"
# The sites of scripts/bench.sh.
SITES = {
    "text": "Mail, mostly text",
    "attachments": "Mail with attachments: 70 % of its bytes base64 of packed data, 10 % of compressible data",
    "small": "Small messages",
    "big": "Three bodies of 200 MB, base64 of packed data",
}


def figures(name):
    lines = [json.loads(line) for line in (ROOT / f"benches/results/{name}.jsonl").read_text().splitlines()]
    return lines[0], lines[1:]


def table(site, about, runs):
    def middle(name, figure):
        return statistics.median(run[figure] for run in runs if run["name"] == name)

    names = list(dict.fromkeys(run["name"] for run in runs))
    sizes = about["sizes"]
    tar = sizes["site.tar.zst"]
    yield f"{about['site_bytes'] / 1e6:.0f} MB, {1 + max(run['round'] for run in runs)} rounds, {about['date']}. " + ", ".join(
        f"{name} {size / 1e6:.1f} MB ({size / tar:.3f})" for name, size in sizes.items()
    ) + ". In brackets: as a ratio to `.tar.zst`.\n"
    yield "| | seconds | CPU seconds | memory, MiB |\n|---|---|---|---|"
    for name in names:
        yield f"| {name} | {middle(name, 'seconds'):.2f} | {middle(name, 'cpu_seconds'):.2f} | {middle(name, 'memory_mib'):.0f} |"
    yield "\n| ratio | seconds | CPU seconds | goal |\n|---|---|---|---|"
    for name, other, goal in RATIOS:
        if name in names and other in names:
            # Both of one round met the same machine.
            ratios = [ratio(runs, name, other, figure) for figure in ("seconds", "cpu_seconds")]
            goal = goal.get(site) if isinstance(goal, dict) else goal
            yield f"| {name} / {other} | {ratios[0]:.2f} | {ratios[1]:.2f} | {goal or ''} |"


def ratio(runs, name, other, figure):
    found = {(run["round"], run["name"]): run[figure] for run in runs}
    pairs = [(value, found.get((number, other))) for (number, step), value in found.items() if step == name]
    return statistics.median(value / against for value, against in pairs if against)


def main():
    page = ROOT / "docs/speed.md"
    before, rest = page.read_text().split(BEGIN)
    after = rest.split(END)[1]
    parts, machine = [], ""
    for name, title in SITES.items():
        if (ROOT / f"benches/results/{name}.jsonl").exists():
            about, runs = figures(name)
            machine = f"{about['machine']}; others kept {about['others_busy']} processes busy when it began."
            parts += [f"### {title}\n", *table(name, about, runs), ""]
    page.write_text(f"{before}{BEGIN}\n{machine}\n\n" + "\n".join(parts) + END + after)


if __name__ == "__main__":
    main()
