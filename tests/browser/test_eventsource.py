"""Chromium's own EventSource, through the relay: on the demo page, and on a page of ours against a scripted origin."""

import json
import os
import time

import pytest
from lib.proc import Child, wait_for
from lib.relay import BENCH
from lib.wire import NotInTime

pytestmark = pytest.mark.timeout(90)

PAGE = b"""<!doctype html><title>probe</title><script>
window.seen = []; window.opens = []; window.errors = [];
const source = window.source = new EventSource("/events");
source.onopen = () => opens.push(performance.now());
source.onerror = () => errors.push({ at: performance.now(), state: source.readyState });
source.onmessage = (e) => seen.push({ at: performance.now(), data: e.data, id: e.lastEventId });
</script>"""


class Scripted:
    """An origin that serves the page by itself and hands each request for /events to the test."""

    def __init__(self, rig):
        self.streams = []
        self.origin = rig.origin(self.serve)
        self.address = self.origin.address

    def serve(self, conn):
        while True:
            try:
                head = conn.request(60)
            except AssertionError:
                return
            if head.target == b"/events":
                conn.asked = time.monotonic()
                conn.given = True
                self.streams.append((conn, head))
                while conn.given and not self.origin.stopping:
                    time.sleep(0.01)
                continue
            body = PAGE if head.target == b"/" else b""
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    @staticmethod
    def end(conn):
        """Ends the body; the connection may bring another request."""
        conn.finish()
        conn.given = False

    def stream(self, n, timeout=15):
        """The n-th event stream that the browser asked for (from 0): connection and request head."""
        wait_for(lambda: len(self.streams) > n, timeout, why=f"request {n} for events")
        return self.streams[n]


def scripted(rig, page, **route):
    origin = Scripted(rig)
    relay = rig.relay(origin, route=route)
    page.get(relay.url + "/")
    return origin, relay


def seen(page):
    return page.execute_script("return window.seen")


def wait_seen(page, n, timeout=10):
    wait_for(lambda: len(seen(page)) >= n, timeout, 0.02, f"{n} events on the page")
    return seen(page)


@pytest.fixture
def demo(rig):
    """The demo's origin, and a relay in front of it."""
    assert os.access(BENCH, os.X_OK), f"{BENCH} is not built"
    origin = rig._keep(Child([BENCH, "origin", "--listen", "127.0.0.1:0", "--rate", "20"]))
    return rig.relay(origin.wait_line(r"127\.0\.0\.1:\d+", 10).group(0), route={"heartbeat": "200ms"})


