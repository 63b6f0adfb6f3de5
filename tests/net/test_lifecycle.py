"""Start, reload, drain, and the death of workers: who is touched, and who must not be."""

import os
import signal
import time

import pytest
from lib.origin import OK, answer
from lib.proc import wait_for
from lib.relay import write_config
from lib.sse import Stream
from lib.wire import connect, event_request, request, wait_ends


def reload(relay, conf=None):
    """SIGHUP on the (changed) config; returns when the relay says that it is done."""
    n = len(relay.lines)
    if conf is not None:
        write_config(os.path.dirname(relay.config_path), conf)
    relay.send_signal(signal.SIGHUP)
    return relay.wait_line(r"(reloaded |reload refused).*", since=n).group(0)


# -- drain --


def test_term_closes_streams_over_the_window(rig):
    """Spread, at event boundaries, with the time to come back; and nothing is accepted any more."""
    origin = rig.origin()
    relay = rig.relay(origin, drain="1500ms", route={"retry": "2345ms"})
    streams = [rig.stream(relay, origin) for _ in range(30)]
    sent = [up.event(i) for i, (_, _, up) in enumerate(streams)]
    for (_, body, _), data in zip(streams, sent):
        body.until(data)
    began = time.monotonic()
    relay.send_signal(signal.SIGTERM)
    relay.wait_line("draining")
    time.sleep(0.05)
    with pytest.raises(OSError):
        connect(relay.addr, 0.5)
    wait_ends([client for client, _, _ in streams], 4)
    ends = sorted(c.end_time - began for c, _, _ in streams)
    assert ends[-1] < 2.0 and ends[-1] - ends[0] > 0.7, ends
    assert max(b - a for a, b in zip(ends, ends[1:])) < 0.7, "spread over the window, not in one burst"
    for (client, body, up), data in zip(streams, sent):
        try:
            body.to_end(0.5)
        except AssertionError:
            pass
        assert not body.complete, "the stream was not complete: no last chunk"
        stream = Stream(body.payload)
        assert bytes(body.payload).startswith(data)
        assert stream.retry == 2345 and not stream.rest and not stream.open_event
        up.wait_end(1.0)
    assert relay.wait(5) == 0
    assert {r["ended_by"] for r in relay.log(event="end")} == {"drain"}


def test_drain_waits_for_the_end_of_an_event(rig):
    origin = rig.origin()
    relay = rig.relay(origin, drain="1200ms")
    client, body, up = rig.stream(relay, origin)
    up.part(b"data: half")
    body.until(b"data: half")
    relay.send_signal(signal.SIGTERM)
    client.fill(0.5)
    assert not client.end and b"retry" not in client.log
    # should its moment not have come yet, the event ends before it does
    up.part(b" and half\n\n")
    client.wait_end(3)
    body_bytes = bytes(body.partial())
    assert [e.data for e in Stream(body_bytes).events][:1] == [b"half and half"]
    assert b"retry:" in body_bytes


def test_drain_cuts_an_endless_event_at_the_windows_end(rig):
    origin = rig.origin()
    relay = rig.relay(origin, drain="400ms")
    client, body, up = rig.stream(relay, origin)
    up.part(b"data: half")
    body.until(b"data: half")
    began = time.monotonic()
    relay.send_signal(signal.SIGTERM)
    client.wait_end(3)
    assert 0.3 < client.end_time - began < 2
    assert not body.complete and bytes(body.partial()) == b"data: half"
    assert relay.wait(5) == 0


def test_drain_lets_other_responses_finish(rig):
    origin = rig.origin()
    relay = rig.relay(origin, drain="2s")
    client = rig.connect(relay.addr)
    client.send(request())
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
    head = client.final_head()
    body = client.response_body(head)
    body.until(4)
    waiting = rig.connect(relay.addr)
    waiting.send(request(target="/2"))
    up2 = origin.accept()
    up2.request()
    idle = rig.connect(relay.addr)
    time.sleep(0.05)
    relay.send_signal(signal.SIGTERM)
    idle.wait_end(1.0)
    time.sleep(0.1)
    up.send(b"done")
    assert body.to_end() == b"halfdone" and body.complete
    up2.send(OK)
    head, payload = waiting.response()
    assert payload == b"ok" and "close" in head.tokens("connection")
    assert relay.wait(5) == 0


