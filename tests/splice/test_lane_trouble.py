"""Real TCP trouble on either side: loss, reordering, duplicates, delay, and a peer that retransmits what overlaps."""

import random
import subprocess
import threading
import time

import pytest
from lib.origin import STREAM_HEAD
from lib.wire import TIMEOUT, chunk, event_request

from kit.body import assert_same, chunked, count_events, events
from kit.minitcp import MiniServer
from kit.net import Link, Namespace
from kit.stream import Carried, flows, opened, pins, start

FAULTS = {
    "loss": {"loss": 50, "delay_us": 300},
    "reordering": {"reorder": 100, "reorder_us": 4000, "delay_us": 300},
    "all of it": {"loss": 30, "reorder": 50, "reorder_us": 3000, "duplicate": 30, "delay_us": 500},
}


def network(rig, link_program, side, faults, seed):
    """The relay in a namespace with two others that it reaches over links: the origin's and the client's. Faults on one side or
    on both; a side without them is the relay's own loopback."""
    relay_ns = rig._keep(Namespace())
    places = {"origin": (relay_ns, "127.0.0.1"), "client": (relay_ns, "127.0.0.1")}
    links, listen = [], "127.0.0.1"
    for n, part in enumerate(("origin", "client")):
        if side not in (part, "both"):
            continue
        far = rig._keep(Namespace())
        link = rig._keep(Link(link_program, relay_ns, far, net=20 + n, seed=seed + n, **faults))
        links.append(link)
        places[part] = (far, link.b)
        if part == "client":
            listen = link.a
    return relay_ns, places, links, listen


@pytest.mark.timeout(90)
@pytest.mark.parametrize("side", ("origin", "client", "both"))
@pytest.mark.parametrize("faults", FAULTS)
def test_faulty_networks(rig, link_program, faults, side):
    """Events small and large, a reader that stalls at times: what TCP repairs arrives in order and once. A second stream follows on
    the same connections."""
    seed = sum(map(ord, faults + side))
    relay_ns, places, links, listen = network(rig, link_program, side, FAULTS[faults], seed)
    with places["origin"][0].inside():
        origin = rig.origin(host=places["origin"][1])
    with relay_ns.inside():
        relay = start(rig, origin, route={"heartbeat": "off"}, listener={"listen": listen + ":0"})
    with places["client"][0].inside():
        client = rig.connect(relay.addr, timeout=10, rcvbuf=65536)
    rng = random.Random(seed)
    up = None
    for turn in range(2):
        s = opened(rig, relay, origin, client=client, up=up, timeout=10)
        up = s.up
        text = events(2500, 150, first=turn * 10_000)
        raw = chunked(text, 300, last=False)
        pause = {"until": 0.0}

        def take(now, come):
            if rng.random() < 0.01:
                pause["until"] = now + rng.choice((0.002, 0.02))
            return 0 if now < pause["until"] else rng.choice((500, 5000, 65536))

        at = 0
        while at < len(raw):
            n = rng.choice((100, 1000, 20_000, 60_000))
            s.carry(raw[at : at + n], take=take, piece=rng.choice((200, 1400, 60_000)))
            at += n
        live = s.counted(count_events(text))
        assert live["spliced_bytes"] > 1000, f"the kernel had its part: {live}"
        end = s.finish()
        assert_same(bytes(s.body.payload), text)
        assert end["ended_by"] == "complete" and end["events"] == 2500, end
    assert len(origin.conns) == 1
    for link in links:
        did = link.finish()
        for kind, option in (("lost", "loss"), ("late", "reorder"), ("twice", "duplicate")):
            assert sum(did[kind]) > (3 if FAULTS[faults].get(option) else -1), did


@pytest.mark.timeout(60)
def test_deaths_on_a_faulty_network(rig, link_program):
    """RST and FIN of either side while packets are lost and late: what came is a prefix, and no end looks clean that was not."""
    relay_ns, places, links, listen = network(rig, link_program, "both", FAULTS["all of it"], 77)
    with places["origin"][0].inside():
        origin = rig.origin(host=places["origin"][1])
    with relay_ns.inside():
        relay = start(rig, origin, route={"heartbeat": "off"}, listener={"listen": listen + ":0"})
    rng = random.Random(3)
    raw = chunked(events(3000, 200), 900, last=False)
    for turn in range(16):
        with places["client"][0].inside():
            client = rig.connect(relay.addr, timeout=10)
        s = opened(rig, relay, origin, client=client, lane=None, timeout=10)
        stop, at = time.monotonic() + rng.choice((0.0, 0.01, 0.05)), 0
        while time.monotonic() < stop:
            at += s.up.send_some(raw[at : at + 4000])
            s.client.fill(0.001)
        what = turn % 4
        if what == 0:
            s.up.fin()
            s.client.wait_end(10)
            assert_same(s.log, raw[:at], f"turn {turn}")
        elif what == 1:
            s.up.rst()
            s.client.wait_end(10)
            assert raw.startswith(s.log)
        else:
            s.client.rst() if what == 2 else s.client.close()
            s.up.wait_end(10)
            assert raw.startswith(s.log)
        s.up.close()
    relay.wait_log(16, 5, event="end")
    assert {r["ended_by"] for r in relay.log(event="end")} <= {"client", "upstream"}
    assert not relay.admin("streams")


