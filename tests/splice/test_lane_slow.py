"""Slow clients on the splice lane: the stream spills before the client's queue is full, and then the route's policy decides."""

import socket
import time

import pytest
from lib.sse import Stream
from lib.wire import NotInTime, Wire, chunk

from kit.body import assert_prefix, assert_same, event
from kit.stream import opened, start

SIZE = 1000


def lagging(rig, slow, stall="60s", **top):
    origin = rig.origin()
    relay = start(rig, origin, route={"slow": slow, "timeouts": {"stall": stall}, "heartbeat": "off"}, **top)
    s = opened(rig, relay, origin, rcvbuf=16384)
    s.up.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    s.n = 0
    return relay, s


def flow(s, count):
    """Events that the client reads as they come: the kernel carries them."""
    for _ in range(count):
        s.write(chunk(event(s.n, 200)))
        s.n += 1
        s.arrive()


def push(s, count, quiet=0.3):
    """Events that the client does not read; stops when the relay takes no more. Returns what was not sent of the last one."""
    rest, last = b"", time.monotonic()
    for _ in range(count):
        rest = chunk(event(s.n, SIZE))
        s.n += 1
        while rest:
            n = s.up.send_some(rest)
            s.sent += rest[:n]
            rest = rest[n:]
            if n:
                last = time.monotonic()
            elif s.up.end or time.monotonic() - last > quiet:
                return rest
            else:
                s.up.fill(0.002)
    return rest


def test_block(rig):
    """The upstream waits; nothing is lost, and the kernel carries on when the client has caught up."""
    relay, s = lagging(rig, {"policy": "block"})
    flow(s, 20)
    for turn in range(4):
        rest = push(s, 100_000)
        live = s.record()
        assert live["blocked"] and (live["lane"], live["lane_reason"]) == ("copy", "client lags"), live
        assert live["spills"] >= turn + 1 and live["pending"] <= 64 * 1024, live
        s.carry(rest)
        live = s.on("splice")
        assert not live["blocked"] and live["dropped_events"] == 0, live
        flow(s, 20)
    end = s.finish()
    assert end["events"] == s.n and end["dropped_events"] == 0 and end["ended_by"] == "complete", end
    assert [int(e.id) for e in Stream(s.body.payload).events] == list(range(s.n))


def test_block_and_a_client_that_never_reads(rig):
    """The stall timeout ends it, and the client can tell."""
    relay, s = lagging(rig, {"policy": "block"}, stall="700ms")
    flow(s, 5)
    began = time.monotonic()
    push(s, 100_000)
    assert s.up.wait_end(3)
    assert 0.5 < s.up.end_time - began < 2.5
    end = s.ended()
    assert (end["ended_by"], end["reason"]) == ("slow_client", "stall"), end
    s.client.wait_end()
    assert_prefix(s.log, bytes(s.sent))
    assert not s.body.complete


def test_drop(rig):
    """Whole events are dropped, and the client is told how many; then the kernel carries again."""
    relay, s = lagging(rig, {"policy": "drop", "bytes": "32KiB"})
    flow(s, 20)
    assert s.record()["spliced_events"] == 20
    for turn in range(3):
        assert push(s, 2000) == b"", "the upstream is not held back"
        live = s.record()
        assert (live["lane"], live["lane_reason"]) == ("copy", "policy") and live["dropped_events"] > 1000 * (turn + 1), live
        s.up.send(chunk(event(s.n, 200)))
        s.body.until(b"data: %010d" % s.n, 5)
        s.n += 1
        # with the next chunk its framing is the upstream's own again
        s.up.send(chunk(event(s.n, 200)))
        s.n += 1
        before = s.on("splice")["spliced_events"]
        for _ in range(10):
            s.up.send(chunk(event(s.n, 200)))
            s.body.until(b"data: %010d" % s.n)
            s.n += 1
        assert s.record()["spliced_events"] >= before + 10
    s.up.send(b"0\r\n\r\n")
    s.body.to_end(5)
    assert s.body.complete
    stream = Stream(s.body.payload)
    seen = [int(e.id) for e in stream.events]
    assert seen == sorted(set(seen)) and not stream.rest and not stream.open_event
    told = sum(int(w) for c in stream.comments for w in c.split() if w.isdigit())
    end = s.ended()
    assert told == s.n - len(seen) == end["dropped_events"], (told, s.n - len(seen), end)
    for e in stream.events:
        assert e.data.startswith(b"%010d " % int(e.id)) and set(e.data[11:]) <= {ord("x")}