def test_second_term_cuts_at_once(rig):
    origin = rig.origin()
    relay = rig.relay(origin, drain="30s")
    streams = [rig.stream(relay, origin) for _ in range(5)]
    relay.send_signal(signal.SIGTERM)
    relay.wait_line("draining")
    began = time.monotonic()
    relay.send_signal(signal.SIGTERM)
    for client, _, up in streams:
        client.wait_end(2)
        up.wait_end(1)
    assert relay.wait(5) == 0
    assert time.monotonic() - began < 2.5


def test_term_without_streams_ends_at_once(rig):
    origin = rig.origin(answer())
    relay = rig.relay(origin, drain="30s")
    client = rig.connect(relay.addr)
    client.send(request())
    client.response()
    began = time.monotonic()
    relay.send_signal(signal.SIGTERM)
    assert relay.wait(5) == 0 and time.monotonic() - began < 1.5
    assert client.wait_end(1) == "fin"
    relay.judge()


def test_int_is_a_drain_too(rig):
    relay = rig.relay(rig.origin(answer()))
    relay.send_signal(signal.SIGINT)
    assert relay.wait(5) == 0


def test_eventsource_client_comes_back_after_a_drain(rig):
    """Told `retry:` and disconnected, the npm client reconnects to the next relay on that port, with its last id."""
    from lib.peers import free_port

    origin = rig.origin()
    port = free_port()
    conf = rig.config(origin, listener={"listen": f"127.0.0.1:{port}"}, route={"retry": "200ms"})
    relay = rig.run(conf)
    client = rig.eventsource(relay.url + "/events")
    up = origin.accept(15)
    up.request()
    up.stream_head()
    up.event("one", id="id-1")
    client.wait_record("message")
    relay.quit()
    rig.run(conf)
    up = origin.accept(10)
    assert up.request().get("last-event-id") == "id-1"
    up.stream_head()
    up.event("two", id="id-2")
    assert client.wait_record("message", 2)["data"] == "two"


# -- reload --


def test_reload_changes_new_streams_only(rig):
    """Upstream, heartbeat and limits of a live stream stay; the next request gets the new ones."""
    old, new = rig.origin(), rig.origin()
    relay = rig.relay(old, route={"heartbeat": "off"})
    client, body, up = rig.stream(relay, old)
    body.until(up.event("before"))
    conf = relay.config
    conf["upstreams"][0]["servers"] = [{"address": new.address}]
    conf["routes"][0]["heartbeat"] = "100ms"
    conf["routes"][0]["timeouts"] = {"idle": "600ms"}
    assert reload(relay, conf).startswith("reloaded")
    other = rig.connect(relay.addr)
    wait_for(lambda: asks(other, new), why="a stream on the new upstream")
    client.expect_silence(0.9)
    body.until(up.event("after"))
    assert not client.end


def asks(client, origin):
    client.send(event_request())
    up = origin.accept()
    up.request()
    up.stream_head()
    body = client.response_body(client.final_head())
    sent = up.event("x")
    body.until(sent)
    body.until(sent + b": heartbeat", 1)
    return True


def test_many_reloads_do_not_touch_a_stream(rig):
    origin = rig.origin()
    relay = rig.relay(origin, workers=2)
    streams = [rig.stream(relay, origin) for _ in range(8)]
    for n in range(15):
        relay.config["routes"][0]["sndbuf"] = f"{16 + n}KiB"
        assert reload(relay, relay.config).startswith("reloaded")
        for _, body, up in streams:
            sent = up.event(n)
            body.until(len(body.payload) + len(sent))
    for client, body, up in streams:
        up.finish()
        assert len(Stream(body.to_end()).events) == 15 and body.complete
    fds = relay.fds()
    for _ in range(10):
        reload(relay)
    wait_for(lambda: relay.fds() <= fds, why="descriptors are given back")


