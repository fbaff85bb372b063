#!/usr/bin/env python3
"""Puts the figures of benches/results/*.jsonl into docs/speed.md, each part between its two marks: all figures, and the goals that they miss."""
import json
import pathlib
import statistics

from steps import RATIOS, SIZES

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES = "<!-- figures: made by benches/page.py -->", "<!-- end of the figures -->"
GOALS = "<!-- goals: made by benches/page.py -->", "<!-- end of the goals -->"
# The sites of scripts/bench.sh.
SITES = {
    "text": "Mail, mostly text",
    "attachments": "Mail with attachments: 70 % of its bytes base64 of packed data, 10 % of compressible data",
    "small": "Small messages",
    "big": "Two large bodies, base64 of packed data",
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
            seconds, cpu_seconds = both_ratios(runs, name, other)
            yield f"| {name} / {other} | {seconds:.2f} | {cpu_seconds:.2f} | {goal_for(goal, site) or ''} |"


def goals(results):
    """A line for each goal, the missed ones first: all that are missed by CPU seconds, or by seconds alone, and how many are reached."""
    missed, reached = [], 0
    for site, (about, runs) in results.items():
        names = {run["name"] for run in runs}
        rows = [(f"size, {archive} / {other}", goal, [about["sizes"][archive] / about["sizes"][other]]) for archive, other, goal in SIZES]
        rows += [(f"{name} / {other}", goal, both_ratios(runs, name, other)) for name, other, goal in RATIOS if {name, other} <= names]
        for what, goal, found in rows:
            goal = goal_for(goal, site)
            # Two places are shown, so a figure is what it is shown as.
            if goal is None:
                continue
            if all(round(figure, 2) <= goal for figure in found):
                reached += 1
            else:
                seconds = f"{found[0]:.2f}" if len(found) > 1 else ""
                missed.append((found[-1] / goal, f"| {what} | {site} | {goal} | {found[-1]:.2f} | {seconds} |"))
    yield f"{reached} of {reached + len(missed)} goals are reached in this run. The others, the furthest first:\n"
    yield "| | site | goal | reached, CPU or bytes | seconds |\n|---|---|---|---|---|"
    yield from (line for _, line in sorted(missed, reverse=True))


def goal_for(goal, site):
    return goal.get(site) if isinstance(goal, dict) else goal


def both_ratios(runs, name, other):
    # Both of one round met the same machine.
    return [ratio(runs, name, other, figure) for figure in ("seconds", "cpu_seconds")]


def ratio(runs, name, other, figure):
    found = {(run["round"], run["name"]): run[figure] for run in runs}
    pairs = [(value, found.get((number, other))) for (number, step), value in found.items() if step == name]
    return statistics.median(value / against for value, against in pairs if against)


def between(text, marks, content):
    begin, end = marks
    before, rest = text.split(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def main():
    page = ROOT / "docs/speed.md"
    results = {name: figures(name) for name in SITES if (ROOT / f"benches/results/{name}.jsonl").exists()}
    parts = []
    for name, (about, runs) in results.items():
        busy = f"{about['machine']}; load average {about['load']} when it began, and {about['load_at_end']} when it ended, this run's own two or three included."
        parts += [f"### {SITES[name]}\n", busy + "\n", *table(name, about, runs), ""]
    text = between(page.read_text(), FIGURES, "\n".join(parts).rstrip())
    page.write_text(between(text, GOALS, "\n".join(goals(results))))


if __name__ == "__main__":
    main()
