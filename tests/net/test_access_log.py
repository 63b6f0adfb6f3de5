"""The access log says what happened, all of it, and no secret."""

import json
import os
import re
import signal
import time

import pytest
from lib.origin import answer
from lib.proc import wait_for
from lib.relay import LANES
from lib.wire import chunk, event_request, request

OPEN = {"event", "id", "time", "client", "method", "host", "path", "status", "route", "upstream", "lane", "head_ms"}
END = OPEN | {
    "ended_by", "phase", "bytes_in", "bytes_out", "events", "age_ms", "first_event_ms", "heartbeats", "spills", "reason",
}  # fmt: skip

def test_one_line_when_it_opens_and_one_when_it_ends(rig):
    origin = rig.origin()
    relay = rig.relay(origin, route={"name": "events", "heartbeat": "100ms"})
    client, body, up = rig.stream(relay, origin, event_request("/feed/1", host="shop.example:81"))
    record = relay.wait_log(event="open")
    assert not relay.log(event="end")
    assert OPEN <= set(record), OPEN - set(record)
    assert record["method"] == "GET" and record["path"] == "/feed/1" and record["host"] == "shop.example:81"
    assert record["status"] == 200 and record["route"] == "events" and record["upstream"] == "app"
    assert record["lane"] in LANES and 0 <= record["head_ms"] < 1000
    assert record["client"] == "%s:%d" % client.sock.getsockname()
    assert re.match(r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$", record["time"])
    sent = b""
    for i in range(7):
        sent += up.event(i)
    body.until(sent)
    body.until(b": heartbeat", 1)
    up.finish()
    body.to_end()
    end = relay.wait_log(event="end")
    assert END <= set(end), END - set(end)
    assert end["id"] == record["id"] and end["ended_by"] == "complete" and end["phase"] in LANES
    assert end["events"] == 7 and end["heartbeats"] >= 1 and end["spills"] == 0
    assert end["bytes_in"] == len(up_body(sent, 7))
    assert end["bytes_out"] == len(client.log)
    assert end["age_ms"] >= 100 and 0 <= end["first_event_ms"] <= end["age_ms"]
    assert len(relay.log()) == 2


def up_body(payload, events):
    """What the origin sent behind its head: each event a chunk, and the last chunk."""
    each = payload.split(b"\n\n")[:events]
    return b"".join(chunk(e + b"\n\n") for e in each) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "query, secrets",
    [
        ("token=s3cret&user=bob&flag", ["s3cret", "bob"]),
        ("a=b=c%3Ds3cret", ["s3cret", "b=c"]),
        ("=s3cret", ["s3cret"]),
        ("&&a=s3cret&&", ["s3cret"]),
        ("k=" + "s3cret" * 500, ["s3cret"]),
    ],
)
def test_query_values_are_redacted(rig, query, secrets):
    origin = rig.origin(answer())
    relay = rig.relay(origin)
    relay.get(request(target="/login?" + query, fields=(("Authorization", "Bearer t0ken"), ("Cookie", "sid=c00kie"))))
    record = relay.wait_log(event="end")
    with open(relay.access_log_path, encoding="utf-8") as f:
        text = f.read()
    for secret in [*secrets, "t0ken", "c00kie"]:
        assert secret not in text, text
    assert record["path"].startswith("/login")
    if query.startswith("token"):
        assert "token=" in text and "user=" in text, "names stay"
    assert not any(s in "\n".join(relay.lines) for s in secrets)


def test_query_without_equals_sign_may_be_a_secret_too(rig):
    """`/download?s3cret`: the whole query is the value."""
    relay = rig.relay(rig.origin(answer()))
    relay.get(request(target="/download?s3cret"))
    relay.wait_log(event="end")
    with open(relay.access_log_path, encoding="utf-8") as f:
        assert "s3cret" not in f.read()


@pytest.mark.parametrize("target", ["/%22%0a{", "/a?b=%0a", "/" + "x" * 3000, "/é".encode().decode("latin-1")])
def test_lines_are_json_whatever_is_asked(rig, target):
    relay = rig.relay(rig.origin(answer()))
    relay.get(request(target=target, host="h.example"))
    relay.wait_log(event="end")
    with open(relay.access_log_path, encoding="utf-8") as f:
        for line in f:
            json.loads(line)


