#!/usr/bin/python3
"""Puts the figures of docs/performance/*.json into docs/PERFORMANCE.md, between its two marks: figures.py PAGE FILE...

A table per scenario and kind of client: medians of the rounds, in bold the best of each column (none, the run without a
relay, takes no part), and below each table what that means for sluice: the columns in which a peer's whole range is better."""

import json
import os
import sys

BEGIN, END = "<!-- figures: begin; written by `make bench-plots` -->", "<!-- figures: end -->"
SCENARIOS = ("events", "idle", "setup", "abort", "stall", "saturate")
CLIENTS = ("h1", "tls", "h2")
LESS, MORE, NEITHER = 1, -1, 0

# Of a scenario: metric in the JSON, title, which way is better.
COLUMNS = {
    "events": (
        ("cpu_contender", "relay, us CPU/event", NEITHER),  # a lane in the kernel is not cheap for being nobody's process
        ("cpu_machine", "machine, us CPU/event", LESS),
        ("latency_p50", "p50, us", LESS),
        ("latency_p90", "p90, us", LESS),
        ("latency_p99", "p99, us", LESS),
        ("stopped_latency_p99", "p99 of the stopped second, ms", LESS),
    ),
    "idle": (
        ("idle_user", "relay, B/stream", LESS),
        ("idle_slab", "kernel, B/stream", LESS),
        ("idle_cpu", "relay, us CPU/s/stream", LESS),
    ),
    "setup": (
        ("setups_per_s", "set-ups/s", MORE),
        ("setup_cpu_contender", "relay, us CPU each", LESS),
        ("setup_cpu_machine", "machine, us CPU each", LESS),
        ("head_p50", "head p50, us", LESS),
        ("head_p99", "head p99, us", LESS),
    ),
    "abort": (
        ("abort_p50", "p50, us", LESS),
        ("abort_p99", "p99, us", LESS),
        ("abort_max", "longest, us", LESS),
        ("abort_missed", "never", LESS),
    ),
    "stall": (
        ("stall_user", "relay, B/stalled", LESS),
        ("stall_sockets", "sockets, B/stalled", LESS),
        ("stall_ended", "ended", NEITHER),
        ("latency_p50", "others' p50 before, us", LESS),
        ("stall_latency_p50", "and meanwhile", LESS),
        ("latency_p99", "p99 before, us", LESS),
        ("stall_latency_p99", "and meanwhile", LESS),
        ("stall_cpu_contender", "relay, us CPU/event meanwhile", NEITHER),
    ),
    "saturate": (
        ("events_per_s", "events/s", MORE),
        ("cores_contender", "relay, CPUs", NEITHER),
        ("cpu_contender", "relay, us CPU/event", NEITHER),
        ("cpu_machine", "machine, us CPU/event", LESS),
    ),
}
CLIENT_WORDS = {"h1": "HTTP/1.1", "tls": "HTTP/1.1 over TLS 1.3", "h2": "HTTP/2 over TLS 1.3"}


def number(x):
    """Three digits that count, and no more."""
    if abs(x) >= 100:
        return f"{x:,.0f}"
    return "0" if abs(x) < 0.005 else f"{x:.3g}"


def key_of(path):
    """A file's place in the page: the topology, then SCENARIOS x CLIENTS, then what was asked for besides."""
    with open(path, encoding="utf-8") as f:
        data = json.load(f)
    s = data.get("settings", {})
    if data.get("tool", "").split()[:1] != ["sluice-bench"] or s.get("scenario") not in SCENARIOS:
        return None
    return (s["topology"] != "local", SCENARIOS.index(s["scenario"]), CLIENTS.index(s["client"]), os.path.basename(path)), data


def best_of(column, contenders):
    metric, _, way = column
    there = [c for c in contenders if c["name"] != "none" and metric in c["summary"]]
    return min(there, key=lambda c: way * c["summary"][metric]["median"], default=None) if way else None


def columns_of(data):
    """Those that were measured: without a stopped second there are no figures of it, but noughts."""
    pause = data["settings"].get("pause")
    return [
        c for c in COLUMNS[data["settings"]["scenario"]]
        if any(c[0] in x["summary"] for x in data["contenders"]) and (pause or not c[0].startswith("stopped"))
    ]


