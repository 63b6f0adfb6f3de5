"""What the relay adds to a message, takes out of it, and leaves alone; both ways."""

import pytest
from lib.origin import OK, STREAM_HEAD
from lib.wire import event_request, request


def exchange(rig, data, reply=OK, method="GET", **kw):
    """One request through a fresh relay: what the origin saw, what the client got."""
    origin = rig.origin()
    relay = rig.relay(origin, **kw)
    client = rig.connect(relay.addr)
    client.send(data)
    up = origin.accept()
    req = up.request()
    up.send(reply)
    head = client.final_head()
    if b"transfer-encoding: chunked" not in reply.lower():
        client.response_body(head, method).to_end()
    return req, head


def test_unknown_fields_pass_in_order_and_case(rig):
    fields = (
        ("X-First", "1"), ("aUthorization", "Bearer abc"), ("Cookie", "a=b; c=d"), ("Mcp-Session-Id", "s-1"),
        ("x-first", "2"), ("Accept", "text/event-stream"), ("Last-Event-ID", "77"), ("Cookie", "e=f"), ("ETag", '"x"'),
    )  # fmt: skip
    req, _ = exchange(rig, request(fields=fields))
    names = {n.encode() for n, _ in fields}
    assert [(n.decode(), v.decode()) for n, v in req.fields if n in names] == list(fields)


def test_response_fields_pass_in_order_and_case(rig):
    reply = (
        b"HTTP/1.1 200 Fine With Me\r\nX-b: 1\r\nSet-Cookie: a=b\r\nDate: Fri, 20 Nov 2026 11:11:16 GMT\r\n"
        b"set-cookie: c=d\r\nMcp-Session-Id: s-1\r\nx-B: \xe2\x82\xac\r\nServer: origin\r\nContent-Length: 2\r\n\r\nok"
    )
    _, head = exchange(rig, request(), reply)
    assert head.reason == b"Fine With Me"
    wanted = [x.split(b": ", 1) for x in reply.split(b"\r\n")[1:8]]
    assert [[n, v] for n, v in head.fields if [n, v] in wanted] == wanted


HOP_BY_HOP = (
    ("Connection", "keep-alive, X-Secret"), ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"),
    ("TE", "trailers"), ("Proxy-Authorization", "Basic eDp5"), ("X-Secret", "1"), ("Upgrade", "foo"), ("X-Kept", "1"),
)  # fmt: skip


def test_hop_by_hop_fields_of_requests_end_here(rig):
    """B14."""
    req, _ = exchange(rig, request(fields=HOP_BY_HOP))
    for name, _ in HOP_BY_HOP[:-1]:
        if name not in ("Connection", "TE"):
            assert not req.all(name), req.raw
    assert "x-secret" not in req.tokens("connection")
    assert "close" not in req.tokens("connection") and not req.all("upgrade")
    assert req.get("x-kept") == "1"
    assert set(req.tokens("te")) <= {"trailers"}


def test_hop_by_hop_fields_of_responses_end_here(rig):
    reply = (
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Secret\r\nKeep-Alive: timeout=5\r\nX-Secret: 1\r\n"
        b"Proxy-Connection: close\r\nUpgrade: h2c\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok"
    )
    _, head = exchange(rig, request(), reply)
    for name in ("keep-alive", "x-secret", "proxy-connection", "upgrade"):
        assert not head.all(name), head.raw
    assert "x-secret" not in head.tokens("connection")
    assert head.get("x-kept") == "1"


def test_via_both_ways(rig):
    req, head = exchange(rig, request(fields=(("Via", "1.0 before"),)))
    assert req.tokens("via")[0] == "1.0 before" and len(req.tokens("via")) == 2
    assert req.tokens("via")[1].startswith("1.1 ")
    assert len(head.tokens("via")) == 1 and head.tokens("via")[0].startswith("1.1 ")


def test_forwarded_fields_are_the_relays_own(rig):
    """B15: what an untrusted client says of itself is dropped."""
    spoof = (("X-Forwarded-For", "6.6.6.6"), ("Forwarded", "for=6.6.6.6"), ("X-Forwarded-Proto", "https"),
             ("X-Forwarded-Host", "evil.example"), ("x-forwarded-for", "7.7.7.7"))  # fmt: skip
    req, _ = exchange(rig, request(fields=spoof))
    assert req.all("x-forwarded-for") == [b"127.0.0.1"]
    assert req.all("x-forwarded-proto") == [b"http"]
    assert req.all("x-forwarded-host") == [b"test.example"]
    assert len(req.all("forwarded")) == 1
    forwarded = req.get("forwarded").lower()
    assert "for=127.0.0.1" in forwarded and "proto=http" in forwarded and "6.6.6.6" not in forwarded
    assert b"6.6.6.6" not in req.raw and b"7.7.7.7" not in req.raw and b"evil" not in req.raw