def test_requests_flow_through_reloads(rig):
    """None is refused and none is lost while the listeners change hands."""
    origin = rig.origin(answer())
    relay = rig.relay(origin, workers=2)
    for n in range(10):
        relay.send_signal(signal.SIGHUP)
        for _ in range(15):
            assert relay.get(request())[1] == b"ok"


BAD_CONFIGS = {
    "syntax": "listeners: [\n",
    "unknown key": None,
    "no such upstream": None,
    "empty": "",
}


@pytest.mark.parametrize("what", BAD_CONFIGS)
def test_bad_file_is_refused(rig, what):
    """Its errors are said with file and line, and the old settings stay."""
    origin = rig.origin(answer())
    relay = rig.relay(origin)
    good = {**relay.config, "routes": [dict(relay.config["routes"][0])]}
    bad = BAD_CONFIGS[what]
    if bad is None:
        bad = {**good, "heartbeets": 1} if what == "unknown key" else {**good, "routes": [{"upstream": "nobody"}]}
    assert reload(relay, bad).startswith("reload refused")
    assert any(relay.config_path in x for x in relay.lines)
    assert relay.get(request())[1] == b"ok"
    answer_to_admin = relay.admin("reload")
    assert answer_to_admin["ok"] is False and answer_to_admin["error"]
    wait_for(lambda: sum("the old settings stay" in x for x in relay.lines) == 2, why="both refusals in the log")
    assert reload(relay, good).startswith("reloaded")
    assert relay.get(request())[1] == b"ok"


def test_file_that_has_gone_is_refused(rig):
    origin = rig.origin(answer())
    relay = rig.relay(origin)
    os.unlink(relay.config_path)
    assert reload(relay).startswith("reload refused")
    assert relay.get(request())[1] == b"ok"


def test_reload_opens_and_closes_listeners(rig):
    origin = rig.origin(answer())
    path = rig.path("more.sock")
    relay = rig.relay(origin)
    relay.config["listeners"].append({"listen": f"unix:{path}"})
    assert reload(relay, relay.config).startswith("reloaded")

    def served():
        try:
            client = connect(path)
        except OSError:
            return False
        client.send(request())
        ok = client.response()[1] == b"ok"
        client.close()
        return ok

    wait_for(served, why="the new listener")
    assert relay.get(request())[1] == b"ok"
    del relay.config["listeners"][1]
    assert reload(relay, relay.config).startswith("reloaded")
    wait_for(lambda: not os.path.exists(path), why="the old listener is gone")
    assert relay.get(request())[1] == b"ok"


def test_listener_that_cannot_be_opened_refuses_the_reload(rig):
    origin = rig.origin(answer())
    other = rig.origin()
    relay = rig.relay(origin)
    bad = {**relay.config, "listeners": [*relay.config["listeners"], {"listen": other.address}]}
    assert reload(relay, bad).startswith("reload refused")
    assert relay.get(request())[1] == b"ok"


# -- death --


def two_workers(rig, origin):
    """A relay with streams on both of its workers: {worker index: [streams]}."""
    relay = rig.relay(origin, workers=2)
    relay.expect_deaths = True
    streams = {0: [], 1: []}
    for n in range(60):
        client, body, up = rig.stream(relay, origin, event_request(f"/s{n}"))
        record = relay.wait_log(event="open", path=f"/s{n}")
        streams[record["worker"]].append((client, body, up))
        if min(len(s) for s in streams.values()) >= 2:
            return relay, streams
    raise AssertionError("the kernel gave all connections to one worker")


