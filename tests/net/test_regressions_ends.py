"""More faults that were found once: how answers end, memory, and the splice lane."""

import os
import random
import signal
import socket
import subprocess
import time

import pytest
from lib.origin import CLOSE_STREAM_HEAD, STREAM_HEAD, answer
from lib.proc import wait_for
from lib.relay import grown, sanitized
from lib.turns import Stopped, cpu_s
from lib.wire import LAST_CHUNK, Ended, chunk, event_request, request


# -- how answers end --


def test_last_words_into_a_tunnel_whose_other_side_has_ended(rig):
    """The upstream has ended its side; what the client says before it ends its own still arrives."""
    origin = rig.origin()
    relay = rig.relay(origin, route={"upgrade": "on"})
    client = rig.connect(relay.addr)
    client.send(request(fields=(("Connection", "Upgrade"), ("Upgrade", "chat"))))
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
    assert client.head().status == 101
    up.fin()
    assert client.wait_end(1.0) == "fin"
    with Stopped(relay):
        client.sock.send(b"goodbye")
        client.fin()
    up.expect(b"goodbye")
    assert up.wait_end(1.0) == "fin"
    assert relay.wait_log(event="end")["ended_by"] == "complete"


def test_reset_in_a_tunnel_is_no_close(rig):
    """What was cut off must not look like what was ended."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin, route={"upgrade": "on"}).addr)
    client.send(request(fields=(("Connection", "Upgrade"), ("Upgrade", "chat"))))
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nhalf a mess")
    assert client.head().status == 101
    client.expect(b"half a mess")
    up.rst()
    assert client.wait_end(1.0) == "rst"


def test_end_in_mid_event_behind_a_lag(rig):
    """Policy drop: the client has caught up with all but half an event, and the body ends: so does the answer, at once."""
    origin = rig.origin()
    relay = rig.relay(origin, route={"slow": {"policy": "drop", "bytes": "32KiB"}, "heartbeat": "off"})
    client, body, up = rig.stream(relay, origin, rcvbuf=4096)
    event = b"data: " + b"x" * 1000 + b"\n\n"
    for _ in range(2000):
        up.part(event)
    up.part(b"data: half")
    wait_for(lambda: relay.admin("streams")[0]["dropped_events"] > 0, why="drops")
    while client.fill(0.3):
        body.pump(0)
    up.finish()
    began = time.monotonic()
    client.wait_end(2.0)
    assert client.end_time - began < 1.0


def unread_answer(rig, relay, origin, total=3 << 20):
    """A client that has stopped reading, the last bytes of its answer waiting in the relay; and the relay's view of it."""
    client = rig.connect(relay.addr, rcvbuf=4096)
    client.send(request())
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % total)
    stop, left, view = time.monotonic() + 20, total, {}
    while view.get("bytes_in") != total and time.monotonic() < stop:
        left -= up.send_some(b"x" * min(65536, left)) if left else 0
        client.fill(0.002, most=16384)
        view = (relay.admin("streams") or [{}])[0]
    assert view["bytes_in"] == total, view
    return client, view


def test_kill_while_an_answer_is_flushed(rig):
    """The rest of the answer is lost: the connection must not go on to another one as if it were not."""
    origin = rig.origin()
    relay = rig.relay(origin)
    for _ in range(10):
        client, view = unread_answer(rig, relay, origin)
        if view["pending"]:
            break
        relay.admin(f"kill {view['id']}")
        relay.wait_log(event="end", id=view["id"])
    assert view["pending"], "no rest waits in the relay: the figures of this test do not fit this kernel"
    assert relay.admin(f"kill {view['id']}")["ok"]
    record = relay.wait_log(event="end", id=view["id"])
    assert record["ended_by"] == "admin" and record["truncated"] is True, record
    client.send_some(request(target="/next"))
    while not client.end:
        client.fill(2.0)
    assert client.log.count(b"HTTP/1.1") == 1
    assert len(client.log) < 3 << 20


@pytest.mark.parametrize("how", ["kill", "window", "stall"])
def test_cut_of_a_body_that_only_a_close_ends(rig, how):
    """A close would say that this was all of it: a reset says that it was not."""
    origin = rig.origin()
    relay = rig.relay(origin, route={"heartbeat": "off", "timeouts": {"stall": "300ms"}}, drain="300ms")
    client = rig.connect(relay.addr, rcvbuf=4096)
    client.send(event_request())
    up = origin.accept()
    up.request()
    up.send(CLOSE_STREAM_HEAD + b"data: a line that does not e")
    body = client.response_body(client.final_head())
    body.until(b"does not e")
    if how == "kill":
        assert relay.admin(f"kill {relay.admin('streams')[0]['id']}")["ok"]
    elif how == "window":
        relay.send_signal(signal.SIGTERM)
    else:
        stalled = time.monotonic()
        while time.monotonic() - stalled < 0.1:
            stalled = time.monotonic() if up.send_some(b"x" * 65536) else stalled
        up.fin()
        relay.wait_log(event="end", timeout=5)
    client.wait_end(5.0)
    assert client.end == "rst"
    assert relay.wait_log(event="end")["truncated"] is True


def test_reloads_leave_nothing_behind(rig):
    """The settings of before, and what was built from them, go when the last stream that used them does."""
    origin = rig.origin(answer())
    conf = rig.config(origin)
    conf["routes"] = [{"name": f"r{i}", "path": f"/{i}/", "upstream": "app"} for i in range(400)] + conf["routes"]
    conf["upstreams"] += [
        {"name": f"u{i}", "servers": [{"address": f"127.0.0.1:{1000 + k}"} for k in range(20)]} for i in range(100)
    ]
    relay = rig.run(conf)

    def reload():
        n = len(relay.lines)
        relay.send_signal(signal.SIGHUP)
        relay.wait_line("reloaded", since=n)
        assert relay.get(request())[1] == b"ok"

    for _ in range(10):
        reload()
    time.sleep(0.2)
    before = relay.rss_kib()
    for _ in range(30):
        reload()
    time.sleep(0.2)
    assert grown(relay, before, 2048)


