"""Which server a request goes to: round robin, least connections, hash, sticky; weights, limits, health."""

import collections
import os
import signal
import time

import pytest
from lib.origin import OK, answer
from lib.proc import wait_for
from lib.wire import NotInTime, event_request, request


def named(name):
    """A handler that says its server's name, and issues a session when asked for one."""

    def reply(req):
        session = b"Mcp-Session-Id: session-of-%s-%s\r\n" % (name, os.urandom(4).hex().encode()) if req.target == b"/new" else b""
        return b"HTTP/1.1 200 OK\r\n" + session + b"Content-Length: %d\r\n\r\n%s" % (len(name), name)

    return answer(reply)


def three(rig, **upstream):
    origins = [rig.origin(named(n)) for n in (b"a", b"b", b"c")]
    return origins, rig.relay(origins, upstream=upstream)


def ask(relay, fields=(), target="/"):
    head, payload = relay.get(request(target=target, fields=fields))
    assert head.status == 200
    return payload.decode(), head


def test_round_robin(rig):
    _, relay = three(rig, balance="round-robin")
    assert collections.Counter(ask(relay)[0] for _ in range(30)) == {"a": 10, "b": 10, "c": 10}


def test_round_robin_with_weights(rig):
    origins = [rig.origin(named(n)) for n in (b"a", b"b")]
    conf = rig.config(origins, upstream={"balance": "round-robin"})
    conf["upstreams"][0]["servers"][0]["weight"] = 3
    relay = rig.run(conf)
    assert collections.Counter(ask(relay)[0] for _ in range(40)) == {"a": 30, "b": 10}


def test_least_conn_counts_open_streams(rig):
    """Long streams weigh as long as they last."""
    origins = [rig.origin() for _ in range(3)]
    relay = rig.relay(origins)
    clients = []
    for _ in range(9):
        client = rig.connect(relay.addr)
        client.send(event_request())
        clients.append(client)
    taken = {}
    stop = time.monotonic() + 3
    while sum(len(o.conns) for o in origins) < 9 and time.monotonic() < stop:
        for o in origins:
            try:
                up = o.accept(0.02)
                up.request()
                up.stream_head()
                taken[up] = o
            except NotInTime:
                pass
    assert [len(o.conns) for o in origins] == [3, 3, 3]
    for client in clients:
        client.final_head()
    # one server's streams end: the next three go there
    for up in origins[1].conns:
        up.rst()
    relay.wait_log(3, event="end")
    for _ in range(3):
        client = rig.connect(relay.addr)
        client.send(event_request())
        origins[1].accept(1.0).request()


def test_hash_on_a_header(rig):
    _, relay = three(rig, balance="hash", header="X-User")
    owner = {f"u{i}": ask(relay, (("X-User", f"u{i}"),))[0] for i in range(40)}
    assert set(owner.values()) == {"a", "b", "c"}
    for user, server in owner.items():
        assert ask(relay, (("x-user", user),))[0] == server
    assert {ask(relay)[0] for _ in range(5)} <= {"a", "b", "c"}, "without the header some server answers"


def test_hash_on_a_cookie(rig):
    _, relay = three(rig, balance="hash", cookie="sid")
    for i in range(10):
        seen = {ask(relay, (("Cookie", f"{pre}sid=u{i}; z=1"),))[0] for pre in ("", "a=b; ", "xsid=q; ")}
        assert len(seen) == 1


def test_hash_moves_few_when_a_server_goes(rig):
    """Only the lost server's users move."""
    origins, relay = three(rig, balance="hash", header="X-User")
    owner = {f"u{i}": ask(relay, (("X-User", f"u{i}"),))[0] for i in range(60)}
    del relay.config["upstreams"][0]["servers"][2]
    reload(relay)
    for user, server in owner.items():
        now = ask(relay, (("X-User", user),))[0]
        assert now == server if server != "c" else now in "ab"


def reload(relay):
    from lib.relay import write_config

    n = sum("reloaded" in x for x in relay.lines)
    write_config(os.path.dirname(relay.config_path), relay.config)
    relay.send_signal(signal.SIGHUP)
    wait_for(lambda: sum("reloaded" in x for x in relay.lines) > n, why="reload")
    time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
def test_sticky_session(rig, workers):
    """Whoever issued Mcp-Session-Id gets the requests that bring it; through any worker, across a reload."""
    origins = [rig.origin(named(n)) for n in (b"a", b"b", b"c")]
    relay = rig.relay(origins, workers=workers, upstream={"balance": "sticky", "header": "Mcp-Session-Id"})
    sessions = {}
    for _ in range(30):
        server, head = ask(relay, target="/new")
        sessions[head.get("mcp-session-id")] = server
    assert set(sessions.values()) == {"a", "b", "c"}
    for _ in range(3):
        for session, server in sessions.items():
            assert ask(relay, (("mcp-session-id", session),))[0] == server
    reload(relay)
    for session, server in sessions.items():
        assert ask(relay, (("Mcp-Session-Id", session),))[0] == server


def test_sticky_session_of_nobody(rig):
    """An id that no server issued, and a request without one, are balanced like any other."""
    _, relay = three(rig, balance="sticky", header="Mcp-Session-Id")
    assert ask(relay, (("Mcp-Session-Id", "unknown"),))[0] in "abc"
    assert ask(relay)[0] in "abc"


