"""Chromium over HTTP/2 and TLS: more EventSources on one page than HTTP/1.1 has connections for."""

import json

import pytest
from lib.h2 import h2_relay, tls_listener
from lib.proc import wait_for

pytestmark = pytest.mark.timeout(90)
N = 20

PAGE = b"""<!doctype html><title>many</title><script>
window.opened = 0; window.errors = 0; window.seen = {};
window.sources = [];
for (let n = 0; n < %d; n++) {
  const source = new EventSource("/events/" + n);
  source.onopen = () => opened++;
  source.onerror = () => errors++;
  source.onmessage = (e) => (seen[n] = seen[n] || []).push(e.data);
  sources.push(source);
}
</script>""" % N


class Origin:
    """Serves the page, and keeps every event stream open for the test to write to."""

    def __init__(self, rig):
        self.streams = {}
        self.origin = rig.origin(self.serve)

    def serve(self, conn):
        head = conn.request(60)
        if head.target.startswith(b"/events/"):
            conn.stream_head()
            self.streams[int(head.target[8:])] = conn
            return
        body = PAGE if head.target == b"/" else b""
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)


def value(page, script):
    return page.execute_script("return " + script)


def test_twenty_event_sources_on_one_page(rig, page):
    origin = Origin(rig)
    relay = h2_relay(rig, origin.origin, True, route={"heartbeat": "off"})
    page.get(f"https://127.0.0.1:{relay.addr[1]}/")
    # the heads of silent streams are there: every source is open, with no byte of a body
    wait_for(lambda: value(page, "window.opened") == N, 15, why=f"{N} open sources")
    assert value(page, "performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    totals = relay.admin("totals")
    assert totals["h2_connections"] <= 2, "Chromium sometimes opens a second one in advance"
    assert totals["streams_now"] == N
    for turn in range(3):
        for n in range(N):
            origin.streams[n].event(f"{n}.{turn}")
    wait_for(lambda: value(page, "Object.values(seen).flat().length") == 3 * N, 10, why="every event")
    seen = json.loads(value(page, "JSON.stringify(seen)"))
    assert seen == {str(n): [f"{n}.{t}" for t in range(3)] for n in range(N)}
    # half of the sources are closed: their upstreams go at once, the others go on
    page.execute_script("sources.slice(0, 10).forEach((s) => s.close())")
    wait_for(lambda: relay.admin("totals")["streams_now"] == N - 10, 5, why="closed streams")
    for n in range(10):
        wait_for(lambda n=n: origin.streams[n].end, 5, why=f"the end of upstream {n}")
    for n in range(10, N):
        origin.streams[n].event(f"{n}.last")
    wait_for(lambda: value(page, "Object.values(seen).flat().length") == 3 * N + 10, 10, why="the last events")
    assert value(page, "window.errors") == 0
    assert sum(relay.admin("totals")["h2_ended"].values()) == 0


def test_http1_has_connections_for_six(rig, page):
    """The same page without HTTP/2: what it is for. (And that the test above can fail.)"""
    origin = Origin(rig)
    relay = rig.relay(origin.origin, listener={"http": "1.1", **tls_listener(rig)}, route={"heartbeat": "off"})
    page.get(f"https://127.0.0.1:{relay.addr[1]}/")
    wait_for(lambda: value(page, "window.opened") == 6, 15, why="six open sources")
    assert value(page, "performance.getEntriesByType('navigation')[0].nextHopProtocol") == "http/1.1"
    page.execute_async_script("setTimeout(arguments[0], 500)")
    assert value(page, "window.opened") == 6 and relay.admin("totals")["h2_connections"] == 0
