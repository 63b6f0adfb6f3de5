"""The exporter as a server: its pages, formats, odd requests, slow readers, hostile labels, a daemon that goes and comes."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest
from kit import EXPORTER, Exporter, Fake, Page, check_metrics, exporter
from lib.wire import connect


@pytest.fixture(scope="module")
def pair(shared):
    relay = shared.relay(shared.origin(), workers=1, max_streams=64)
    return relay, exporter(shared, relay)


def test_pages(pair):
    _, e = pair
    assert e.ask("/healthz")[0] == 200 and e.ask("/readyz")[0] == 200
    status, headers, text = e.ask("/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    for link in re.findall(r'href="([^"]+)"', text):
        assert e.ask(link)[0] == 200, link
    assert len(re.findall("href", text)) == 3
    assert e.ask("/nothing")[0] == 404 and e.ask("/metrics/")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(pair, method):
    status, headers, _ = pair[1].ask("/metrics", method=method)
    assert status == 405 and headers["Allow"] == "GET, HEAD"


def test_head_has_no_body(pair):
    status, headers, text = pair[1].ask("/metrics", method="HEAD")
    assert status == 200 and text == "" and int(headers["Content-Length"]) > 1000


def test_both_formats(pair):
    _, e = pair
    _, headers, plain = e.ask("/metrics")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8" and "# EOF" not in plain
    check_metrics(plain)
    _, headers, text = e.ask("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0, text/plain;q=0.5"})
    assert headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1
    assert "# TYPE sluice_requests counter\n" in text and "# TYPE sluice_build info\n" in text
    # the same series; bounds are floats in one of them
    def keys(t):
        return {(n, tuple(sorted({k: float(v) if k == "le" else v for k, v in l.items()}.items()))) for n, l, _ in Page(t).samples}
    assert keys(plain) == keys(text)


def test_a_family_stands_together(pair):
    """Neither a family's rows nor its samples are told twice or apart."""
    _, e = pair
    seen, family = set(), None
    for line in e.ask("/metrics")[2].splitlines():
        name = re.match(r"(?:# (?:HELP|TYPE) )?(\w+)", line)[1]
        if line.startswith("# HELP"):
            family = name
            assert family not in seen
            seen.add(family)
        else:
            assert name in (family, f"{family}_bucket", f"{family}_sum", f"{family}_count"), line


