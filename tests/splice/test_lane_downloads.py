"""Bodies that are no event streams, when the route wants them spliced (`splice_downloads`)."""

import random

import pytest
from lib.wire import chunk, request

from kit.body import assert_prefix, assert_same
from kit.stream import opened, start

GET = request(target="/download")
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def relay_for(rig, **route):
    origin = rig.origin()
    return start(rig, origin, route={"splice_downloads": True, **route}), origin


def numbers(n):
    """Binary that says of every eight bytes where they belong."""
    return b"".join(i.to_bytes(8, "big") for i in range(-(-n // 8)))[:n]


@pytest.mark.parametrize("lagging", (False, True))
@pytest.mark.parametrize("size", (65_536, 100_001, 3_000_000))
def test_known_length(rig, size, lagging):
    relay, origin = relay_for(rig)
    client = up = None
    for n in range(3):
        s = opened(rig, relay, origin, GET, LENGTH % size, client=client, up=up, rcvbuf=4096 if lagging else None)
        client, up = s.client, s.up
        s.carry(numbers(size), take=(lambda now, come: 30_000) if lagging else None, piece=9000)
        s.body.to_end()
        assert s.body.complete
        end = s.ended()
        assert end["ended_by"] == "complete" and end["bytes_in"] == size and not end["truncated"], end
        assert end["flips"] >= 1, f"the kernel carried of it: {end}"
    assert len(origin.conns) == 1


@pytest.mark.parametrize("how", ("fin", "rst"))
def test_until_the_close(rig, how):
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin, GET, CLOSE)
    raw = numbers(2_000_000)
    s.carry(raw, piece=9000)
    s.up.fin() if how == "fin" else s.up.rst()
    assert s.client.wait_end() == how
    assert_prefix(s.log, raw)
    end = s.ended()
    assert end["ended_by"] == ("complete" if how == "fin" else "upstream"), end
    assert relay.admin("totals")["spliced_bytes"] > 0


def test_chunked(rig):
    relay, origin = relay_for(rig)
    rng = random.Random(5)
    client = up = None
    for n in range(3):
        s = opened(rig, relay, origin, GET, CHUNKED, client=client, up=up)
        client, up = s.client, s.up
        data, at, raw = numbers(700_000), 0, []
        while at < len(data):
            size = rng.choice((1, 10, 1000, 30_000))
            raw.append(chunk(data[at : at + size]))
            at += size
        s.carry(b"".join(raw), piece=7000)
        end = s.finish()
        assert_same(bytes(s.body.payload), data)
        assert end["events"] == 0 and end["ended_by"] == "complete", end
    assert len(origin.conns) == 1 and relay.admin("totals")["spliced_bytes"] > 0


@pytest.mark.parametrize("how", ("fin", "rst"))
def test_it_dies_before_its_length(rig, how):
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin, GET, LENGTH % 1_000_000)
    raw = numbers(400_000)
    s.carry(raw)
    s.up.fin() if how == "fin" else s.up.rst()
    s.client.wait_end()
    assert_same(s.log, raw)
    assert not s.body.complete and s.ended()["truncated"]


def test_more_than_its_length(rig):
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin, GET, LENGTH % 200_000)
    raw = numbers(200_000)
    s.carry(raw[:150_000])
    s.up.send(raw[150_000:] + b"EVIL" * 1000)
    s.body.to_end()
    assert_same(bytes(s.body.payload), raw)
    s.client.expect_silence(0.05)
    s.up.wait_end()
    s.client.send(GET)
    origin.accept().request()


def test_the_lengths_end_at_every_cut(rig):
    """The last segment brings the last byte, or the one before it did, or more than it."""
    relay, origin = relay_for(rig)
    client = up = None
    raw = numbers(66_000)
    for cut in (65_990, 65_999, 66_000):
        s = opened(rig, relay, origin, GET, LENGTH % 66_000, client=client, up=up)
        client, up = s.client, s.up
        s.carry(raw[:cut], piece=8000)
        s.write(raw[cut:])
        s.body.to_end()
        assert_same(bytes(s.body.payload), raw)
        assert s.ended()["ended_by"] == "complete"
    assert len(origin.conns) == 1


def test_not_when_the_route_does_not_say_so(rig):
    origin = rig.origin()
    relay = start(rig, origin)
    s = opened(rig, relay, origin, GET, LENGTH % 200_000, lane="copy")
    s.carry(numbers(200_000))
    s.body.to_end()
    end = s.ended()
    assert (end["lane"], end["lane_reason"]) == ("copy", "not an event stream"), end


def test_small_ones_are_not_worth_it(rig):
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin, GET, LENGTH % 65_535, lane="copy")
    s.carry(numbers(65_535))
    s.body.to_end()
    end = s.ended()
    assert (end["lane"], end["lane_reason"]) == ("copy", "body ends soon"), end
