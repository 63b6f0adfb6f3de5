"""A client that does not keep up: block, drop or close, by the route's choice; bounded and counted each time."""

import json
import time

import pytest
from lib.relay import grown
from lib.sse import Stream
from lib.wire import chunk


def numbered(n, size=1000):
    """One event that says its number, padded."""
    data = json.dumps({"seq": n, "pad": "x" * size}).encode()
    return b"id: %d\ndata: %s\n\n" % (n, data)


def lagging(rig, slow, sndbuf="16KiB", stall="60s", rcvbuf=4096):
    origin = rig.origin()
    route = {"slow": slow, "sndbuf": sndbuf, "timeouts": {"stall": stall}, "heartbeat": "off"}
    relay = rig.relay(origin, route=route)
    client, body, up = rig.stream(relay, origin, rcvbuf=rcvbuf)
    return relay, client, body, up


def push(up, seconds, first=0, size=1000, most=100_000):
    """Sends numbered events until the relay takes no more for a while; returns how many were begun."""
    n, rest, stalled = first, b"", time.monotonic()
    while time.monotonic() - stalled < seconds and n - first < most:
        if not rest:
            rest, n = chunk(numbered(n, size)), n + 1
        sent = up.send_some(rest)
        rest = rest[sent:]
        stalled = time.monotonic() if sent else stalled
        if not sent:
            if up.end:
                break
            up.fill(0.005)
    return n, rest


def test_block_holds_the_upstream_and_loses_nothing(rig):
    relay, client, body, up = lagging(rig, {"policy": "block"})
    rss = relay.rss_kib()
    n, rest = push(up, 0.3)
    assert grown(relay, rss, 512), "one client's lag is one client's buffer"
    while rest:
        body.pump(0.5)
        rest = rest[up.send_some(rest) :]
    up.finish()
    events = Stream(body.to_end(10)).events
    assert [json.loads(e.data)["seq"] for e in events] == list(range(n))
    record = relay.wait_log(event="end")
    assert record["ended_by"] == "complete" and record["dropped_events"] == 0 and record["events"] == n
    assert 0 < record["pending_max"] <= 64 * 1024


