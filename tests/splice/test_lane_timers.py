"""What the relay itself does with a spliced stream: heartbeats, timeouts, the drain, and an operator's kill."""

import random
import signal
import time

import pytest
from lib.sse import Stream
from lib.wire import chunk

from kit.body import HEARTBEAT, assert_same, chunked, events
from kit.stream import opened, sluicectl, start

BEAT = 0.15
SHORT = b":\n"


def opened_with(rig, origin=None, drain=None, **route):
    origin = origin or rig.origin()
    top = {"drain": drain} if drain else {}
    relay = start(rig, origin, route={"heartbeat": "off", **route}, **top)
    return relay, opened(rig, relay, origin)


# -- heartbeats --


def test_heartbeats_in_silence(rig):
    """Out of the kernel's hands, a whole chunk of the relay's own, and back into them; then events flow as before."""
    relay, s = opened_with(rig, heartbeat="150ms")
    sent = b""
    for n in range(4):
        data = b"data: %d\n\n" % n
        s.up.send(chunk(data))
        sent += data
        began = time.monotonic()
        beats = bytes(s.body.payload).count(HEARTBEAT)
        while bytes(s.body.payload).count(HEARTBEAT) < beats + 2:
            assert time.monotonic() - began < BEAT * 8
            s.body.pump(BEAT)
        assert 1.5 * BEAT < time.monotonic() - began < 5 * BEAT
        live = s.on("splice")
        assert live["heartbeats"] >= 2 * (n + 1) and live["spliced_events"] == n + 1, live
    s.up.send(b"0\r\n\r\n")
    s.body.to_end()
    assert s.body.complete
    assert_same(bytes(s.body.payload).replace(HEARTBEAT, b""), sent)
    end = s.ended()
    assert end["heartbeats"] == bytes(s.body.payload).count(HEARTBEAT) and end["events"] == 4, end
    assert end["flips"] >= 2 * end["heartbeats"], end


@pytest.mark.parametrize("data", [b"data: x\n", b"data: x\r\n"], ids=["LF", "CRLF"])
def test_heartbeat_at_a_lines_start(rig, data):
    """The kernel's tracker and userspace's are one: an empty comment inside an event, no blank line."""
    _, s = opened_with(rig, heartbeat="150ms")
    s.up.send(chunk(data))
    s.body.until(data + SHORT, BEAT * 5)
    s.on("splice")
    s.up.send(chunk(b"data: y\n\n") + b"0\r\n\r\n")
    assert [e.data for e in Stream(s.body.to_end()).events] == [b"x\ny"]


@pytest.mark.parametrize(
    "half",
    [b"20\r\ndata: x\n\n", b"2", b"20", b"20\r", b"9\r\ndata: x\n\n", b"9\r\ndata: x\n\n\r", chunk(b"data: in a line"), chunk(b"da"), chunk(b"data: x\r"),
     chunk(b"data: x\n\r"), chunk(b":"), b"0\r\n", b"0\r"],
)  # fmt: skip
def test_places_where_no_heartbeat_may_be(rig, half):
    """Inside a chunk or its head, inside a line, behind a lone CR: silence, though the timer fires again and again."""
    relay, s = opened_with(rig, heartbeat="20ms")
    s.body.until(b"", 0)
    s.up.send(chunk(b"data: whole\n\n"))
    s.body.until(b"data: whole\n\n" + HEARTBEAT)
    s.up.send(half)
    time.sleep(0.05)
    s.client.fill(0.01)
    before = len(s.client.log)
    s.client.expect_silence(0.3)
    assert len(s.client.log) == before
    assert not s.client.end and bytes(s.client.log).endswith(half)


@pytest.mark.parametrize("seed", range(3))
def test_heartbeats_anywhere_in_odd_text(rig, seed):
    """The stream pauses at random places of framing and lines: the heartbeats that there are change nothing for an EventSource."""
    relay, s = opened_with(rig, heartbeat="5ms")
    rng = random.Random(seed)
    blocks = [rng.choice((b"data: %d\n\n", b"data: a\ndata: %d\n\n", b"id: 1\r\ndata: %d\r\n\r\n", b"data: %d\r\r")) % n for n in range(120)]
    text, at, raw, edges = b"".join(blocks), 0, b"", []
    while at < len(text):
        n = rng.randrange(1, 40)
        if rng.random() < 0.6:  # up to a line's end
            n = text.index(b"\n", at) + 1 - at if b"\n" in text[at:] else n
        raw += chunk(text[at : at + n])
        at += n
        edges.append(len(raw))
    at = 0
    while at < len(raw):
        to = min(at + rng.randrange(1, 60), len(raw))
        if rng.random() < 0.6:
            to = min(e for e in edges if e > at)
        s.up.send(raw[at:to])
        at = to
        if rng.random() < 0.5:
            time.sleep(0.012)
        s.client.fill(0)
    s.up.send(b"0\r\n\r\n")
    payload = s.body.to_end()
    assert s.body.complete
    assert Stream(payload).events == Stream(text).events
    end = s.ended()
    assert end["heartbeats"] > 5 and end["events"] == len(Stream(text).events), end
    assert payload.count(HEARTBEAT) + payload.count(SHORT) >= end["heartbeats"]