def test_sticky_on_event_streams(rig):
    """The id comes in the head of a stream that goes on."""
    origins = [rig.origin(), rig.origin()]
    relay = rig.relay(origins, upstream={"balance": "sticky", "header": "Mcp-Session-Id"})
    client = rig.connect(relay.addr)
    client.send(event_request())
    up, owner = first_to_accept(origins)
    up.request()
    up.stream_head(b"Mcp-Session-Id: s-1\r\n")
    client.final_head()
    for _ in range(4):
        other = rig.connect(relay.addr)
        other.send(request("POST", body=b"x", fields=(("Mcp-Session-Id", "s-1"),)))
        up = owner.accept(1.0)
        up.request()
        up.send(OK)
        assert other.response()[0].status == 200


def first_to_accept(origins):
    for _ in range(100):
        for o in origins:
            try:
                return o.accept(0.01), o
            except NotInTime:
                pass
    raise AssertionError("no origin was connected to")


def test_max_connections_makes_requests_wait(rig):
    origin = rig.origin()
    conf = rig.config(origin, route={"timeouts": {"connect": "2s"}})
    conf["upstreams"][0]["servers"][0]["max_connections"] = 2
    relay = rig.run(conf)
    clients = [rig.connect(relay.addr) for _ in range(3)]
    for client in clients:
        client.send(request())
    ups = [origin.accept(), origin.accept()]
    origin.no_connection(0.1)
    ups[0].request()
    ups[0].send(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    ups[0].wait_end()
    up = origin.accept(1.0)
    up.request()


def test_max_connections_gives_503_in_time(rig):
    origin = rig.origin()
    conf = rig.config(origin, route={"timeouts": {"connect": "200ms"}})
    conf["upstreams"][0]["servers"][0]["max_connections"] = 1
    relay = rig.run(conf)
    first = rig.connect(relay.addr)
    first.send(request())
    up = origin.accept()
    up.request()
    head, _ = relay.get(request())
    assert head.status == 503 and head.get("retry-after")
    up.send(OK)
    assert first.response()[0].status == 200


HEALTH = {"interval": "60ms", "timeout": "50ms", "fall": 2, "rise": 2, "path": "/alive"}


class Patient:
    """An origin whose health can be changed."""

    def __init__(self, rig, name):
        self.well = True
        self.checks = []
        self.rig, self.name = rig, name
        self.origin = rig.origin(self.serve)
        self.address = self.origin.address

    def serve(self, conn):
        while True:
            try:
                req = conn.request(60)
            except AssertionError:
                return
            if req.target == b"/alive":
                self.checks.append(req)
                if self.well == "endless":
                    conn.stream_head()
                    conn.event("for ever")
                    return
                if self.well == "silent":
                    return
                conn.send(OK if self.well else b"HTTP/1.1 503 Ill\r\nContent-Length: 0\r\n\r\n")
            else:
                conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + self.name)


@pytest.mark.parametrize("ill", [False, "silent"], ids=["503", "silent"])
def test_health_checks(rig, ill):
    a, b = Patient(rig, b"a"), Patient(rig, b"b")
    relay = rig.relay([a, b], upstream={"balance": "round-robin", "health": HEALTH})
    assert {ask(relay)[0] for _ in range(6)} == {"a", "b"}
    wait_for(lambda: len(a.checks) >= 2, why="health checks")
    assert a.checks[0].method in (b"GET", b"HEAD") and a.checks[0].get("host")
    b.well = ill
    relay.wait_line(r"(?i)down|fail")
    wait_for(lambda: {ask(relay)[0] for _ in range(6)} == {"a"}, 3, why="b is not used")
    b.well = True
    wait_for(lambda: {ask(relay)[0] for _ in range(6)} == {"a", "b"}, 3, why="b is used again")


def test_endless_stream_passes_as_healthy(rig):
    """Judged on the response head; the check's connection is not kept."""
    a, b = Patient(rig, b"a"), Patient(rig, b"b")
    b.well = "endless"
    relay = rig.relay([a, b], upstream={"balance": "round-robin", "health": HEALTH})
    wait_for(lambda: len(b.checks) >= 6, why="health checks")
    assert {ask(relay)[0] for _ in range(6)} == {"a", "b"}
    open_checks = [c for c in b.origin.conns if c.requests and c.requests[0].target == b"/alive" and not c.end]
    assert len(open_checks) <= 1
    assert not any("down" in x.lower() for x in relay.lines)


def test_all_servers_ill(rig):
    a = Patient(rig, b"a")
    a.well = False
    relay = rig.relay([a], upstream={"health": HEALTH})
    relay.wait_line(r"(?i)down|fail")
    wait_for(lambda: relay.get(request())[0].status == 503, why="503")
    a.well = True
    wait_for(lambda: relay.get(request())[0].status == 200, 3, why="200 again")


def test_streams_stay_when_their_server_falls_ill(rig):
    """A check decides about new requests only."""
    origin = rig.origin()
    relay = rig.relay(origin, upstream={"health": {**HEALTH, "interval": "100ms", "timeout": "100ms"}})
    client = rig.connect(relay.addr)
    up = None
    deadline = time.monotonic() + 3
    client.send(event_request())
    while time.monotonic() < deadline:
        conn = origin.accept()
        req = conn.request()
        if req.target == b"/events":
            up = conn
            break
        conn.send(OK)
    up.stream_head()
    body = client.response_body(client.final_head())
    for i in range(8):
        conn = origin.accept()
        conn.request()
        conn.send(b"HTTP/1.1 500 Ill\r\nContent-Length: 0\r\n\r\n")
        sent = up.event(i)
        body.until(sent)
    relay.wait_line(r"(?i)down|fail")
    body.until(up.event("still here"))
