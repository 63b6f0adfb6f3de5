"""How clients come in: IPv4, IPv6, unix sockets, PROXY protocol; and upstreams on unix sockets and IPv6."""

import os
import socket
import stat
import struct

import pytest
from lib.origin import OK, answer
from lib.wire import event_request, request

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command, family, addresses=b"", tlvs=b""):
    body = addresses + tlvs
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(body)) + body


V2_TCP4 = v2(1, 0x11, socket.inet_aton("203.0.113.7") + socket.inet_aton("10.0.0.1") + struct.pack("!HH", 4711, 80))
V2_TCP6 = v2(
    1,
    0x21,
    socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    + socket.inet_pton(socket.AF_INET6, "::1")
    + struct.pack("!HH", 4711, 80),
)
V2_TLV = v2(
    1,
    0x11,
    socket.inet_aton("203.0.113.7") + socket.inet_aton("10.0.0.1") + struct.pack("!HH", 4711, 80),
    b"\x04\0\x80" + b"n" * 128,
)


def behind(rig, header, pieces=False):
    """One request behind a PROXY header; what the origin saw, and the client address in the log."""
    origin = rig.origin()
    relay = rig.relay(origin, listener={"proxy_protocol": "on"})
    client = rig.connect(relay.addr)
    data = header + request()
    for i in range(0, len(data), 1 if pieces else len(data)):
        client.send(data[i : i + (1 if pieces else len(data))])
    up = origin.accept()
    req = up.request()
    up.send(OK)
    assert client.response()[1] == b"ok"
    return req, relay.wait_log(event="end")["client"], client