def table(data):
    contenders = [c for c in data["contenders"] if not c["left_out"]]
    columns = columns_of(data)
    best = {c[0]: best_of(c, contenders) for c in columns}
    yield "| | " + " | ".join(title for _, title, _ in columns) + " |"
    yield "|---|" + "---:|" * len(columns)
    for x in contenders:
        cells = []
        for metric, _, _ in columns:
            spread = x["summary"].get(metric)
            text = number(spread["median"]) if spread else "–"
            cells.append(f"**{text}**" if best[metric] is x else text)
        yield f"| {x['name']} | " + " | ".join(cells) + " |"


def lost(data):
    """Columns in which every round of a peer was better than every round of each of sluice's lanes."""
    contenders = [c for c in data["contenders"] if not c["left_out"]]
    ours = [c for c in contenders if c["name"].startswith("sluice")]
    peers = [c for c in contenders if not c["name"].startswith(("sluice", "none"))]
    for metric, title, way in columns_of(data):
        mine = [c["summary"][metric] for c in ours if metric in c["summary"]]
        if not way or not mine:
            continue
        worst = "max" if way == LESS else "min"
        best = "min" if way == LESS else "max"
        limit = min(way * m[best] for m in mine)
        ahead = [p["name"] for p in peers if metric in p["summary"] and way * p["summary"][metric][worst] < limit]
        if ahead:
            yield f"{title}: {', '.join(ahead)}"


GLANCE = (("cpu_contender", "relay's CPU"), ("cpu_machine", "machine's CPU"), ("latency_p50", "p50"), ("latency_p99", "p99"))


def load_of(settings):
    text = f"{settings['streams']:,} streams"
    if settings["scenario"] in ("events", "stall"):
        text += f" x {settings['rate']:g} events/s x {settings['size']:,} B"
    return text


def where_of(settings):
    return CLIENT_WORDS[settings["client"]] + ("" if settings["topology"] == "local" else ", three network namespaces")


def glance(found):
    """Every events comparison with nginx in it: ratios taken round by round, their median, least and greatest."""
    yield "#### events: shares of nginx's in the same round"
    yield "| clients | load | | " + " | ".join(title for _, title in GLANCE) + " |"
    yield "|---|---|---|" + "---:|" * len(GLANCE)
    for data in found:
        if data["settings"]["scenario"] != "events":
            continue
        for x in data["contenders"]:
            ratios = x.get("ratio_to_nginx", {})
            if x["left_out"] or x["name"] in ("none", "nginx") or "cpu_machine" not in ratios:
                continue
            cells = [f"{r['median']:.2f} ({r['min']:.2f}–{r['max']:.2f})" if (r := ratios.get(m)) else "–" for m, _ in GLANCE]
            yield f"| {where_of(data['settings'])} | {load_of(data['settings'])} | {x['name']} | " + " | ".join(cells) + " |"
    yield ""


def section(path, data):
    s, m = data["settings"], data["machine"]
    workers = f", {s['workers']} workers each" if s.get("workers", 1) > 1 else ""
    name = os.path.splitext(os.path.basename(path))[0]
    yield f"#### {s['scenario']}, {where_of(s)}"
    yield f"{load_of(s)}{workers}; {s['rounds']} rounds of {s['seconds']:g} s; {data['when'][:10]}, {m['kernel']}. [All figures](performance/{name}.json)."
    yield ""
    yield from table(data)
    for x in data["contenders"]:
        if x["left_out"]:
            yield f"\n{x['name']} was left out: {x['left_out']}"
    behind = list(lost(data))
    yield ""
    yield "Better than sluice in every round: " + "; ".join(behind) + "." if behind else "No peer was better in every round, in any of these."
    yield ""


def main():
    page, paths = sys.argv[1], sys.argv[2:]
    found = sorted(((k[0], p, k[1]) for p in paths for k in [key_of(p)] if k), key=lambda x: x[0])
    with open(page, encoding="utf-8") as f:
        text = f.read()
    if not found or text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"figures: {'no figures of compare among the files' if not found else page + ' lacks its two marks'}")
    lines = list(glance([data for _, _, data in found]))
    lines += [line for _, path, data in found for line in section(path, data)]
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    with open(page, "w", encoding="utf-8") as f:
        f.write(f"{head}{BEGIN}\n" + "\n".join(lines) + f"{END}{tail}")
    print(f"{page}: figures of {len(found)} comparisons")


if __name__ == "__main__":
    main()
