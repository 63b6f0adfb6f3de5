"""The status page in Chromium, over real streams on both lanes: its numbers against what was done.

STATUS_SCREENSHOT=docs/status-page.png: the picture's test runs for a minute with many streams, and leaves its picture there.
"""

import base64
import http.client
import json
import os
import select
import signal
import socket
import struct
import threading
import time

import pytest
from lib.peers import free_port
from lib.proc import Child, children, wait_for
from lib.relay import BENCH
from lib.wire import connect, event_request

pytestmark = pytest.mark.timeout(180)
KEEP = os.environ.get("STATUS_SCREENSHOT")
LANES = {"quotes": "auto", "chat": "copy", "builds": "auto", "audit": "copy"}


class Readers:
    """Open event streams whose bytes are read and thrown away; `idle` ones are left unread."""

    def __init__(self, relay):
        self.relay, self.wires, self.idle, self.stopping = relay, [], [], False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def open(self, host, target="/events", idle=False):
        wire = connect(self.relay.addr, rcvbuf=4096 if idle else None)
        wire.send(event_request(target, host=host))
        (self.idle if idle else self.wires).append(wire)

    def close(self, n):
        for _ in range(n):
            self.wires.pop().close()

    def _read(self):
        while not self.stopping:
            wires = list(self.wires)
            if not wires:
                time.sleep(0.02)
                continue
            try:
                for s in select.select([w.sock for w in wires], [], [], 0.05)[0]:
                    s.recv(1 << 16)
            except (OSError, ValueError):
                pass

    def stop(self):
        self.stopping = True
        self.thread.join(2)
        for wire in self.wires + self.idle:
            wire.close()


@pytest.fixture(scope="module")
def origin(shared):
    child = shared._keep(Child([BENCH, "origin", "--listen", "127.0.0.1:0", "--rate", "10"]))
    return child.wait_line(r"127\.0\.0\.1:\d+", 10).group(0)


@pytest.fixture
def status(rig, origin):
    """A relay with a status page: .url of the page, and .readers."""
    port = free_port()
    routes = [{"name": n, "host": n + ".example", "upstream": "app", "lane": lane} for n, lane in LANES.items()]
    conf = rig.config(origin, admin_http=f"127.0.0.1:{port}", lane="auto", routes=routes, **({"instance": "edge"} if KEEP else {}))
    relay = rig.run(conf)
    relay.page, relay.status_port, relay.conf = f"http://127.0.0.1:{port}/", port, conf
    relay.readers = Readers(relay)
    yield relay
    relay.readers.stop()


def last(page):
    return page.execute_script("return window.sluice && window.sluice.last")


def wait_last(page, what, why, timeout=10):
    try:
        return wait_for(lambda: (s := last(page)) and what(s) and s, timeout, 0.05, why)
    except AssertionError:
        raise AssertionError(f"{why}: {json.dumps(last(page))}") from None


def text(page, element):
    return page.execute_script("return document.getElementById(arguments[0]).innerText", element)


def clear_log(page):
    return [x for x in page.get_log("browser") if x["level"] in ("SEVERE", "WARNING")]


def events(status, timeout=3):
    """The snapshots of a raw event stream."""
    conn = http.client.HTTPConnection("127.0.0.1", status.status_port, timeout=timeout)
    conn.request("GET", "/events")
    return conn, conn.getresponse()


def test_numbers_of_both_lanes(page, status):
    clear_log(page)
    for _ in range(6):
        status.readers.open("quotes.example")
    for _ in range(4):
        status.readers.open("chat.example")
    page.get(status.page)
    s = wait_last(page, lambda s: s["streams"] == 10 and s["events_s"] and s["events_s"] > 60, "ten streams of ten events a second")
    lanes = s["lanes"]
    assert lanes["copy"] + lanes["splice"] == 10 and lanes["copy"] >= 4
    # On a kernel without the lane all are copied; the daemon says so at its start.
    assert lanes["splice"] == 6 or "splice lane off" in status.text()
    s = wait_last(page, lambda s: 90 <= s["events_s"] <= 110, "100 events a second")
    assert {r["route"]: r["streams"] for r in s["routes"]} == {"quotes": 6, "chat": 4}
    assert sum(n for _, n in s["pending"]) == sum(n for _, n in s["quiet"]) == 10
    assert s["totals"]["event_streams"] == 10 and len(s["slowest"]) == 10
    # The counter of events never goes back, although the lanes count in different places.
    seen = [s["totals"]["events"]]
    for _ in range(3):
        seen.append(wait_last(page, lambda s: s["totals"]["events"] != seen[-1], "more events")["totals"]["events"])
    assert seen == sorted(seen)
    # What the eyes see is what was sent.
    s = last(page)
    assert text(page, "streams") == "10" and text(page, "state") == "live"
    assert "splice, in the kernel" in text(page, "lanes") and "copy asked for" in text(page, "lanes")
    assert "quotes" in text(page, "routes") and text(page, "slowest").count("127.0.0.1:") == 10
    status.readers.close(4)
    wait_last(page, lambda s: s["streams"] == 6 and s["totals"]["connections"] >= 6, "four streams fewer")
    wait_for(lambda: text(page, "streams") == "6", why="the page shows it")
    assert clear_log(page) == []


