"""A real Prometheus scrapes a real sluice and answers; rules and dashboard ask for what there is."""

import json
import os
import re
import shutil
import time

import pytest
from kit import Prometheus, exporter, promtool, sample_names
from lib.relay import ROOT

RULES = os.path.join(ROOT, "conf/prometheus/sluice.rules.yml")
DASHBOARD = os.path.join(ROOT, "conf/grafana/sluice.json")
OPERATIONS = os.path.join(ROOT, "docs/OPERATIONS.md")
NAME = re.compile(r"\bsluice_\w+")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


@pytest.fixture(scope="module")
def world(shared):
    """sluice with a few streams, its exporter, and Prometheus."""
    origin = shared.origin()
    relay = shared.relay(origin, workers=2, max_streams=100, route={"heartbeat": "off"})
    e = exporter(shared, relay)
    streams = [shared.stream(relay, origin) for _ in range(3)]
    p = shared._keep(Prometheus(shared._new_directory(), [f"127.0.0.1:{e.port}"], [RULES]))
    return relay, origin, streams, e, p


def test_it_is_scraped_as_openmetrics(world):
    *_, e, p = world
    p.until("sluice_up", 1)
    (target,) = p.api("targets")["data"]["activeTargets"]
    assert target["health"] == "up" and target["lastError"] == ""
    # the metadata names types as OpenMetrics does
    meta = p.api("metadata")["data"]
    assert meta["sluice_requests"][0]["type"] == "counter"
    assert meta["sluice_time_to_head_seconds"][0]["type"] == "histogram" and meta["sluice_build"][0]["type"] == "info"


def test_values_as_they_were_made(world):
    _, _, streams, _, p = world
    p.until("sum(sluice_event_streams)", 3)
    p.until("sum(sluice_time_to_head_seconds_count)", 3)
    p.until("sum(sluice_events_total)", 0)
    for n in range(4):
        for _, body, up in streams:
            up.event(f"e{n}")
            body.until(b"e%d" % n)
    p.until("sum(sluice_events_total)", 12)
    labels, _ = p.until('sluice_streams{lane="copy"}', 3)
    assert labels["route"] and labels["reason"] == "copy asked for" and labels["job"] == "sluice"
    ((_, rate),) = p.query("sum(rate(sluice_events_total[1m]))")
    assert 0 < rate < 12
    ((_, quantile),) = p.query("histogram_quantile(0.99, sum by (le) (sluice_time_to_head_seconds_bucket))")
    assert 0 < quantile < 5
    p.until('sluice_requests_in_progress / sluice_max_streams', 0.03)
    streams[0][0].close()
    p.until('sum(sluice_streams_ended_total{by="client"})', 1)
    p.until("sum(sluice_upstream_abort_seconds_count)", 1)
    p.until("sum(sluice_event_streams)", 2)


def test_rules_are_loaded_and_healthy(world):
    *_, p = world
    stop = time.monotonic() + 10
    while time.monotonic() < stop:
        rules = [r for g in p.api("rules")["data"]["groups"] for r in g["rules"]]
        if all(r["health"] == "ok" for r in rules):
            break
        time.sleep(0.2)
    assert len(rules) == len(re.findall(r"- alert:", read(RULES))) and all(r["health"] == "ok" for r in rules), rules
    assert [r["name"] for r in rules if r["state"] == "firing"] == []


def expressions(dashboard):
    return [(p["title"], t["expr"]) for p in dashboard["panels"] for t in p.get("targets", [])]


def test_dashboard_asks_for_what_there_is(world):
    """Prometheus parses every expression, and every name is one that the exporter has."""
    *_, p = world
    dashboard = json.loads(read(DASHBOARD))
    found = expressions(dashboard)
    assert len(found) > 30
    known = sample_names()
    for title, expr in found:
        names = set(NAME.findall(expr))
        assert names and names <= known, (title, names - known)
        assert "$instance" in expr, title
        plain = expr.replace("$instance", ".*").replace("$__rate_interval", "1m")
        assert "$" not in plain, (title, plain)
        p.query(plain)
    ids = [q["id"] for q in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    for i, a in enumerate(dashboard["panels"]):
        for b in dashboard["panels"][i + 1 :]:
            x, y = a["gridPos"], b["gridPos"]
            assert x["x"] + x["w"] <= 24
            apart = x["x"] + x["w"] <= y["x"] or y["x"] + y["w"] <= x["x"] or x["y"] + x["h"] <= y["y"] or y["y"] + y["h"] <= x["y"]
            assert apart, f"{a['title']} lies over {b['title']}"


def test_most_panels_have_data(world):
    """A panel that shows nothing while streams flow would be a panel for nothing (TLS, certificates and the like aside)."""
    *_, p = world
    p.until("sum(sluice_events_total) > 0", 12)
    found = expressions(json.loads(read(DASHBOARD)))
    empty = [title for title, expr in found
             if not p.query(expr.replace("$instance", ".*").replace("$__rate_interval", "1m"))]
    allowed = {"Days until certificates end", "Ends by phase, without complete ones", "Refused, the most common rules",
               "HTTP/2 resets and connections ended", "Segments that left the splice lane"}
    assert set(empty) <= allowed, empty


def test_alert_rules_are_tested():
    code, said = promtool("check", "rules", RULES)
    assert code == 0, said
    tests = os.path.join(os.path.dirname(__file__), "rules.test.yml")
    code, said = promtool("test", "rules", tests)
    assert code == 0, said
    text = read(tests)
    known = sample_names()
    for alert in re.findall(r"- alert: (\w+)", read(RULES)):
        assert f'"{alert}: fires"' in text and f'"{alert}: does not"' in text, f"{alert} has no test"
    for where in (read(RULES), text):
        assert set(NAME.findall(where)) <= known, set(NAME.findall(where)) - known


def test_every_alert_is_told_what_to_do_about():
    text = read(OPERATIONS)
    alerts = re.findall(r"- alert: (\w+)", read(RULES))
    for alert in alerts:
        assert re.search(rf"^\| `{alert}` \| .{{10,}} \| .{{10,}} \|$", text, re.M), f"{alert} is not in docs/OPERATIONS.md, Alerts"
    assert set(re.findall(r"^\| `(Sluice\w+)` \|", text, re.M)) == set(alerts)


def test_the_example_config_is_good(tmp_path):
    shutil.copy(RULES, tmp_path)
    path = shutil.copy(os.path.join(ROOT, "conf/prometheus/prometheus.yml.example"), tmp_path / "prometheus.yml")
    code, said = promtool("check", "config", str(path))
    assert code == 0, said