def test_forwarded_fields_of_a_trusted_proxy_are_kept(rig):
    fields = (("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9;proto=https"),
              ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.example"))  # fmt: skip
    req, _ = exchange(rig, request(fields=fields), trusted_proxies=["127.0.0.0/8"])
    assert req.tokens("x-forwarded-for") == ["203.0.113.9", "127.0.0.1"]
    assert req.tokens("x-forwarded-proto")[0] == "https"
    assert req.tokens("x-forwarded-host")[0] == "shop.example"
    members = req.tokens("forwarded")
    assert members[0] == "for=203.0.113.9;proto=https" and len(members) == 2 and "for=127.0.0.1" in members[1]


def test_forwarded_address_of_an_ipv6_client(rig):
    req, _ = exchange_on(rig, "[::1]:0")
    assert req.all("x-forwarded-for") == [b"::1"]
    assert 'for="[::1]"' in req.get("forwarded").lower()


def exchange_on(rig, listen):
    origin = rig.origin()
    relay = rig.relay(origin, listener={"listen": listen})
    client = rig.connect(relay.addr)
    client.send(request())
    up = origin.accept()
    req = up.request()
    up.send(OK)
    return req, client.response()[0]


def test_host_passes_unless_the_upstream_sets_one(rig):
    req, _ = exchange(rig, request(host="a.example:8080"))
    assert req.all("host") == [b"a.example:8080"]


def test_upstream_host_and_path_prefix(rig):
    req, _ = exchange(rig, request(target="/x?y=z"), upstream={"host": "inner.example", "path_prefix": "/base"})
    assert req.all("host") == [b"inner.example"]
    assert req.target == b"/base/x?y=z"


def test_request_edits(rig):
    edits = [{"set": "X-Set: new"}, {"set": "X-Absent: made"}, {"add": "X-Add: two"}, {"remove": "X-Remove"}]
    fields = (("x-set", "old"), ("X-SET", "older"), ("X-Add", "one"), ("x-remove", "1"), ("X-Kept", "k"))
    req, _ = exchange(rig, request(fields=fields), route={"request_headers": edits})
    assert req.all("x-set") == [b"new"] and req.all("x-absent") == [b"made"]
    assert req.all("x-add") == [b"one", b"two"] and not req.all("x-remove") and req.get("x-kept") == "k"


def test_response_edits(rig):
    edits = [{"set": "X-Set: new"}, {"add": "Set-Cookie: c=d"}, {"remove": "Server"}]
    reply = b"HTTP/1.1 200 OK\r\nX-Set: old\r\nServer: x\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok"
    _, head = exchange(rig, request(), reply, route={"response_headers": edits})
    assert head.all("x-set") == [b"new"] and not head.all("server")
    assert head.all("set-cookie") == [b"a=b", b"c=d"]


@pytest.mark.parametrize(
    "said, want",
    [
        (b"", {"no-cache", "no-transform"}),
        (b"Cache-Control: no-store\r\n", {"no-store", "no-transform"}),
        (b"Cache-Control: no-cache, no-transform\r\n", {"no-cache", "no-transform"}),
        (b"Cache-Control: private\r\ncache-control: max-age=0\r\n", {"private", "max-age=0", "no-transform"}),
    ],
)
def test_cache_control_of_an_event_stream(rig, said, want):
    _, head = exchange(rig, event_request(), STREAM_HEAD[:-2] + said + b"\r\n")
    tokens = head.tokens("cache-control")
    assert set(tokens) == want and len(tokens) == len(want)
    assert head.all("x-accel-buffering") == [b"no"]


def test_other_responses_get_no_stream_fields(rig):
    _, head = exchange(rig, request())
    assert not head.all("cache-control") and not head.all("x-accel-buffering")


@pytest.mark.parametrize(
    "value", [b"TEXT/Event-Stream", b"text/event-stream;charset=utf-8", b"text/event-stream ; a=b", b"text/event-stream"]
)
def test_event_streams_are_recognised(rig, value):
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: " + value + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    _, head = exchange(rig, request(), reply)
    assert head.all("x-accel-buffering") == [b"no"] and head.all("content-type") == [value]


@pytest.mark.parametrize("value", [b"text/event-streams", b"text/plain; a=text/event-stream", b"application/json"])
def test_other_types_are_not(rig, value):
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: " + value + b"\r\nContent-Length: 0\r\n\r\n"
    _, head = exchange(rig, request(), reply)
    assert not head.all("x-accel-buffering")


def test_compressed_event_stream_passes_and_is_warned_of(rig):
    """G24: the origin compressed it all the same: passed on as it is, and said in the log."""
    import gzip

    blob = gzip.compress(b"data: x\n\n" * 50)
    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(event_request())
    up = origin.accept()
    up.request()
    up.stream_head(b"Content-Encoding: gzip\r\n")
    up.part(blob)
    up.finish()
    head, payload = client.response()
    assert head.get("content-encoding") == "gzip" and payload == blob
    assert relay.admin("totals")["encoded_streams"] == 1
    relay.wait_line(r"(?i)(content-encoding|compress|gzip)", timeout=2)