def overlapping(rng, length, window):
    """Segments (begin, end) that cover [0, length) in their own way: repeats of all kinds, gaps that are filled later, and
    overlaps on both sides of what was sent."""
    high = 0
    while high < length:
        kind = rng.randrange(8)
        n = rng.choice((1, 10, 100, 700, 1400))
        if kind <= 2 or high < 10:
            yield high, min(high + n, length)
            high = min(high + n, length)
        elif kind == 3:  # an old one again, whole
            begin = rng.randrange(max(0, high - window), high)
            yield begin, min(begin + n, high)
        elif kind in (4, 5):  # old and new together
            begin = rng.randrange(max(0, high - min(window, 1300)), high)
            end = min(high + rng.randrange(1, 200), length, begin + 1460)
            yield begin, end
            high = max(high, end)
        else:  # a gap, what is behind it, and something that fills it and overlaps both
            gap = rng.randrange(1, 300)
            end = min(high + gap + n, length, high + 1400)
            if end - high > gap:
                yield high + gap, end
                yield max(0, high - rng.randrange(0, 50)), min(high + gap + rng.randrange(0, 30), length)
            else:
                yield high, end
            high = max(high, end)


def acknowledged(server, s, raw, base, edge, lagging):
    """Waits until the relay has everything up to `edge`; sends again what fell out of its window while the client reads on."""
    stop = time.monotonic() + 10
    while server.acked() < base + edge:
        assert time.monotonic() < stop and not server.ended, f"{server.acked() - base} of {edge} acknowledged; {s.record()}"
        if lagging:
            s.client.fill(0.005, most=3000)
        try:
            server.wait_acked(base + edge, 0.02)
        except AssertionError:
            begin = max(0, server.acked() - base)
            server.segment(base + begin, raw[begin : min(begin + 1400, edge)])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("lagging", (False, True), ids=("prompt", "lagging"))
@pytest.mark.parametrize("lies", (False, True), ids=("honest", "says other bytes the second time"))
@pytest.mark.parametrize("seed", range(3))
def test_overlapping_retransmissions(rig, seed, lies, lagging):
    """A hand-made TCP as the origin, which sends what no honest stack does: each byte goes to the client once, by the kernel and,
    when the client lags, through userspace."""
    relay_ns = rig._keep(Namespace())
    server = rig._keep(MiniServer(relay_ns.tun("10.30.0.1/30"), "10.30.0.2", 80))
    with relay_ns.inside():
        relay = start(rig, "10.30.0.2:80", route={"heartbeat": "off", "sndbuf": "4KiB"})
        client = rig.connect(relay.addr, rcvbuf=2048 if lagging else None)
    rng = random.Random(seed)
    client.send(event_request())
    server.wait_request(b"\r\n\r\n", TIMEOUT)
    server.send(STREAM_HEAD)
    s = Carried(relay, client, None, client.final_head())
    s.on("splice")
    text = events(900, 120)
    raw = chunked(text, 200, last=False)
    base = len(STREAM_HEAD)
    missing, edge = bytearray(b"\1" * len(raw) + b"\1"), 0
    for begin, end in overlapping(rng, len(raw), 30_000):
        data = raw[begin:end]
        if lies:
            # only what the relay has acknowledged: there the first word counts, whoever reads it
            acked = max(0, server.acked() - base)
            known = max(0, min(end, acked) - begin)
            data = b"?" * known + data[known:]
        server.segment(base + begin, data)
        missing[begin:end] = bytes(end - begin)
        edge = missing.index(1, edge)
        if rng.random() < 0.3:
            acknowledged(server, s, raw, base, edge, lagging)
        if not lagging:
            s.client.fill(0)
        elif rng.random() < 0.02:  # it catches up, and the kernel goes on
            acknowledged(server, s, raw, base, edge, lagging)
            while s.come() < edge:
                assert s.client.fill(2), f"{s.come()} of {edge} bytes; {s.record()}"
            s.on("splice")
    acknowledged(server, s, raw, base, len(raw), lagging)
    stop = time.monotonic() + 5
    while s.come() < len(raw) and time.monotonic() < stop:
        s.client.fill(0.1)
    assert_same(s.log, raw)
    live = s.on("splice")
    assert live["events"] == 900 and (live["spills"] > 3 or not lagging), live
    (flow,) = flows(relay)
    assert flow["broken"] == 0 and flow["trims"] > 20, f"overlaps reached the verdict, and were cut there: {flow}"
    server.segment(base + len(raw), b"0\r\n\r\n")
    s.body.to_end()
    assert_same(bytes(s.body.payload), text)
    assert s.ended()["ended_by"] == "complete"


def test_the_watchdog_takes_a_stream_back(rig):
    """Somebody takes a stream's entry out of `slots`: its bytes go to recv(), no note tells, and nobody reads. The watchdog finds it
    within seconds; nothing is lost, it is counted, and the stream stays on the copy lane."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"}, workers=1)
    s = opened(rig, relay, origin)
    other = opened(rig, relay, origin)
    for n in range(3):
        for one in (s, other):
            one.write(chunk(b"data: %d\n\n" % n))
            one.arrive()
    s.on("splice")
    live = {r["cookie"]: r for r in flows(relay)}
    assert len(live) == 2, live
    first = min(live)  # cookies go up: the first stream's upstream
    key = ["0x%02x" % b for b in first.to_bytes(8, "little")]
    subprocess.run(["bpftool", "map", "delete", "pinned", pins(relay) + "/slots", "key", *key], check=True, timeout=10)
    s.write(chunk(b"data: nobody reads this\n\n"))
    s.client.expect_silence(0.2)
    s.arrive(10)
    live = s.record()
    assert (live["lane"], live["lane_reason"]) == ("copy", "watchdog"), live
    totals = relay.admin("totals")
    assert totals["watchdogs"] == 1, totals
    for n in range(5):
        for one in (s, other):
            one.write(chunk(b"data: later %d\n\n" % n))
            one.arrive()
    assert s.record()["lane"] == "copy" and other.record()["lane"] == "splice"
    assert s.finish()["ended_by"] == other.finish()["ended_by"] == "complete"
    assert "received and did not deliver" in relay.text()