def test_a_client_that_reads_nothing_is_the_slowest(page, status):
    status.readers.open("chat.example")
    status.readers.open("audit.example", "/events?size=20000&rate=50", idle=True)
    page.get(status.page)
    s = wait_last(page, lambda s: s["streams"] == 2 and s["blocked"] == 1 and s["slowest"][0]["pending"], "a blocked client", 20)
    assert s["slowest"][0]["route"] == "audit" and s["pending_bytes"] >= s["slowest"][0]["pending"] > 0
    assert [n for b, n in s["pending"] if b == 0] == [1] and sum(n for _, n in s["pending"]) == 2
    wait_for(lambda: "1 client blocked" in text(page, "pending-note"), why="the tile says so")


def test_without_streams_it_says_so(page, status):
    clear_log(page)
    page.get(status.page)
    wait_last(page, lambda s: s["events_s"] == 0, "a second snapshot")
    assert text(page, "streams") == "0" and text(page, "slowest") == "No stream is open."
    assert clear_log(page) == []


def test_it_comes_back_after_a_restart(rig, page, status):
    page.get(status.page)
    before = wait_last(page, lambda s: True, "a snapshot")
    status.quit()
    state = lambda: page.execute_script("return window.sluice.state")
    wait_for(lambda: state() == "gone", 10, 0.05, "the page says disconnected")
    assert text(page, "state") == "disconnected"
    rig.run(status.conf)
    s = wait_last(page, lambda s: s["uptime_ms"] < before["uptime_ms"] or s["time_ms"] > before["time_ms"] + 1000, "the next daemon", 20)
    assert s["streams"] == 0
    wait_for(lambda: state() == "live", why="live again")
    clear_log(page)  # the refused connections of the meantime


def test_its_process_has_nothing_and_is_replaced(rig, status):
    def pid():
        for p in children(status.pid):
            with open(f"/proc/{p}/comm", encoding="ascii") as f:
                if f.read().strip() == "sluice-status":
                    return p
        return None

    first = wait_for(pid, why="the process")
    with open(f"/proc/{first}/status", encoding="ascii") as f:
        lines = dict(x.split(":\t", 1) for x in f.read().splitlines() if ":\t" in x)
    if os.geteuid() == 0:
        assert lines["Uid"].split()[0] != "0" and int(lines["CapEff"], 16) == 0 and int(lines["CapBnd"], 16) == 0
    with open(f"/proc/{first}/maps", encoding="ascii") as f:
        shared = [x for x in f if "sluice-state" in x or "bpf" in x]
    assert shared and not [x for x in shared if x.split()[1].startswith("rw") and "sluice-state" in x]
    status.readers.open("chat.example")
    status.expect_deaths = True
    os.kill(first, signal.SIGKILL)
    second = wait_for(lambda: (p := pid()) and p != first and p, 5, why="its successor")
    conn, r = events(status)
    assert r.status == 200 and b'"streams":1' in r.fp.read1(65536) + r.fp.read1(65536) and second
    conn.close()


