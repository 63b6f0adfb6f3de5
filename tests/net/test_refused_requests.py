"""Tables A, B and C: each bad request is refused by its own rule, with zero bytes upstream."""

import time

import pytest
from lib.bad_requests import CHUNKED_HEAD, CHUNKS, ROWS, row_id
from lib.origin import OK
from lib.relay import grown
from lib.wire import NotInTime, chunk, request


class Gate:
    """One relay and one recording origin for the whole table; every row is followed by a good request."""

    def __init__(self, rig):
        self.origin = rig.origin(self.serve)
        self.relay = rig.relay(self.origin)
        self.n = 0

    @staticmethod
    def serve(conn):
        while True:
            try:
                conn.request(60)
            except AssertionError:
                return
            conn.send(OK)

    def seen(self):
        """Bytes received per connection of the origin."""
        return {id(c): bytes(c.log) for c in list(self.origin.conns)}

    def new_since(self, before):
        return [log[len(before.get(key, b"")) :] for key, log in self.seen().items() if log != before.get(key, b"")]

    def sentinel(self):
        """A good request on a connection of its own: behind it, everything sent before has had its chance."""
        self.n += 1
        target = f"/sentinel-{self.n}"
        head, payload = self.relay.get(request(target=target))
        assert head.status == 200 and payload == b"ok", head.raw
        return target.encode()


@pytest.fixture(scope="module")
def gate(shared):
    return Gate(shared)


def refuse(gate, data, statuses, reasons, pieces=None):
    """The check of a STRICT row."""
    before = gate.seen()
    since = len(gate.relay.log(event="end"))
    counted = gate.relay.admin("totals")["refused"]
    wire = gate.relay.connect()
    try:
        for piece in pieces or [data]:
            wire.send(piece)
    except OSError:
        pass  # refused while the rest was still on its way
    began = time.monotonic()
    head = wire.final_head()
    assert head.status in statuses, head.raw
    assert "close" in head.tokens("connection"), head.raw
    body = wire.response_body(head)
    body.to_end(1.0)
    assert body.complete
    wire.wait_end(1.0)
    assert time.monotonic() - began < 1.0
    assert not wire.buf, f"bytes behind the refusal: {bytes(wire.buf[:100])!r}"
    wire.close()
    target = gate.sentinel()
    new = gate.new_since(before)
    assert len(new) == 1 and new[0].startswith(b"GET " + target + b" HTTP/1.1\r\n"), f"upstream saw {new!r}"
    assert new[0].count(b"\r\n\r\n") == 1 and b"evil" not in new[0], f"upstream saw {new!r}"
    records = gate.relay.wait_log(since + 2, event="end") and gate.relay.log(event="end")[since:]
    refused = [r for r in records if r["ended_by"] == "refused"]
    assert len(refused) == 1, records
    assert refused[0]["reason"], refused
    assert reasons is None or refused[0]["reason"] in reasons, refused
    assert refused[0]["status"] == head.status
    assert gate.relay.admin("totals")["refused"][refused[0]["reason"]] == counted.get(refused[0]["reason"], 0) + 1


@pytest.mark.parametrize("bad", ROWS, ids=row_id)
def test_refused(gate, bad):
    refuse(gate, bad.data, bad.statuses, bad.reasons)


FORWARDED_BY_NGINX = {"B3 LF ends a field", "B3 LF ends every line", "C9 LF inside", "B6 no colon", "B7 name ends in 0x85"}


@pytest.mark.parametrize("bad", [r for r in ROWS if row_id(r) in FORWARDED_BY_NGINX], ids=row_id)
def test_the_oracle_can_tell(rig, bad):
    """nginx forwards these (bad-inputs-and-faults.md says so): the same byte log shows it."""
    origin = rig.origin(Gate.serve)
    nginx = rig.nginx(origin)
    wire = rig.connect(nginx.addr)
    wire.send(bad.data)
    wire.fill()
    assert origin.bytes_received() > 0


@pytest.mark.parametrize("bad", [c for c in CHUNKS if len(c.data) < 16_000], ids=row_id)
def test_refused_chunks_in_one_piece(gate, bad):
    """The whole request in one write: nothing of it may go upstream, its head included."""
    refuse(gate, CHUNKED_HEAD + bad.data, bad.statuses, bad.reasons)


@pytest.mark.parametrize("bad", CHUNKS, ids=row_id)
def test_refused_chunks_behind_a_good_head(rig, bad):
    """The head and a good chunk are upstream already: the body breaks off there, and nothing behind it is sent on."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(CHUNKED_HEAD + chunk(b"good"))
    up = origin.accept()
    body = up.request_body(up.head())
    body.until(b"good")
    try:
        client.send(bad.data)
    except OSError:
        pass
    head = client.final_head()
    assert head.status == 400, head.raw
    assert "close" in head.tokens("connection"), head.raw
    client.wait_end(1.0)
    up.wait_end(1.0)
    body.pump(0)
    assert not body.complete, "the broken body was completed upstream"
    assert b"evil" not in up.log
    record = relay.wait_log(event="end", ended_by="refused")
    assert bad.reasons is None or record["reason"] in bad.reasons, record
    origin.no_connection(0.02)


@pytest.mark.parametrize(
    "bad", [r for r in ROWS if r.row in ("A2", "A16", "B1", "B2", "B3", "C9", "C12")], ids=row_id
)
def test_refused_byte_by_byte(gate, bad):
    """The same verdict when every byte comes alone."""
    refuse(gate, None, bad.statuses, bad.reasons, pieces=[bad.data[i : i + 1] for i in range(len(bad.data))])


def test_one_byte_chunks_without_end(rig):
    """A28: a million chunks of one byte cost six times their payload: 400 when the overhead passes 100 KB, or carried
    in full; never a second request, and the memory stays flat."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(CHUNKED_HEAD)
    up = origin.accept()
    body = up.request_body(up.head())
    rss = relay.rss_kib()
    data, sent = b"1\r\nx\r\n" * 4096, 0
    while sent < 245 and not client.end:
        try:
            client.send(data)
        except OSError:
            break
        sent += 1
        while up.fill(0):
            pass
        body.pump(0)
        client.fill(0)
    assert grown(relay, rss, 2048)
    if client.end or client.buf:
        assert client.final_head().status == 400
        up.wait_end(1.0)
        assert not body.complete
    else:
        client.send(b"0\r\n\r\n")
        assert len(body.to_end(20)) == sent * 4096
        up.send(OK)
        assert client.response()[0].status == 200


def test_many_chunks_with_long_extensions(rig):
    """A28: ten thousand chunks with extensions of 250 bytes: refused once they are 100 KB more than the payload."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(CHUNKED_HEAD)
    up = origin.accept()
    body = up.request_body(up.head())
    try:
        for _ in range(100):
            client.send((b"1;a=" + b"b" * 240 + b"\r\nx\r\n") * 100)
            up.fill(0)
            client.fill(0)
            if client.buf:
                break
    except (OSError, NotInTime):
        pass
    assert client.final_head().status == 400
    up.wait_end(1.0)
    while body.pump(0):
        pass
    assert not body.complete


def test_ten_thousand_trailers(rig):
    """A29: bounded, and none becomes a field of the head."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(CHUNKED_HEAD + b"5\r\nhello\r\n0\r\n")
    try:
        client.send(b"".join(b"X-%d: y\r\n" % i for i in range(10_000)) + b"\r\n")
    except OSError:
        pass
    assert client.final_head().status == 400
    client.wait_end(1.0)
    assert all(b"X-9999" not in c.log for c in origin.conns)