def test_idle_streams_keep_no_request_head(rig):
    """At most 4 KiB a stream while nothing comes, however large its cookies were."""
    def handler(conn):
        conn.request(60)
        conn.stream_head()

    relay = rig.relay(rig.origin(handler))
    clients = [rig.connect(relay.addr) for _ in range(250)]
    before = relay.rss_kib()
    for client in clients:
        client.send(event_request(fields=(("Cookie", "c=" + "x" * 9000),)))
        assert client.final_head().status == 200
    assert grown(relay, before, 4 * len(clients))


def test_memory_that_runs_out_now_and_then(rig):
    """Fault 24: 2 % of the worker's allocations fail. What is answered is right, what is not is ended, and nobody waits."""
    if sanitized():
        pytest.skip("ASan must come before every other library, so that none can stand before its malloc; "
                    "tests/unit make each allocation fail under ASan")
    shim = rig.path("alloc_fail.so")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers", "alloc_fail.c")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", shim, source], check=True)
    rng = random.Random(24)

    def handler(conn):
        while True:
            head = conn.request(60)
            n = int(head.target.rpartition(b"/")[2])
            conn.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" if n % 3 == 0 else b"")
            data = b"%d" % n * 20_000
            if n % 2:
                conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
            else:
                conn.send(STREAM_HEAD + b"".join(chunk(data[i : i + 5000]) for i in range(0, len(data), 5000)) + LAST_CHUNK)

    origin = rig.origin(handler)
    relay = rig.relay(origin, env={"LD_PRELOAD": shim, "ALLOC_FAIL": "20"})
    time.sleep(2.1)
    whole = other = 0
    for i in range(150):
        client = rig.connect(relay.addr, rcvbuf=rng.choice([None, 4096]))
        numbers = [rng.randrange(1000, 10_000) for _ in range(3)]
        body = b"b" * rng.choice([0, 0, 3000])
        try:
            client.send(b"".join(request("POST" if body else "GET", f"/{n}", body=body) for n in numbers))
            for n in numbers:
                head = client.final_head()
                answer_body = client.response_body(head)
                got = answer_body.to_end()
                assert head.status in (200, 502, 503), head.raw
                if head.status == 200:
                    data = b"%d" % n * 20_000
                    assert got == data if answer_body.complete else data.startswith(got)
                    whole += answer_body.complete
                other += head.status != 200 or not answer_body.complete
                if client.end:
                    break
        except (Ended, OSError):
            other += 1
        client.close()
    assert whole > 100 and other > 5, (whole, other)
    origin.errors.clear()


# -- the splice lane --


def spliced(rig, origin, **kw):
    """A relay that must splice; the test is skipped where it cannot."""
    try:
        return rig.relay(origin, lane="splice", **kw)
    except AssertionError as e:
        if "splice lane:" in str(e):
            rig.things.pop().stop()
            pytest.skip("the splice lane is not to be had here: " + str(e).splitlines()[-1])
        raise


def test_client_that_stalls_with_a_full_socket_costs_nothing(rig):
    """Everything is in the client's socket, and that has no room for more: nobody is to ask again and again whether it has."""
    origin = rig.origin()
    relay = spliced(rig, origin, route={"heartbeat": "off"})
    client, body, up = rig.stream(relay, origin, rcvbuf=4096)
    event = b"data: " + b"x" * 490 + b"\n\n"
    worst = 0.0
    for _ in range(60):
        up.part(event)
        time.sleep(0.01)
        before = cpu_s(relay)
        time.sleep(0.03)
        worst = max(worst, cpu_s(relay) - before)
        if relay.admin("streams")[0]["pending"] > 4096:
            break
    assert worst < 0.015, f"{worst:.3f} s of CPU in 30 ms"


def test_half_a_chunk_extension_costs_nothing(rig):
    """A place in the framing where the kernel cannot take over: waited out, not asked for in a loop."""
    origin = rig.origin()
    relay = spliced(rig, origin, route={"heartbeat": "off"})
    client, body, up = rig.stream(relay, origin)
    up.event("before")
    up.send(b"b;na")
    time.sleep(0.1)
    before = cpu_s(relay)
    time.sleep(0.3)
    assert cpu_s(relay) - before < 0.03
    up.send(b"me\r\ndata: now\n\n\r\n")
    body.until(b"data: now\n\n")


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_end_of_the_body_and_of_the_connection_in_one_segment(rig, framing):
    """The upstream says its last word and closes: the body was complete, whichever of the two the relay hears of first."""
    origin = rig.origin()
    relay = spliced(rig, origin, route={"heartbeat": "off"})
    text = b"data: " + b"x" * 70_000 + b"\n\n"
    for n in range(20):
        client = rig.connect(relay.addr)
        client.send(event_request())
        up = origin.accept()
        up.request()
        if framing == "chunked":
            up.stream_head()
            last = chunk(text[-10:]) + LAST_CHUNK
            before = chunk(text[:-10])
        else:
            up.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(text))
            before, last = text[:-10], text[-10:]
        body = client.response_body(client.final_head())
        up.send(before)
        body.until(len(text) - 10)
        wait_for(lambda: relay.admin("streams")[0]["lane"] == "splice", why="splice lane")
        up.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        up.send(last)
        up.fin()
        assert body.to_end() == text and body.complete
        record = relay.wait_log(n + 1, event="end")
        assert record["ended_by"] == "complete" and not record["truncated"], (n, record)
        client.close()
        up.close()
