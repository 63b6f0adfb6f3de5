"""The tables of docs/PERFORMANCE.md, from files whose figures are known."""

import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MARKS = ("<!-- figures: begin; written by `make bench-plots` -->", "<!-- figures: end -->")


def contender(name, left_out="", **medians):
    summary = {k: {"median": v, "min": v * 0.9, "max": v * 1.1} for k, v in medians.items()}
    ratios = {k: {"median": v / 40, "min": v / 50, "max": v / 20} for k, v in medians.items()}
    return {"name": name, "left_out": left_out, "summary": summary, "ratio_to_nginx": ratios}


def write(directory, scenario, client, contenders, topology="local", **settings):
    name = f"{scenario}-{client}{'' if topology == 'local' else '-remote'}.json"
    s = {"scenario": scenario, "client": client, "topology": topology, "streams": 2000, "rate": 40.0, "size": 200, "rounds": 3, "seconds": 4.0,
         "pause": 0.0, **settings}  # fmt: skip
    data = {"tool": "sluice-bench 0", "when": "2026-01-02T03:04:05Z", "machine": {"kernel": "Linux X"}, "settings": s, "contenders": contenders}
    path = directory / name
    path.write_text(json.dumps(data))
    return str(path)


def make(directory, *paths, page=None):
    target = directory / "PAGE.md"
    target.write_text(page if page is not None else f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n")
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tools/bench/figures.py"), str(target), *paths],
                          capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    return done, target.read_text()


def test_the_best_and_what_is_lost(tmp_path):
    events = write(tmp_path, "events", "h1", [
        contender("none", cpu_machine=10, latency_p50=1, latency_p99=5, cpu_contender=0, stopped_latency_p99=0),
        contender("sluice-copy", cpu_machine=30, latency_p50=100, latency_p99=900, cpu_contender=9, stopped_latency_p99=0),
        contender("nginx", cpu_machine=40, latency_p50=101, latency_p99=600, cpu_contender=8, stopped_latency_p99=0),
        contender("h2o", left_out="it did not start"),
    ])  # fmt: skip
    setup = write(tmp_path, "setup", "tls", [contender("sluice-copy", setups_per_s=5000), contender("nginx", setups_per_s=1234.5)])
    remote = write(tmp_path, "events", "h1", [contender("sluice-copy", cpu_machine=1)], topology="remote", workers=3)
    done, text = make(tmp_path, remote, setup, events)
    assert done.returncode == 0, done.stderr
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    glance, *parts = text.split("#### ")[1:]
    assert "| HTTP/1.1 | 2,000 streams x 40 events/s x 200 B | sluice-copy | 0.23 (0.18–0.45) | 0.75 (0.60–1.50) | 2.50 (2.00–5.00) |" in glance
    assert "none" not in glance and "setup" not in glance and "| nginx" not in glance
    assert [p.splitlines()[0] for p in parts] == [
        "events, HTTP/1.1", "setup, HTTP/1.1 over TLS 1.3", "events, HTTP/1.1, three network namespaces"]  # fmt: skip
    assert "2,000 streams x 40 events/s x 200 B; 3 rounds of 4 s; 2026-01-02, Linux X" in parts[0] and "3 workers each" in parts[2]
    assert "| none | 0 | 10 | 1 | 5 |" in parts[0], "the run without a relay is not the best relay"
    assert "| sluice-copy | 9 | **30** | **100** | 900 |" in parts[0]
    assert "| nginx | 8 | 40 | 101 | **600** |" in parts[0] and "stopped second" not in parts[0]
    assert "h2o was left out: it did not start" in parts[0]
    # 101 is not better, and 600 in every round against 900 in every round is.
    assert "Better than sluice in every round: p99, us: nginx." in parts[0]
    assert "| sluice-copy | **5,000** |" in parts[1] and "| nginx | 1,234 |" in parts[1] and "No peer was better" in parts[1]


def test_what_it_cannot_do_leaves_the_page(tmp_path):
    path = write(tmp_path, "events", "h1", [contender("sluice-copy", cpu_machine=1)])
    other = tmp_path / "scale.json"
    other.write_text(json.dumps({"tool": "sluice-bench 0", "settings": {}}))
    for page, files in (("no marks\n", [path]), (None, [str(other)])):
        done, text = make(tmp_path, *files, page=page)
        assert done.returncode == 1 and done.stderr.startswith("figures: ")
        assert text == (page or f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n")