@pytest.mark.parametrize("raw", [b"\x00\xff\xfe\r\n\r\n", b"GET /metrics\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n", b"A" * 100_000,
                                 b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 60_000, b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                                 b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\nabc"])
def test_rubbish_harms_nobody(pair, raw):
    _, e = pair
    wire = connect(("127.0.0.1", e.port))
    try:
        wire.send(raw)
    except OSError:
        pass
    wire.fill(0.1)
    wire.close()
    assert e.alive() and e.page().get("sluice_up") == 1


def test_slow_readers_keep_nobody_waiting(pair):
    """Forty who ask and do not read, and some who do not even end their request."""
    _, e = pair
    slow = []
    for n in range(40):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        s.connect(("127.0.0.1", e.port))
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + (b"\r\n" if n % 4 else b""))
        slow.append(s)
    took = []
    for _ in range(5):
        began = time.monotonic()
        assert e.page().get("sluice_up") == 1
        took.append(time.monotonic() - began)
    for s in slow:
        s.close()
    assert min(took) < 1, took


def test_the_same_page_for_many_at_once(pair):
    _, e = pair
    wires = [connect(("127.0.0.1", e.port)) for _ in range(30)]
    for w in wires:
        w.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    for w in wires:
        head = w.final_head()
        assert b"200" in head.raw and b"sluice_up 1" in w.response_body(head).to_end()
        w.close()


@pytest.mark.parametrize("args, says", [(["--listen", "nonsense"], "ADDR:PORT"), (["--top", "-1"], "--top takes"), (["--top", "5000"], "--top takes"),
                                        (["--nothing"], "--listen"), (["extra"], "--listen"), (["--listen", "unix:/tmp/x"], "ADDR:PORT")])
def test_mistakes_in_flags(args, says):
    p = subprocess.run([EXPORTER, *args], stderr=subprocess.PIPE, timeout=10, text=True)
    assert p.returncode == 2 and says in p.stderr, p.stderr


def test_a_port_that_is_taken(pair):
    p = subprocess.run([EXPORTER, "--listen", f"127.0.0.1:{pair[1].port}"], stderr=subprocess.PIPE, timeout=10, text=True)
    assert p.returncode == 1 and "Address already in use" in p.stderr


def test_it_ends_by_term_with_connections_open(rig):
    e = rig._keep(Exporter("--instance", "nobody-there"))
    wires = [connect(("127.0.0.1", e.port)) for _ in range(3)]
    assert e.stop() == 0
    assert len(wires) == 3


# ---- the daemon goes and comes


@pytest.mark.parametrize("lane", ["copy", pytest.param("splice", marks=pytest.mark.skipif(os.geteuid() != 0, reason="the splice lane is loaded as root"))])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_daemons_restart_is_survived(rig, lane, how):
    origin = rig.origin()
    conf = rig.config(origin, workers=1, lane=lane, max_streams=64, drain="1s")
    relay = rig.run(conf)
    relay.expect_deaths = True
    e = exporter(rig, relay)
    client, body, up = rig.stream(relay, origin)
    up.event("x")
    body.until(b"x")
    first = e.until("sluice_events_total", 1)
    relay.send_signal(how)
    relay.wait(10)
    relay.checked = True
    page = e.until("sluice_up", 0)
    assert not [n for n in page.names() if not n.startswith(("sluice_exporter_", "sluice_kworker_")) and n != "sluice_up"]
    check_metrics(page.text)
    status, _, text = e.ask("/readyz")
    assert status == 503 and text.startswith("not ready: ") and e.ask("/healthz")[0] == 200
    wait_pins_free(relay)
    again = rig.run(conf)
    page = e.until("sluice_up", 1)
    assert page.get("sluice_events_total") == 0 and page.get("sluice_event_streams_total") == 0
    assert page.get("sluice_start_time_seconds") > first.get("sluice_start_time_seconds")
    client, body, up = rig.stream(again, origin)
    up.event("y")
    e.until("sluice_events_total", 1)
    assert e.ask("/readyz")[0] == 200


@pytest.mark.parametrize("lane", ["copy", pytest.param("splice", marks=pytest.mark.skipif(os.geteuid() != 0, reason="the splice lane is loaded as root"))])
def test_a_scrape_asks_nothing_of_the_daemon(rig, lane):
    """Every process of it stands still, and the numbers come all the same; on the splice lane they go on."""
    origin = rig.origin()
    relay = rig.relay(origin, workers=1, lane=lane, max_streams=64, route={"heartbeat": "off"})
    e = exporter(rig, relay)
    _, body, up = rig.stream(relay, origin)
    up.event("x")
    body.until(b"x")
    e.until("sluice_streams", 1, lane=lane)
    e.until("sluice_events_total", 1)
    pids = [relay.pid, *relay.workers()]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        page = e.page()
        assert page.get("sluice_up") == 1 and page.get("sluice_event_streams") == 1 and page.get("sluice_events_total") == 1
        if lane == "splice":
            up.event("y")
            body.until(b"y")
            page = e.page()
            assert page.get("sluice_events_total", lane="splice") == 2 and page.get("sluice_event_gap_seconds_count") == 1
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def wait_pins_free(relay):
    """Workers of a killed master end by themselves; until then the instance's name is theirs."""
    stop = time.monotonic() + 10
    while relay.workers() and time.monotonic() < stop:
        time.sleep(0.05)
    time.sleep(1.5 if relay.proc.returncode == -signal.SIGKILL else 0)


def test_it_may_start_before_the_daemon(rig):
    origin = rig.origin()
    conf = rig.config(origin, workers=1)
    e = rig._keep(Exporter("--instance", conf["instance"], "--admin", conf["admin"]))
    assert e.page().get("sluice_up") == 0 and e.ask("/readyz")[0] == 503
    rig.run(conf)
    e.until("sluice_up", 1)


# ---- what no client could send, and more streams than a test should open


def fake(rig, streams, *args):
    path = rig.path(f"fake-{streams}.sock")
    return rig._keep(Fake(path, streams, *args)), rig._keep(Exporter("--instance", "fake", "--admin", path, "--top", "1000"))


def test_hostile_text_stays_in_its_label(rig):
    _, e = fake(rig, 200, "hostile")
    for accept in ("text/plain", "application/openmetrics-text"):
        text = e.ask("/metrics", headers={"Accept": accept})[2]
        page = Page(text)
        assert page.get("sluice_up") == 1 and page.get("sluice_event_streams") == 200
        tops = page.all("sluice_top_stream_pending_bytes")
        assert len(tops) == 200 and sum(v for _, v in tops) == sum(range(1, 201))
        routes = {l["route"] for l, _ in page.all("sluice_event_streams")}
        assert {'a"b', "back\\slash", "two\nlines", "\\xff\\xfe junk", "café", "tab\\x09bell\\x07", "} 1\nsluice_up 0"} <= routes
        assert page.all("sluice_certificate_expiry_timestamp_seconds") == [({"file": 'a"b', "names": "two\nlines"}, 1900000000)]
        assert page.all("sluice_upstream_server_up") == [({"upstream": "} 1\nsluice_up 0", "server": "\\xff\\xfe junk"}, 0)]
        series = [(n, tuple(sorted(l.items()))) for n, l, _ in page.samples]
        assert len(series) == len(set(series)), "no series twice"
        if accept == "text/plain":
            check_metrics(text)


def test_ten_thousand_streams(rig):
    """Counted right; the time is told (docs/METRICS.md asks for less than 50 ms), and only a gross fault fails."""
    _, e = fake(rig, 10_000)
    took = []
    for _ in range(10):
        page = e.page()
        took.append(e.page().get("sluice_exporter_last_scrape_duration_seconds"))
    assert page.get("sluice_event_streams") == 10_000
    assert page.get("sluice_streams", lane="splice") == 5000 and page.get("sluice_streams", lane="copy", reason="tls") == 5000
    assert page.get("sluice_streams", route="route-3") == 2500
    assert page.get("sluice_pending_bytes") == sum(range(1, 10_001, 10))
    assert len(page.all("sluice_top_stream_pending_bytes")) == 1000
    print(f"scrape of 10,000 streams: median {sorted(took)[5] * 1000:.1f} ms, worst {max(took) * 1000:.1f} ms")
    assert min(took) < 1
