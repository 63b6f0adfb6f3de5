"""A stream through the relay, seen from both ends at once: what the origin's socket was given, and what came out."""

import json
import os
import select
import subprocess
import time

from lib.relay import BIN
from lib.wire import TIMEOUT, event_request

from kit.body import assert_same

SLOTS = 4096  # of a relay; the maps are as big as that
CTL = os.path.join(os.path.dirname(BIN), "sluicectl")


def start(rig, origin, route=None, lane="splice", **top):
    """A relay whose streams go to the kernel where they can."""
    return rig.relay(origin, lane=lane, max_streams=top.pop("max_streams", SLOTS), route=route, **top)


def sluicectl(relay, *verb):
    """What the operator's tool says, read as JSON."""
    out = subprocess.run([CTL, "--admin", relay.admin_path, "--json", *verb], stdout=subprocess.PIPE, timeout=10, check=True).stdout
    return json.loads(out)


def pins(relay):
    return "/sys/fs/bpf/sluice/" + relay.config["instance"]


def flows(relay):
    """The kernel's records of streams that had bytes, by bpftool: a list of dicts."""
    out = subprocess.run(["bpftool", "-j", "map", "dump", "pinned", pins(relay) + "/flows"], stdout=subprocess.PIPE, timeout=20, check=True)
    records = [row.get("formatted", row)["value"] for row in json.loads(out.stdout)]
    return [r for r in records if r["cookie"]]


def ends(relay, n, timeout=TIMEOUT):
    """The last records of n streams, in the order of their requests."""
    relay.wait_log(n, timeout, event="end")
    return sorted(relay.log(event="end"), key=lambda r: r["id"])


class Carried:
    """An open stream. `sent`: raw body bytes that the origin's socket took; `log`: raw body bytes at the client."""

    def __init__(self, relay, client, up, head):
        self.relay, self.client, self.up, self.head = relay, client, up, head
        self.body = client.response_body(head)
        self.mark = len(client.log) - len(client.buf)
        self.sent = bytearray()
        self.id = None

    @property
    def log(self):
        return bytes(self.client.log[self.mark :])

    def come(self):
        return len(self.client.log) - self.mark

    def record(self):
        """The live record, None when it has ended."""
        port = self.client.sock.getsockname()[1]
        for r in self.relay.admin("streams"):
            if r["client"].endswith(f":{port}"):
                self.id = r["id"]
                return r
        return None

    def on(self, lane, timeout=TIMEOUT):
        """Waits until the stream is on that lane; returns its record."""
        stop = time.monotonic() + timeout
        while True:
            r = self.record()
            if r and r["lane"] == lane:
                return r
            assert time.monotonic() < stop, f"not on lane {lane} in {timeout} s: {r}"
            time.sleep(0.002)

    def counted(self, events, timeout=1.0):
        """The live record once it says so many events. Copying, the relay sends first and counts then, so that a look in between
        sees fewer; a count that is wrong stays wrong, and fails."""
        stop = time.monotonic() + timeout
        while True:
            r = self.record()
            if r and r["events"] == events:
                return r
            assert time.monotonic() < stop, f"{events} events were sent: {r}"
            time.sleep(0.001)

    def write(self, raw, timeout=TIMEOUT):
        """All of it into the origin's socket, in one write where it fits."""
        self.up.send(raw, timeout)
        self.sent += raw

    def arrive(self, timeout=TIMEOUT):
        """Waits until all that was sent is there, and is the same."""
        stop = time.monotonic() + timeout
        while self.come() < len(self.sent) and time.monotonic() < stop and not self.client.end:
            self.client.fill(stop - time.monotonic())
        assert_same(self.log, bytes(self.sent), "raw body")

    def carry(self, raw, take=None, piece=None, timeout=20.0):
        """Sends `raw` while the client reads, until all of it has come. `take(seconds, come)` says how many bytes the client may
        read now (0: it stalls); `piece`: bytes of one write."""
        view, at, began = memoryview(raw), 0, time.monotonic()
        want = len(self.sent) + len(raw)
        while self.come() < want:
            now = time.monotonic() - began
            assert now < timeout, f"{self.come()} of {want} bytes in {timeout} s (origin wrote {at} of {len(raw)}); {self.record()}"
            may = take(now, self.come()) if take else 262144
            writers = [self.up.sock] if at < len(raw) else []
            readers = [self.client.sock] if may else []
            r, w, _ = select.select(readers, writers, [], 0.001 if not may else 0.2)
            if w:
                at += self.up.send_some(view[at : at + (piece or 262144)])
                assert not self.up.end, f"the relay left after {at} bytes: {self.up.end}"
            if r:
                self.client.fill(0, most=may)
                assert not self.client.end, f"the stream ended ({self.client.end}) after {self.come()} of {want} bytes"
        self.sent += raw
        assert_same(self.log, bytes(self.sent), "raw body")

    def finish(self, raw=b"0\r\n\r\n"):
        """The body's end, and its line in the access log."""
        self.write(raw)
        self.body.to_end(5)
        assert self.body.complete, self.body.how()
        assert_same(self.log[: len(self.sent)], bytes(self.sent), "raw body")  # an answer to a pipelined request may be behind it
        return self.ended()

    def ended(self, timeout=TIMEOUT):
        """The stream's last record."""
        assert self.id is not None, "its record was never looked at"
        return self.relay.wait_log(event="end", id=self.id, timeout=timeout)


def opened(rig, relay, origin, data=None, head=None, client=None, up=None, lane="splice", **kw):
    """A stream on a new client connection (or on `client`), its head through, and in the kernel's hands."""
    client = client or rig.connect(relay.addr, **kw)
    client.send(data or event_request())
    up = up or origin.accept()
    up.request()
    if head:
        up.send(head)
    else:
        up.stream_head()
    stream = Carried(relay, client, up, client.final_head())
    assert stream.head.status == 200, stream.head.raw
    if lane:
        stream.on(lane)
    return stream
