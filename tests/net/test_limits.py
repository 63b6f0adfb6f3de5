"""When descriptors, slots or a route's share run out: new requests get 503 with Retry-After, live streams live."""

import resource
import time

import pytest
from lib.origin import answer
from lib.proc import wait_for
from lib.relay import grown
from lib.wire import Ended, event_request, request


def few_fds(n):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))


def fill_up(rig, relay, origin, most=300):
    """Opens streams until one is refused; returns the live ones and the refusal's head."""
    live = []
    for _ in range(most):
        client = rig.connect(relay.addr)
        client.send(event_request())
        try:
            up = origin.accept(0.3)
        except AssertionError:
            return live, client.final_head()
        up.request()
        up.stream_head()
        live.append((client, client.response_body(client.final_head()), up))
    raise AssertionError(f"{most} streams and no limit")


def all_alive(live, text):
    for client, body, up in live:
        body.until(len(body.payload) + len(up.event(text)))
        assert not client.end


def test_few_descriptors(rig):
    """Fault 23: no busy loop, 503 with Retry-After, admin socket and log still there, and all is well afterwards."""
    origin = rig.origin()
    relay = rig.relay(origin, preexec=few_fds(200))
    live, refused = fill_up(rig, relay, origin)
    assert refused.status == 503 and int(refused.get("retry-after")) >= 1
    assert len(live) >= 20
    all_alive(live, "under pressure")
    crowd = [rig.connect(relay.addr) for _ in range(150)]
    for client in crowd:
        try:
            client.send(event_request())
        except OSError:
            pass
    before = cpu(relay)
    time.sleep(0.5)
    assert cpu(relay) - before < 0.25, "no spinning on EMFILE"
    all_alive(live, "with a crowd at the door")
    told = 0
    for client in crowd[:40]:
        try:
            told += client.final_head(0.3).status == 503
        except (AssertionError, OSError):
            pass
    assert told >= 20, "refused with a word, not with silence"
    assert relay.admin("totals")["overloads"] > 0
    for client in crowd:
        client.close()
    while origin.conns:
        origin.conns.pop().close()
    wait_for(lambda: relay.admin("totals")["connections_now"] <= 2, 3, why="connections are given back")
    client, body, up = rig.stream(relay, origin)
    body.until(up.event("again"))


def cpu(relay):
    """Seconds of processor time of the workers so far."""
    total = 0
    for pid in relay.workers():
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def test_idle_connections_make_room(rig):
    """Connections between requests are closed first: they are not streams."""
    origin = rig.origin(answer())
    relay = rig.relay(origin, preexec=few_fds(160))
    idle = [rig.connect(relay.addr) for _ in range(120)]
    for client in idle:
        try:
            client.send(request())
            client.response()
        except (AssertionError, OSError):
            pass
    assert relay.get(request())[0].status == 200


def test_slots(rig):
    """max_streams of the daemon."""
    origin = rig.origin()
    relay = rig.relay(origin, max_streams=5)
    live, refused = fill_up(rig, relay, origin)
    assert len(live) == 5 and refused.status == 503 and refused.get("retry-after")
    all_alive(live, "x")
    record = relay.wait_log(event="end")
    assert record["ended_by"] == "overload" and record["status"] == 503 and record["path"] == "/events", record
    live[0][0].close()
    live[0][2].wait_end()
    client, body, up = rig.stream(relay, origin)
    body.until(up.event("again"))


def test_streams_of_a_route(rig):
    """One route is full; another one is not."""
    origin, other = rig.origin(), rig.origin(answer())
    conf = rig.config(origin, route={"path": "/events", "max_streams": 3})
    conf["upstreams"].append({"name": "other", "servers": [{"address": other.address}]})
    conf["routes"].append({"name": "other", "upstream": "other"})
    relay = rig.run(conf)
    live, refused = fill_up(rig, relay, origin)
    assert len(live) == 3 and refused.status == 503 and refused.get("retry-after")
    assert relay.get(request(target="/page"))[0].status == 200
    all_alive(live, "x")
    live[0][0].close()
    live[0][2].wait_end()
    rig.stream(relay, origin)


def test_idle_stream_costs_little_memory(rig):
    """At most 4 KiB of the relay's own memory per idle stream (issue 2); measured over 400."""
    from lib.relay import sanitized

    if sanitized():
        pytest.skip("an ASan build pads every allocation: memory is judged on the plain build")
    origin = rig.origin()
    relay = rig.relay(origin)
    warm = [rig.stream(relay, origin) for _ in range(50)]
    for _, body, up in warm:
        body.until(up.event("x"))
    before = relay.rss_kib()
    more = [rig.stream(relay, origin) for _ in range(400)]
    for _, body, up in more:
        body.until(up.event("x"))
    per_stream = (relay.rss_kib() - before) * 1024 / 400
    assert per_stream <= 4096, f"{per_stream:.0f} bytes a stream"


def test_churn_leaves_nothing_behind(rig):
    """D7 in small: 3,000 connections of all kinds, then descriptors and memory as before."""
    origin = rig.origin(answer())
    relay = rig.relay(origin)

    def round_of(n):
        for i in range(n):
            client = relay.connect()
            if i % 4 == 0:
                client.close()
                continue
            client.send(request(target=f"/{i}") if i % 4 == 1 else b"GET / HTTP/1.1\r\nHost" if i % 4 == 2 else b"\x16junk")
            if i % 4 != 2:
                try:
                    client.final_head()
                except Ended:
                    pass
            client.close()

    round_of(400)
    wait_for(lambda: relay.admin("totals")["connections_now"] == 0, 3)
    fds, rss = relay.fds(), relay.rss_kib()
    round_of(2600)
    wait_for(lambda: relay.admin("totals")["connections_now"] == 0, 3)
    assert abs(relay.fds() - fds) <= 1
    assert grown(relay, rss, 256)