def test_drop_changes_nothing_for_a_client_that_keeps_up(rig):
    relay, s = lagging(rig, {"policy": "drop", "bytes": "32KiB"})
    flow(s, 300)
    live = s.record()
    assert live["lane"] == "splice" and live["spliced_events"] == 300, live
    assert s.finish()["dropped_events"] == 0


@pytest.mark.parametrize("limit", ("bytes", "time"))
def test_close(rig, limit):
    """A client that lags too far is cut off, and sees that it was."""
    slow = {"policy": "close", "bytes": "64KiB", "time": "off"} if limit == "bytes" else {"policy": "close", "bytes": "1GiB", "time": "300ms"}
    relay, s = lagging(rig, slow)
    flow(s, 20)
    began = time.monotonic()
    push(s, 3000)
    s.up.wait_end(3)
    if limit == "time":
        assert 0.2 < s.up.end_time - began < 2.0
    end = s.ended()
    assert (end["ended_by"], end["reason"], end["truncated"]) == ("slow_client", limit, True), end
    if limit == "bytes":
        assert end["pending_max"] < 2 * 65536, end
    assert s.client.wait_end() == "rst"
    assert_prefix(s.log, bytes(s.sent))
    s.body.pump(0)
    assert not s.body.complete


def test_close_spares_a_client_that_catches_up(rig):
    """It lags within the limits, again and again: a spill each time, and the kernel takes over each time."""
    relay, s = lagging(rig, {"policy": "close", "bytes": "1MiB", "time": "2s"})
    for _ in range(5):
        flow(s, 10)
        push(s, 150)
        s.on("copy")
        s.carry(b"")
        s.on("splice")
    end = s.finish()
    assert end["ended_by"] == "complete" and end["spills"] >= 5 and end["flips"] >= 11, end


@pytest.mark.parametrize("sndbuf", ("4KiB", "16KiB", "64KiB"))
def test_silence_behind_a_spill_does_not_keep_it_from_the_kernel(rig, sndbuf):
    """The client catches up and the upstream says nothing more: no event tells the relay that there is room again."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off", "sndbuf": sndbuf}, upstream={"keepalive": "off"})
    for turn in range(4):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # with loopback's large segments: the queue is long emptied late
        sock.connect(relay.addr)
        s = opened(rig, relay, origin, client=rig._keep(Wire(sock)))
        s.up.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        s.n = 0
        rest = push(s, 30 + turn * 300)
        s.carry(rest, take=lambda now, come: 700)
        assert s.record()["spills"] > 0
        s.on("splice", 2)
        assert s.finish()["events"] == s.n
        s.client.close()


def test_a_client_that_lags_does_not_slow_its_neighbours(rig):
    relay, s = lagging(rig, {"policy": "block"})
    origin = rig.things[0]
    others = [opened(rig, relay, origin) for _ in range(6)]
    push(s, 100_000)
    for n in range(100):
        began = time.monotonic()
        for other in others:
            other.write(chunk(b"data: %d\n\n" % n))
            other.arrive()
        assert time.monotonic() - began < 0.5
    for other in others:
        live = other.record()
        assert live["lane"] == "splice" and live["spliced_events"] == 100, live
        other.finish()


def test_one_event_larger_than_every_buffer(rig):
    """3 MB without a line's end, to a client that reads 20 kB a millisecond."""
    relay, s = lagging(rig, {"policy": "block"})
    flow(s, 3)
    big = chunk(b"data: " + b"y" * 3_000_000 + b"\n\n")
    s.carry(big, take=lambda now, come: 20_000)
    s.on("splice")
    flow(s, 3)
    end = s.finish()
    assert end["events"] == 7, end
    assert_same(s.log, bytes(s.sent))


def test_a_spill_in_mid_chunk_and_the_upstream_dies(rig):
    """What the upstream sent before it died all comes, though late; and no end that looks clean."""
    relay, s = lagging(rig, {"policy": "block"})
    flow(s, 3)
    raw = b"fffff\r\ndata: " + b"z" * 150_000
    at = 0
    stop = time.monotonic() + 2
    while at < len(raw) and time.monotonic() < stop:
        at += s.up.send_some(raw[at : at + 10_000])
        time.sleep(0.001)
    s.up.fin()
    time.sleep(0.05)
    assert not s.client.end
    try:
        s.client.wait_end(5)
    except NotInTime as e:
        raise AssertionError(f"{e}") from None
    assert_same(s.log, bytes(s.sent) + raw[:at])
    s.body.pump(0)
    assert not s.body.complete and s.ended()["truncated"]