def test_killed_worker_is_restarted_and_the_others_streams_go_on(rig):
    origin = rig.origin()
    relay, streams = two_workers(rig, origin)
    workers = {w["worker"]: w["pid"] for w in relay.admin("workers")}
    began = time.monotonic()
    os.kill(workers[0], signal.SIGKILL)
    for client, _, up in streams[0]:
        client.wait_end(1.0)
        up.wait_end(1.0)
        assert client.end_time - began < 0.5
    for _, body, up in streams[1]:
        sent = up.event("still here")
        body.until(sent)
    assert relay.wait_line(r"worker 0 .*signal 9")
    wait_for(lambda: relay.admin("workers")[0]["pid"] not in (0, workers[0]), 3, why="a new worker 0")
    assert relay.admin("workers")[0]["restarts"] == 1
    for _ in range(20):
        client, body, up = rig.stream(relay, origin)
        body.until(up.event("new"))
    for client, body, up in streams[1]:
        body.until(up.event("and here"))
        assert not client.end


def test_no_connection_is_refused_while_a_worker_is_away(rig):
    """The listening sockets outlive the worker: whoever connects meanwhile waits, and is served."""
    origin = rig.origin(answer())
    relay = rig.relay(origin, workers=2)
    relay.expect_deaths = True
    time.sleep(0.2)
    os.kill(relay.admin("workers")[0]["pid"], signal.SIGKILL)
    clients = [rig.connect(relay.addr) for _ in range(30)]
    for client in clients:
        client.send(request())
    for client in clients:
        try:
            assert client.response(timeout=5)[1] == b"ok"
        except AssertionError:
            # it was in the dead worker's hands already: cut, not refused
            assert client.end and not client.log


def test_worker_that_dies_again_and_again_does_not_spin(rig):
    origin = rig.origin(answer())
    relay = rig.relay(origin)
    relay.expect_deaths = True
    for _ in range(4):
        pid = wait_for(lambda: relay.admin("workers")[0]["pid"], 5)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda pid=pid: relay.admin("workers")[0]["pid"] != pid, 5)
    assert relay.admin("workers")[0]["restarts"] <= 5
    wait_for(lambda: relay.admin("workers")[0]["pid"], 5)
    wait_for(lambda: relay.get(request())[1] == b"ok", 3)


def test_records_of_a_dead_worker_are_wiped(rig):
    origin = rig.origin()
    relay, streams = two_workers(rig, origin)
    assert len(relay.admin("streams")) == sum(len(s) for s in streams.values())
    os.kill(relay.admin("workers")[0]["pid"], signal.SIGKILL)
    wait_for(lambda: len(relay.admin("streams")) == len(streams[1]), 3, why="slots of the dead worker are free")


def test_workers_drain_when_the_master_is_killed(rig):
    """Nobody could tell them to stop any more: they end by themselves, and leave no process behind."""
    origin = rig.origin()
    relay = rig.relay(origin, drain="300ms", workers=2)
    relay.expect_deaths = relay.checked = True
    client, body, up = rig.stream(relay, origin)
    body.until(up.event("x"))
    pids = relay.workers()
    os.kill(relay.pid, signal.SIGKILL)
    relay.wait()
    client.wait_end(4)
    wait_for(lambda: not any(os.path.exists(f"/proc/{p}") and not zombie(p) for p in pids), 5, why="workers end")


def zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_stopped_master_does_not_stop_streams(rig):
    """Fault 16 for the copy lane: the workers carry the streams."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client, body, up = rig.stream(relay, origin)
    os.kill(relay.pid, signal.SIGSTOP)
    try:
        for i in range(5):
            body.until(up.event(i))
        other, other_body, other_up = rig.stream(relay, origin)
        other_body.until(other_up.event("new"))
    finally:
        os.kill(relay.pid, signal.SIGCONT)


def test_operator_kills_a_stream(rig):
    origin = rig.origin()
    relay = rig.relay(origin)
    keep, keep_body, keep_up = rig.stream(relay, origin, event_request("/keep"))
    client, body, up = rig.stream(relay, origin, event_request("/kill"))
    record = relay.wait_log(event="open", path="/kill")
    assert relay.admin(f"kill {record['id']}")["ok"] is True
    client.wait_end(1.0)
    up.wait_end(1.0)
    assert relay.wait_log(event="end", path="/kill")["ended_by"] == "admin"
    keep_body.until(keep_up.event("x"))
    assert not keep.end