def test_hostile_host_and_method_do_not_break_a_line(rig):
    relay = rig.relay(rig.origin(answer()))
    relay.get(b"GET /\"\\\x01 HTTP/1.1\r\nHost: a\"b\r\n\r\n")
    record = relay.wait_log(event="end")
    assert record["ended_by"] == "refused"


def test_each_end_says_who_and_where(rig):
    """client, upstream, complete: and their phases."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client, body, up = rig.stream(relay, origin)
    client.close()
    record = relay.wait_log(1, event="end")
    assert record["ended_by"] == "client" and record["phase"] in LANES, record
    client, body, up = rig.stream(relay, origin)
    up.rst()
    record = relay.wait_log(2, event="end")
    assert record["ended_by"] == "upstream" and record["truncated"] is True
    client = rig.connect(relay.addr)
    client.send(event_request())
    origin.accept().request()
    client.close()
    record = relay.wait_log(3, event="end")
    assert (record["ended_by"], record["phase"], record["status"]) == ("client", "read_head", 0)
    assert record["head_ms"] is None and record["first_event_ms"] is None


def test_sum_of_many(rig):
    """Every request has its line, with an id of its own."""
    origin = rig.origin(answer())
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    for i in range(300):
        client.send(request(target=f"/{i}"))
        client.response()
    relay.wait_log(300, event="end")
    records = relay.log(event="end")
    assert [r["path"] for r in records] == [f"/{i}" for i in range(300)]
    assert len({r["id"] for r in records}) == 300
    assert sum(r["bytes_out"] for r in records) == len(client.log)


def test_log_to_stderr(rig):
    conf = rig.config(rig.origin(answer()))
    conf["log"] = {"access": "stderr"}
    relay = rig.run(conf)
    relay.get(request(target="/x"))
    line = relay.wait_line(r'^\{.*"event":"end".*\}$').group(0)
    assert json.loads(line)["path"] == "/x"


def test_log_off(rig):
    conf = rig.config(rig.origin(answer()))
    conf["log"] = {"access": "off"}
    relay = rig.run(conf)
    assert relay.get(request())[0].status == 200
    assert not os.path.exists(relay.access_log_path)


def test_rotation(rig):
    """Moved away and SIGHUP: a new file is begun, the old one is whole."""
    origin = rig.origin(answer())
    relay = rig.relay(origin)
    relay.get(request(target="/old"))
    relay.wait_log(event="end", path="/old")
    os.rename(relay.access_log_path, relay.access_log_path + ".1")
    relay.send_signal(signal.SIGHUP)
    relay.wait_line(r"reloaded")

    def begun():
        relay.get(request(target="/new"))
        return relay.log(event="end", path="/new")

    wait_for(begun, 3, 0.05, "a new log file")
    with open(relay.access_log_path + ".1", encoding="utf-8") as f:
        assert '"/old"' in f.read()


def test_blocked_log_never_delays_a_stream(rig):
    """Fault 33: the log's target is a pipe that nobody reads; lines are dropped and counted, streams flow."""
    conf = rig.config(rig.origin(answer()))
    fifo = os.path.join(os.path.dirname(conf["admin"]), "fifo")
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    conf["log"] = {"access": fifo}
    try:
        relay = rig.run(conf)
        client = rig.connect(relay.addr)
        slowest, began = 0.0, time.monotonic()
        n = 0
        while relay.admin("totals")["log_dropped"] == 0 and time.monotonic() - began < 20:
            for _ in range(200):
                left = time.monotonic()
                client.send(request(target="/" + "x" * 90))
                assert client.response()[0].status == 200
                slowest = max(slowest, time.monotonic() - left)
                n += 1
        assert relay.admin("totals")["log_dropped"] > 0, n
        assert slowest < 0.5
    finally:
        os.close(reader)


def test_disk_full(rig):
    """/dev/full: requests are served, and the log's process lives on."""
    conf = rig.config(rig.origin(answer()))
    conf["log"] = {"access": "/dev/full"}
    relay = rig.run(conf)
    for _ in range(20):
        assert relay.get(request())[0].status == 200
