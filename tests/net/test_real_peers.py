"""Programs that people really put on either side: curl, Node, Express, uvicorn, the eventsource client, sluice-bench."""

import json
import os
import subprocess

import pytest
from lib.proc import Child
from lib.relay import BENCH
from lib.sse import Stream
from lib.wire import request


def curl(*args, timeout=20):
    out = subprocess.run(["curl", "-sS", "-m", "15", *args], capture_output=True, timeout=timeout, check=False)
    assert out.returncode == 0, out.stderr.decode()
    return out.stdout


@pytest.mark.parametrize("name", ["node", "express", "uvicorn"])
def test_curl_reads_a_stream(rig, name):
    peer = rig.peer(name)
    relay = rig.relay(peer)
    events = Stream(curl("-N", "-H", "Accept: text/event-stream", f"{relay.url}/events?n=20&gap=5")).events
    assert [json.loads(e.data)["seq"] for e in events] == list(range(20))
    assert [e.id for e in events] == [str(i) for i in range(20)]


@pytest.mark.parametrize("name", ["node", "express", "uvicorn"])
@pytest.mark.parametrize("size", [0, 10, 100_000, 3_000_000])
def test_curl_posts_and_reads_back(rig, name, size, tmp_path):
    blob = os.urandom(size)
    (tmp_path / "blob").write_bytes(blob)
    relay = rig.relay(rig.peer(name))
    got = curl("--data-binary", f"@{tmp_path}/blob", "-H", "Content-Type: application/octet-stream", f"{relay.url}/echo")
    assert got == blob


def test_curl_uploads_chunked(rig, tmp_path):
    blob = os.urandom(500_000)
    (tmp_path / "blob").write_bytes(blob)
    relay = rig.relay(rig.peer("node"))
    assert curl("-H", "Transfer-Encoding: chunked", "-T", f"{tmp_path}/blob", f"{relay.url}/echo") == blob


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
def test_curl_versions_and_methods(rig, version):
    relay = rig.relay(rig.peer("node"))
    assert json.loads(curl(version, f"{relay.url}/json?a=b"))["url"] == "/json?a=b"
    head = curl(version, "-I", f"{relay.url}/json").decode()
    assert head.startswith("HTTP/1.1 200") and "content-length" in head.lower()
    assert curl(version, "-o", "/dev/null", "-w", "%{http_code}", f"{relay.url}/empty") == b"204"
    assert curl(version, "-o", "/dev/null", "-w", "%{http_code}", f"{relay.url}/nowhere") == b"404"


def test_curl_keeps_its_connection(rig):
    relay = rig.relay(rig.peer("node"))
    out = curl("-w", "%{num_connects} ", "-o", "/dev/null", *[f"{relay.url}/json"] * 1, "-o", "/dev/null", f"{relay.url}/json")
    assert out.split() == [b"1", b"0"]


def test_early_hints_of_node(rig):
    client = rig.connect(rig.relay(rig.peer("node")).addr)
    client.send(request(target="/early"))
    hints = client.head()
    assert hints.status == 103 and "</style.css>" in hints.get("link")
    assert client.response()[1] == b"late"


def test_eventsource_reconnects_with_last_event_id(rig):
    """The origin ends after five events: the client comes back, says where it was, and goes on."""
    peer = rig.peer("node")
    relay = rig.relay(peer)
    client = rig.eventsource(f"{relay.url}/events?n=5&gap=10&retry=50", 15)
    client.wait_record("done", timeout=20)
    assert [r["id"] for r in client.records("message")] == [str(i) for i in range(15)]
    assert [r["last_event_id"] for r in peer.records("open")[:3]] == [None, "4", "9"]


def test_eventsource_survives_an_origin_that_breaks_off(rig):
    """Truncated in mid-event: the half event is never shown, and the client comes back."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.eventsource(relay.url + "/events")
    up = origin.accept(15)
    up.request()
    up.stream_head()
    up.part(b"retry: 50\n\nid: 1\ndata: whole\n\nid: 2\ndata: half")
    client.wait_record("message")
    up.rst()
    up = origin.accept(10)
    assert up.request().get("last-event-id") == "1"
    up.stream_head()
    up.event("again", id=3)
    client.wait_record("message", 2)
    assert [r["data"] for r in client.records("message")] == ["whole", "again"]


def test_json_beside_a_stream(rig):
    """Seed 4: the rest of /api keeps working as it did."""
    peer = rig.peer("express")
    relay = rig.relay(peer)
    client = rig.connect(relay.addr)
    client.send(request(target="/events?n=0", fields=(("Accept", "text/event-stream"),)))
    client.final_head()
    assert json.loads(curl(f"{relay.url}/json")) == {"ok": True}


def test_bench_watch_sees_events_through_the_relay(rig):
    """What `make demo` does, in small."""
    if not os.access(BENCH, os.X_OK):
        pytest.skip(f"{BENCH} is not built")
    origin = rig._keep(Child([BENCH, "origin", "--listen", "127.0.0.1:0", "--rate", "50"]))
    address = origin.wait_line(r"127\.0\.0\.1:\d+", 10).group(0)
    relay = rig.relay(address)
    out = subprocess.run(
        [BENCH, "watch", "--to", f"{relay.url}/events", "--events", "10"], capture_output=True, timeout=20, check=False
    )
    assert out.returncode == 0, out.stderr
    assert relay.wait_log(event="end")["events"] >= 10