def test_block_reads_on_as_the_client_does(rig):
    """A slow reader gets a steady stream; no event is cut."""
    _, client, body, up = lagging(rig, {"policy": "block"})
    n, rest, pending = 0, b"", []
    stop = time.monotonic() + 1.5
    while time.monotonic() < stop:
        if not rest:
            rest, n = chunk(numbered(n)), n + 1
        rest = rest[up.send_some(rest) :]
        client.fill(0, most=2000)
        body.pump(0)
        pending.append(len(Stream(body.payload).events))
        time.sleep(0.002)
    assert pending[-1] > pending[len(pending) // 2] > 0
    events = Stream(body.payload).events
    assert [json.loads(e.data)["seq"] for e in events] == list(range(len(events)))


def test_block_gives_up_on_a_stalled_client(rig):
    """D5, fault 8: the write-stall limit; the upstream is let go with it."""
    relay, client, body, up = lagging(rig, {"policy": "block"}, stall="400ms")
    began = time.monotonic()
    push(up, 3)
    up.wait_end(2.0)
    assert 0.3 < up.end_time - began < 3
    record = relay.wait_log(event="end")
    assert record["ended_by"] == "slow_client" and record["truncated"] is True, record


def test_trickle_is_not_a_stall(rig):
    """Some bytes taken within the limit are progress."""
    relay, client, body, up = lagging(rig, {"policy": "block"}, stall="500ms")
    push(up, 0.1)
    stop = time.monotonic() + 1.6
    while time.monotonic() < stop:
        client.fill(0, most=16000)
        time.sleep(0.02)
    assert not client.end and not relay.log(event="end")


def test_drop_loses_whole_events_and_says_how_many(rig):
    relay, client, body, up = lagging(rig, {"policy": "drop", "bytes": "32KiB"})
    rss = relay.rss_kib()
    n = 3000
    for i in range(n):
        up.part(numbered(i))
    assert grown(relay, rss, 512)
    up.part(numbered(n))
    body.until(b'"seq": %d,' % n, 5)
    up.finish()
    body.to_end(5)
    stream = Stream(body.payload)
    seen = [json.loads(e.data)["seq"] for e in stream.events]
    assert seen == sorted(set(seen)) and seen[-1] == n, "in order, none twice, the newest is there"
    lost = n + 1 - len(seen)
    assert lost > 1000
    told = sum(int(word) for c in stream.comments for word in c.split() if word.isdigit())
    assert told == lost, stream.comments
    assert all(b"dropped" in c for c in stream.comments)
    assert not stream.rest and not stream.open_event
    record = relay.wait_log(event="end")
    assert record["dropped_events"] == lost, record
    # the gap stands where the comment says it does
    text = bytes(body.payload)
    before = None
    for block in text.split(b"\n\n"):
        if block.startswith(b":"):
            gap = int(next(w for w in block.split() if w.isdigit()))
            before = (before or 0, gap)
        elif block:
            seq = json.loads(block.split(b"data: ")[1])["seq"]
            if isinstance(before, tuple):
                assert seq == before[0] + before[1] + 1
            before = seq


def test_drop_does_not_hold_the_upstream(rig):
    """The writer is never slowed by a reader that lags."""
    _, client, body, up = lagging(rig, {"policy": "drop", "bytes": "32KiB"})
    began = time.monotonic()
    for i in range(5000):
        up.part(numbered(i))
    assert time.monotonic() - began < 3


def test_drop_with_a_client_that_keeps_up_changes_nothing(rig):
    relay, client, body, up = lagging(rig, {"policy": "drop", "bytes": "32KiB"}, rcvbuf=None)
    sent = b""
    for i in range(300):
        part = numbered(i, 100)
        sent += part
        up.part(part)
        body.until(len(sent))
    up.finish()
    assert body.to_end() == sent and body.complete
    assert relay.wait_log(event="end")["dropped_events"] == 0


def test_drop_half_an_event_at_a_time(rig):
    """Events cut over chunks and sent to a lagging client: what arrives is whole."""
    _, client, body, up = lagging(rig, {"policy": "drop", "bytes": "32KiB"})
    for i in range(800):
        event = numbered(i, 2000)
        for at in range(0, len(event), 700):
            up.part(event[at : at + 700])
    up.part(b"data: last\n\n")
    body.until(b"data: last\n\n", 5)
    for event in Stream(body.payload).events[:-1]:
        record = json.loads(event.data)
        assert len(record["pad"]) == 2000 and str(record["seq"]) == event.id


def test_drop_one_event_larger_than_the_queue(rig):
    _, client, body, up = lagging(rig, {"policy": "drop", "bytes": "32KiB"})
    for i in range(100):
        up.part(numbered(i))
    up.part(numbered(100, 200_000))
    up.part(b"data: last\n\n")
    body.until(b"data: last\n\n", 5)
    seen = Stream(body.payload).events
    assert seen[-1].data == b"last"
    for event in seen[:-1]:
        json.loads(event.data)


@pytest.mark.parametrize("limit", ["bytes", "time"])
def test_close_ends_a_client_that_lags_too_far(rig, limit):
    slow = {
        "bytes": {"policy": "close", "bytes": "64KiB", "time": "off"},
        "time": {"policy": "close", "bytes": "1GiB", "time": "300ms"},
    }[limit]
    relay, client, body, up = lagging(rig, slow)
    began = time.monotonic()
    push(up, 2, most=4000)
    up.wait_end(3.0)
    if limit == "time":
        assert 0.2 < up.end_time - began < 2.5
    record = relay.wait_log(event="end")
    assert record["ended_by"] == "slow_client" and record["reason"] == limit and record["truncated"] is True, record
    assert record["pending_max"] < 2 * 65536 if limit == "bytes" else True
    client.wait_end(2.0)
    try:
        body.to_end(0.5)
    except AssertionError:
        pass
    assert not body.complete, "a lagging client must not think that this was the end"


def test_close_spares_a_client_that_catches_up(rig):
    relay, client, body, up = lagging(rig, {"policy": "close", "bytes": "1MiB", "time": "600ms"})
    for _ in range(4):
        n, rest = push(up, 0.05, most=200)
        up.send(rest) if rest else None
        stop = time.monotonic() + 0.3
        while time.monotonic() < stop:
            client.fill(0.01)
    assert not client.end and not relay.log(event="end")


def test_one_stalled_client_does_not_slow_the_others(rig):
    origin = rig.origin()
    relay = rig.relay(origin)
    streams = [rig.stream(relay, origin, rcvbuf=4096 if i == 0 else None) for i in range(8)]
    push(streams[0][2], 0.1)
    for i in range(50):
        began = time.monotonic()
        for _, body, up in streams[1:]:
            sent = up.event(i)
            body.until(len(body.payload) + len(sent), 0.5)
        assert time.monotonic() - began < 0.5


def test_send_buffer_of_a_stream_is_small(rig):
    """SO_SNDBUF 16 KiB on event streams: a lag shows after tens of KiB, not after megabytes."""
    relay, client, body, up = lagging(rig, {"policy": "close", "bytes": "1KiB"})
    n, _ = push(up, 1.0, most=1000)
    record = relay.wait_log(event="end")
    assert record["ended_by"] == "slow_client"
    assert record["bytes_out"] < 200_000, "what the client's window and a 16 KiB buffer take"