def test_strangers_are_refused(status):
    def ask(method="GET", path="/", **fields):
        conn = http.client.HTTPConnection("127.0.0.1", status.status_port, timeout=3)
        conn.request(method, path, headers=fields)
        r = conn.getresponse()
        r.body = r.read() if path != "/events" or r.status != 200 else b""
        conn.close()
        return r

    assert ask(Host="rebound.example").status == 403 and ask(path="/events", Host="rebound.example:80").status == 403
    assert ask(Host="localhost").status == 200 and ask(Host="127.0.0.1").status == 200 and ask(Host="[::1]:1").status == 200
    assert ask("POST").status == 405 and ask(path="/../etc/passwd").status == 404
    r = ask()
    policy = r.getheader("Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy and b"@NONCE@" not in r.body
    assert ask().getheader("Content-Security-Policy") != policy, "the nonce is of one answer"
    assert b"http://www.w3.org/2000/svg" in r.body and r.body.count(b"http") == 1, "nothing is fetched from elsewhere"
    assert ask(path="/events").getheader("Access-Control-Allow-Origin") is None


def test_clients_are_bounded_and_slow_ones_cost_nothing(status):
    """More than it takes, half of them unread: the 32 it has are served, and the relay does not notice."""
    status.readers.open("chat.example")
    socks = []
    for _ in range(40):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.settimeout(2)
        s.connect(("127.0.0.1", status.status_port))
        s.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        socks.append(s)
    def served():
        return sum(1 for s in socks if select.select([s], [], [], 0)[0])
    wait_for(lambda: served() >= 32, 10, 0.05, "32 of them are served")
    assert served() <= 33
    for s in socks[:10]:  # as a host that vanishes: no FIN
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for s in socks:
        s.close()
    deadline = time.monotonic() + 15  # those that left make room
    while True:
        try:
            conn, r = events(status)
            assert r.status == 200 and b"data: {" in r.fp.read1(4096) + r.fp.read1(65536)
            conn.close()
            break
        except (OSError, http.client.HTTPException):
            assert time.monotonic() < deadline
    assert len(status.admin("streams")) == 1


def luminance(png, chromium):
    """Mean brightness of a picture, by the browser's own decoder."""
    chromium.get("about:blank")
    return chromium.execute_async_script(
        """const done = arguments[1], i = new Image();
        i.onload = () => { const c = document.createElement("canvas"); c.width = 32; c.height = 32; const g = c.getContext("2d");
            g.drawImage(i, 0, 0, 32, 32); const d = g.getImageData(0, 0, 32, 32).data; let s = 0;
            for (let k = 0; k < d.length; k += 4) s += (d[k] + d[k + 1] + d[k + 2]) / 3; done(s / 1024); };
        i.src = "data:image/png;base64," + arguments[0];""", base64.b64encode(png).decode())  # fmt: skip


def shot(page, width, scheme, height=None):
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                         {"width": width, "height": height or 900, "deviceScaleFactor": 1, "mobile": width < 600})  # fmt: skip
    time.sleep(1.2)
    full = page.execute_script("return document.documentElement.scrollHeight")
    assert page.execute_script("return document.documentElement.scrollWidth") <= width, "nothing is cut off at this width"
    png = page.execute_cdp_cmd("Page.captureScreenshot", {
        "format": "png", "captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": width, "height": full, "scale": 1}})["data"]  # fmt: skip
    return base64.b64decode(png)


def test_dark_light_and_phone(page, status):
    for i in range(120 if KEEP else 12):
        name = ("quotes", "quotes", "quotes", "builds", "chat")[i % 5]
        status.readers.open(name + ".example", f"/events?rate={(2, 5, 10, 1, 20)[i % 5]}&size={(200, 400, 900)[i % 3]}&jitter=1")
    page.get(status.page)
    stop = time.monotonic() + (75 if KEEP else 0)
    while time.monotonic() < stop:  # a life for the curves to show
        time.sleep(0.5)
        for _ in range(2):
            status.readers.open("quotes.example", "/events?rate=5&jitter=1")
        if int(time.monotonic()) % 12 == 0:
            status.readers.close(25)
        if len(status.readers.idle) < 3 and stop - time.monotonic() < 30 - 9 * len(status.readers.idle):
            status.readers.open("audit.example", "/events?size=20000&rate=50", idle=True)
    if not KEEP:
        status.readers.open("audit.example", "/events?size=20000&rate=50", idle=True)
    wait_last(page, lambda s: s["streams"] >= 13 and s["blocked"] >= 1, "streams, and one that lags", 20)
    try:
        light, dark, phone = shot(page, 1200, "light"), shot(page, 1200, "dark"), shot(page, 390, "dark", 844)
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert luminance(light, page) > 200 and luminance(dark, page) < 70 and luminance(phone, page) < 70
    if KEEP:
        for name, png in (("", light), ("-phone", phone)):
            with open(KEEP.replace(".png", name + ".png"), "wb") as f:
                f.write(png)