@pytest.mark.parametrize("pieces", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize(
    "header, ip, text",
    [
        (b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n", b"203.0.113.7", "203.0.113.7:4711"),
        (b"PROXY TCP6 2001:db8::7 ::1 4711 80\r\n", b"2001:db8::7", "[2001:db8::7]:4711"),
        (V2_TCP4, b"203.0.113.7", "203.0.113.7:4711"),
        (V2_TCP6, b"2001:db8::7", "[2001:db8::7]:4711"),
        (V2_TLV, b"203.0.113.7", "203.0.113.7:4711"),
    ],
    ids=["v1 TCP4", "v1 TCP6", "v2 TCP4", "v2 TCP6", "v2 with TLV"],
)
def test_proxy_protocol_names_the_client(rig, header, ip, text, pieces):
    req, logged, _ = behind(rig, header, pieces)
    assert req.all("x-forwarded-for") == [ip]
    assert logged == text


@pytest.mark.parametrize(
    "header",
    [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN a b c d\r\n", v2(0, 0), v2(0, 0x11, bytes(12))],
    ids=["v1", "v1 junk", "v2", "v2 addr"],
)
def test_proxy_protocol_of_a_health_check(rig, header):
    """UNKNOWN and LOCAL: the socket's own addresses."""
    req, logged, client = behind(rig, header)
    assert req.all("x-forwarded-for") == [b"127.0.0.1"]
    assert logged == "%s:%d" % client.sock.getsockname()


@pytest.mark.parametrize(
    "data",
    [
        request(),
        b"PROXY TCP4 203.0.113.7\r\n" + request(),
        b"PROXY TCP4 203.0.113.777 10.0.0.1 1 2\r\n" + request(),
        b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 99999\r\n" + request(),
        b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\n" + request(),
        b"PROXY TCP4 " + b"1" * 200 + b"\r\n" + request(),
        b"PROXY UDP4 203.0.113.7 10.0.0.1 4711 80\r\n" + request(),
        b"proxy TCP4 203.0.113.7 10.0.0.1 4711 80\r\n" + request(),
        SIGNATURE + b"\x31\x11\0\x0c" + bytes(12) + request(),
        SIGNATURE + b"\x2f\x11\0\x0c" + bytes(12) + request(),
        SIGNATURE + b"\x21\x11\0\x04" + bytes(4) + request(),
        SIGNATURE + b"\x21\x11\xff\xff" + bytes(4096) + request(),
    ],
    ids=["none", "short", "octet", "port", "LF", "long", "UDP", "lower case", "v3", "command", "v2 short", "v2 64 KiB"],
)
def test_bad_proxy_headers_are_refused(rig, data):
    origin = rig.origin()
    relay = rig.relay(origin, listener={"proxy_protocol": "on"})
    client = rig.connect(relay.addr)
    client.send(data)
    client.wait_end(2.0)
    assert not client.log or client.log.startswith(b"HTTP/1.1 400 ")
    origin.no_connection(0.02)


def test_proxy_header_comes_once_per_connection(rig):
    origin = rig.origin(answer())
    relay = rig.relay(origin, listener={"proxy_protocol": "on"})
    client = rig.connect(relay.addr)
    client.send(V2_TCP4 + request())
    client.response()
    client.send(request())
    assert client.response()[0].status == 200
    client.send(V2_TCP4 + request())
    assert client.final_head().status == 400
    assert [r.all("x-forwarded-for") for r in origin.conns[0].requests] == [[b"203.0.113.7"]] * 2


def test_trust_is_judged_on_the_address_in_the_header(rig):
    origin = rig.origin(answer())
    relay = rig.relay(origin, listener={"proxy_protocol": "on"}, trusted_proxies=["203.0.113.0/24"])
    for header in (V2_TCP4, b"PROXY TCP4 198.51.100.1 10.0.0.1 1 2\r\n"):
        client = rig.connect(relay.addr)
        client.send(header + request(fields=(("X-Forwarded-For", "6.6.6.6"),)))
        client.response()
    seen = [r.tokens("x-forwarded-for") for c in origin.conns for r in c.requests]
    assert seen == [["6.6.6.6", "203.0.113.7"], ["198.51.100.1"]]


def test_ipv6(rig):
    origin = rig.origin(answer(), host="::1")
    relay = rig.relay(origin, listener={"listen": "[::1]:0"})
    assert relay.addr[0] == "::1"
    assert relay.get(request())[1] == b"ok"


def test_unix_listener(rig):
    origin = rig.origin()
    path = rig.path("in.sock")
    relay = rig.relay(origin, listener={"listen": f"unix:{path}", "mode": "0600"})
    assert relay.addr == path and stat.S_IMODE(os.stat(path).st_mode) == 0o600
    client, body, up = rig.stream(relay, origin)
    for i in range(5):
        sent = up.event(i)
        body.until(sent)
    client.close()
    up.wait_end()
    relay.quit()
    assert not os.path.exists(path), "no file is left behind"


def test_stale_unix_socket_is_replaced_and_a_live_one_is_not(rig):
    path = rig.path("in.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    origin = rig.origin(answer())
    relay = rig.relay(origin, listener={"listen": f"unix:{path}"})
    assert relay.get(request())[1] == b"ok"
    second = rig.run(rig.config(origin, listener={"listen": f"unix:{path}"}), wait=False)
    second.checked = True
    assert second.wait(5) == 1 and path in second.text()
    assert relay.get(request())[1] == b"ok"


def test_unix_upstream(rig):
    origin = rig.origin(path=rig.path("app.sock"))
    relay = rig.relay(origin)
    client, body, up = rig.stream(relay, origin, event_request(host="a.example"))
    body.until(up.event("over a unix socket"))
    assert up.requests[0].get("host") == "a.example"
    client.close()
    up.wait_end()


def test_several_listeners(rig):
    origin = rig.origin(answer())
    conf = rig.config(origin)
    path = rig.path("also.sock")
    conf["listeners"] += [{"listen": "[::1]:0"}, {"listen": f"unix:{path}"}]
    relay = rig.run(conf)
    assert len(relay.addrs) == 3
    for addr in relay.addrs:
        client = rig.connect(addr)
        client.send(request())
        assert client.response()[1] == b"ok"


def test_host_and_method_routes(rig):
    api, site, rest = (rig.origin(answer()) for _ in range(3))
    conf = rig.config(rest)
    conf["upstreams"] += [
        {"name": "api", "servers": [{"address": api.address}]},
        {"name": "site", "servers": [{"address": site.address}]},
    ]
    conf["routes"] = [
        {"name": "api", "host": "*.example.org", "path": "/api", "methods": ["GET", "POST"], "upstream": "api"},
        {"name": "exact", "path": "/only", "exact": "on", "upstream": "site"},
        {"name": "rest", "upstream": "app"},
    ]
    relay = rig.run(conf)
    for method, host, target, want in (
        ("GET", "a.example.org", "/api/x", api),
        ("GET", "A.EXAMPLE.ORG:8080", "/api", api),
        ("GET", "example.org", "/api/x", rest),
        ("DELETE", "a.example.org", "/api/x", rest),
        ("GET", "a.example.org", "/apix", rest),
        ("GET", "x", "/only", site),
        ("GET", "x", "/only?q=1", site),
        ("GET", "x", "/only/more", rest),
    ):
        before = want.bytes_received()
        assert relay.get(request(method, target, host=host))[0].status == 200
        assert want.bytes_received() > before, (method, host, target)