def test_no_heartbeat_while_the_kernel_carries_events(rig):
    """Silence counts from the last byte that the kernel sent on."""
    _, s = opened_with(rig, heartbeat="150ms")
    for n in range(15):
        s.write(chunk(b"data: %d\n\n" % n))
        s.arrive()
        time.sleep(BEAT / 3)
    live = s.record()
    assert live["heartbeats"] == 0 and live["flips"] == 1, live


# -- timeouts --


def test_idle_timeout_counts_from_the_kernels_last_byte(rig):
    relay, s = opened_with(rig, timeouts={"idle": "400ms"})
    for n in range(8):
        s.write(chunk(b"data: %d\n\n" % n))
        s.arrive()
        time.sleep(0.1)
    began = time.monotonic()
    assert s.record()["lane"] == "splice"
    s.client.wait_end(2)
    assert 0.2 < s.client.end_time - began < 1.2
    assert_same(s.log, bytes(s.sent))
    assert not s.body.complete
    end = s.ended()
    assert (end["ended_by"], end["reason"], end["truncated"]) == ("timeout", "upstream_idle", True), end
    assert s.up.wait_end(1)


def test_max_age(rig):
    relay, s = opened_with(rig, timeouts={"max_age": "600ms"})
    began, n = time.monotonic(), 0
    while not s.client.end and time.monotonic() - began < 2:
        s.up.send_some(chunk(b"data: %d\n\n" % n))
        n += 1
        s.client.fill(0.005)
    assert 0.4 < time.monotonic() - began < 1.5
    s.body.pump(0)
    assert not s.body.complete
    numbers = [int(e.data) for e in Stream(s.body.payload).events]
    assert numbers == list(range(len(numbers))) and len(numbers) > n - 60
    end = s.ended()
    assert (end["ended_by"], end["reason"]) == ("timeout", "max_age"), end


# -- shutdown, kill --


def test_term_drains_spliced_streams_at_event_boundaries(rig):
    """Out of the kernel's hands, drained, told when to come back, and closed without a last chunk; spread over the window."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off", "retry": "2345ms"}, drain="1s")
    streams = [opened(rig, relay, origin) for _ in range(20)]
    for n, s in enumerate(streams):
        s.write(chunked(events(5, 200, first=n), 130, last=False))
        s.arrive()
    assert {r["lane"] for r in relay.admin("streams")} == {"splice"}
    began = time.monotonic()
    relay.send_signal(signal.SIGTERM)
    left = list(streams)
    while left and time.monotonic() - began < 4:
        for s in list(left):
            s.client.fill(0.002)
            if s.client.end:
                left.remove(s)
    times = sorted(s.client.end_time - began for s in streams)
    assert not left and times[-1] < 2.0 and times[-1] - times[0] > 0.4, times
    for n, s in enumerate(streams):
        s.body.pump(0)
        text = events(5, 200, first=n)
        assert bytes(s.body.payload) == text + b"retry: 2345\n\n" and not s.body.complete
        assert s.up.wait_end(1)
    assert relay.wait(5) == 0
    assert {r["ended_by"] for r in relay.log(event="end")} == {"drain"}


def test_term_while_bytes_flow(rig):
    """A busy stream is cut between events, exact up to there."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off", "retry": "2345ms"}, drain="500ms")
    s = opened(rig, relay, origin)
    began, n = time.monotonic(), 0
    while not s.client.end and time.monotonic() - began < 3:
        if n == 50:
            relay.send_signal(signal.SIGTERM)
        s.up.send_some(chunk(b"data: %d\n\n" % n)) if not s.up.end else None
        n += 1
        s.client.fill(0.002)
    s.body.pump(0)
    stream = Stream(s.body.payload)
    numbers = [int(e.data) for e in stream.events]
    assert numbers == list(range(len(numbers))) and len(numbers) >= 50
    assert stream.retry == 2345 and not stream.rest and not stream.open_event and not s.body.complete
    assert relay.wait(5) == 0


def test_kill_by_sluicectl(rig):
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"})
    streams = [opened(rig, relay, origin) for _ in range(3)]
    for s in streams:
        s.write(chunk(b"data: 1\n\n"))
        s.arrive()
    victim = streams[1]
    assert sluicectl(relay, "kill", str(victim.record()["id"])) == {"ok": True}
    victim.client.wait_end(1)
    assert_same(victim.log, bytes(victim.sent))
    assert not victim.body.complete and victim.up.wait_end(1)
    assert victim.ended()["ended_by"] == "admin"
    for s in (streams[0], streams[2]):
        s.write(chunk(b"data: 2\n\n"))
        s.arrive()
        assert s.record()["lane"] == "splice"
        s.finish()