def test_demo_page_shows_events_as_they_come(demo, page):
    page.get(demo.url + "/")
    state = lambda: page.execute_script("return {...window.demo, source: null}")
    wait_for(lambda: state()["count"] >= 15, 15, 0.05, "events on the demo page")
    now = state()
    assert now["state"] == "open" and now["lost"] == 0 and now["reconnects"] == 0
    latencies = sorted(now["latencies"])
    assert latencies and latencies[len(latencies) // 2] < 100, latencies
    rows = page.execute_script("return [...document.querySelectorAll('#events tr')].map((r) => r.cells[0].textContent)")
    assert rows and [int(r) for r in rows] == sorted((int(r) for r in rows), reverse=True)
    assert page.execute_script("return document.getElementById('state').textContent") == "open"


def test_demo_page_reconnects_where_it_was(demo, page):
    """Streams of five events: the page comes back with Last-Event-ID and misses none."""
    page.get(demo.url + "/?n=5&retry=100")
    state = lambda: page.execute_script("return {...window.demo, source: null}")
    wait_for(lambda: state()["count"] >= 18, 20, 0.05, "events over several streams")
    now = state()
    assert now["lost"] == 0 and now["reconnects"] >= 3
    assert len(demo.log(event="end", path="/events", ended_by="complete")) >= 3


def test_last_event_id_is_sent(rig, page):
    origin, _ = scripted(rig, page)
    up, head = origin.stream(0)
    assert head.tokens("accept") == ["text/event-stream"] and head.get("last-event-id") is None
    up.stream_head()
    up.part("retry: 50\n\nid: ünï-7\ndata: first\n\n".encode())
    wait_seen(page, 1)
    origin.end(up)
    up, head = origin.stream(1)
    assert head.get("last-event-id").encode("latin-1").decode() == "ünï-7"
    up.stream_head()
    up.event("second")
    assert [e["data"] for e in wait_seen(page, 2)] == ["first", "second"]


def test_heartbeats_are_invisible(rig, page):
    """At a boundary and inside an event: no event more, none cut, no reconnect."""
    origin, relay = scripted(rig, page, heartbeat="100ms")
    up, _ = origin.stream(0)
    up.stream_head()
    up.event("one", id=1)
    wait_seen(page, 1)
    time.sleep(0.5)
    up.part(b"id: 2\ndata: two\n")
    time.sleep(0.5)
    up.part(b"data: and a half\n\n")
    time.sleep(0.3)
    up.part(b"id: 3\r\ndata: three\r\n\r\n")
    assert [(e["data"], e["id"]) for e in wait_seen(page, 3)] == [("one", "1"), ("two\nand a half", "2"), ("three", "3")]
    assert page.execute_script("return [opens.length, errors.length]") == [1, 0]
    page.execute_script("source.close()")
    assert relay.wait_log(event="end", path="/events")["heartbeats"] >= 6


@pytest.mark.parametrize("wait_ms", [300, 1500])
def test_retry_is_obeyed(rig, page, wait_ms):
    origin, _ = scripted(rig, page)
    up, _ = origin.stream(0)
    up.stream_head()
    up.part(b"retry: %d\n\n" % wait_ms)
    up.event("x")
    wait_seen(page, 1)
    ended = time.monotonic()
    origin.end(up)
    up, _ = origin.stream(1)
    assert wait_ms / 1000 - 0.1 <= up.asked - ended < wait_ms / 1000 + 0.9
    up.stream_head()


def test_retry_of_a_drain_is_obeyed(rig, page):
    """The relay's own `retry:` at shutdown: the page comes back when it says, to the next relay, with its id."""
    from lib.peers import free_port

    origin = Scripted(rig)
    conf = rig.config(origin, listener={"listen": f"127.0.0.1:{free_port()}"}, route={"retry": "400ms"})
    relay = rig.run(conf)
    page.get(relay.url + "/")
    up, _ = origin.stream(0)
    up.stream_head()
    up.event("before", id="b-1")
    wait_seen(page, 1)
    relay.quit()
    rig.run(conf)
    up, head = origin.stream(1)
    assert head.get("last-event-id") == "b-1"
    up.stream_head()
    up.event("after")
    assert [e["data"] for e in wait_seen(page, 2)] == ["before", "after"]


def test_half_an_event_is_never_shown(rig, page):
    """The origin dies in mid-event: the browser comes back, and the half is gone."""
    origin, _ = scripted(rig, page)
    up, _ = origin.stream(0)
    up.stream_head()
    up.part(b"retry: 50\n\nid: 1\ndata: whole\n\nid: 2\ndata: half")
    wait_seen(page, 1)
    up.rst()
    up.given = False
    up, head = origin.stream(1)
    assert head.get("last-event-id") == "1"
    up.stream_head()
    up.event("again")
    assert [e["data"] for e in wait_seen(page, 2)] == ["whole", "again"]


@pytest.mark.parametrize("errors, comes_back", [(503, False), ("reset", True), ("retry", True)])
def test_outage(rig, page, errors, comes_back):
    """What each error mode means to a browser: gone for good, or back when the upstream is."""
    origin, relay = scripted(rig, page, errors=errors, retry="100ms")
    up, _ = origin.stream(0)
    up.stream_head()
    up.part(b"retry: 50\n\n")
    up.event("before")
    wait_seen(page, 1)
    port = origin.origin.port
    origin.origin.close()
    up.given = False
    relay.wait_log(event="end", ended_by="no_upstream", path="/events", timeout=10)
    back = rig.origin(port=port)
    if comes_back:
        up = back.accept(10)
        up.request()
        up.stream_head()
        up.event("after")
        assert [e["data"] for e in wait_seen(page, 2)] == ["before", "after"]
    else:
        wait_for(lambda: page.execute_script("return source.readyState") == 2, 5, why="closed for good")
        with pytest.raises(NotInTime):
            back.accept(0.7)


def test_204_means_stop(rig, page):
    origin, _ = scripted(rig, page)
    up, _ = origin.stream(0)
    up.stream_head()
    up.part(b"retry: 50\n\ndata: x\n\n")
    wait_seen(page, 1)
    origin.end(up)
    up, _ = origin.stream(1)
    up.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    wait_for(lambda: page.execute_script("return source.readyState") == 2, 5, why="closed for good")
    time.sleep(0.3)
    assert len(origin.streams) == 2


def test_closed_tab_is_told_to_the_origin(rig, page):
    """Seed 3: the tab is closed, and the origin learns it."""
    origin, relay = scripted(rig, page)
    up, _ = origin.stream(0)
    up.stream_head()
    up.event("x")
    wait_seen(page, 1)
    page.execute_script("source.close()")
    wait_for(lambda: up.end or up.fill(0.05) or up.end, 3, why="the origin's side ends")
    assert up.end
    assert json.loads(json.dumps(relay.wait_log(event="end", path="/events")))["ended_by"] == "client"
