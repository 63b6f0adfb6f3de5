"""HTTP/2 clients that people really use: curl, nghttp, h2load."""

import re
import shutil
import subprocess
import time

import pytest
from lib.h2 import certificate, h2_relay
from lib.origin import answer, stream
from lib.proc import wait_for
from lib.sse import Stream

BLOB = bytes(range(256)) * 4000


def run(*argv, timeout=30, ok=True):
    if not shutil.which(argv[0]):
        pytest.skip(f"{argv[0]} is not installed: `make deps-test` brings it")
    p = subprocess.run(argv, capture_output=True, timeout=timeout, check=False)
    assert not ok or p.returncode == 0, p.stdout[-2000:] + p.stderr[-2000:]
    return p


def url(relay, tls, path=""):
    return f"{'https' if tls else 'http'}://{relay.addr[0]}:{relay.addr[1]}{path}"


def curl(tls, *args):
    return run("curl", "-sS", "-k", "-m", "20", "--http2" if tls else "--http2-prior-knowledge", *args).stdout


def echo(conn):
    """Gives back what was posted; /blob is a megabyte, /events a stream that ends."""
    while True:
        try:
            head = conn.request(60)
        except AssertionError:
            return
        if head.target == b"/events":
            conn.stream_head()
            for n in range(20):
                conn.event(n, id=n)
            conn.finish()
            continue
        body = BLOB if head.target == b"/blob" else head.payload
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % len(body) + body, timeout=20)


@pytest.fixture(scope="module", params=[True, False], ids=["tls", "h2c"])
def served(request, shared):
    return h2_relay(shared, shared.origin(echo), request.param), request.param


def test_curl_reads_a_stream(served):
    relay, tls = served
    out = curl(tls, "-N", "-w", "%{http_version}", "-H", "Accept: text/event-stream", url(relay, tls, "/events"))
    assert out.endswith(b"2")
    assert [e.data for e in Stream(out[:-1]).events] == [b"%d" % n for n in range(20)]


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_curl_posts_and_reads_back(served, tmp_path, size):
    relay, tls = served
    blob = (BLOB * 3)[:size]
    (tmp_path / "blob").write_bytes(blob)
    assert curl(tls, "--data-binary", f"@{tmp_path}/blob", url(relay, tls, "/echo")) == blob
    assert curl(tls, "-T", f"{tmp_path}/blob", "-H", "Content-Length:", url(relay, tls, "/echo")) == blob


def test_curl_head_of_a_silent_stream(shared):
    """--max-time ends it; the head was there long before."""
    for tls in (True, False):
        relay = h2_relay(shared, shared.origin(stream(0)), tls)
        began = time.monotonic()
        p = run("curl", "-sS", "-k", "-i", "-N", "-m", "1", "--http2" if tls else "--http2-prior-knowledge", url(relay, tls, "/events"), ok=False)
        assert p.returncode == 28 and p.stdout.startswith(b"HTTP/2 200"), p
        assert time.monotonic() - began < 3


def test_nghttp(served):
    """Several requests at once, with -v telling the frames; settings as they are meant."""
    relay, tls = served
    out = run("nghttp", "-v", "--no-dep", *[url(relay, tls, p) for p in ("/blob", "/events", "/a", "/b")], timeout=20).stdout.decode("latin-1")
    assert out.count(":status: 200") == 4
    assert re.search(r"SETTINGS_MAX_CONCURRENT_STREAMS\(0x03\):250", out)
    assert "recv RST_STREAM" not in out and "Some requests were not processed" not in out


def test_nghttp_multiplies_a_download(served):
    """-m: twenty megabytes on twenty streams of one connection, byte-exact by its own count."""
    relay, tls = served
    out = run("nghttp", "-s", "-n", "-m", "20", url(relay, tls, "/blob"), timeout=30).stdout.decode()
    assert len(re.findall(r" 200 +1000K| 200 +1M| 200 +\d+K? /blob", out)) >= 20, out


def test_h2load(served):
    relay, tls = served
    out = run("h2load", "-n", "3000", "-c", "10", "-m", "30", url(relay, tls, "/x"), timeout=60).stdout.decode()
    assert "3000 total, 3000 started, 3000 done, 3000 succeeded, 0 failed, 0 errored, 0 timeout" in out, out
    assert "2xx" in out and "3000 2xx" in out, out


def test_h2load_with_small_windows(served):
    """Windows of 2^10 - 1 bytes: many short DATA frames, and no abuse."""
    relay, tls = served
    out = run("h2load", "-n", "20", "-c", "2", "-m", "5", "-w", "14", "-W", "16", url(relay, tls, "/blob"), timeout=60).stdout.decode()
    assert "20 succeeded, 0 failed" in out, out


def test_h2load_of_event_streams(rig):
    """200 event streams on 4 connections; all of them end when the client is ended."""
    relay = h2_relay(rig, rig.origin(stream(None, gap=0.05)), True)
    if not shutil.which("h2load"):
        pytest.skip("h2load is not installed: `make deps-test` brings it")
    with subprocess.Popen(["h2load", "-n", "200", "-c", "4", "-m", "50", url(relay, True, "/events")], stdout=subprocess.DEVNULL) as p:
        try:
            wait_for(lambda: relay.admin("totals")["streams_now"] == 200, 10, why="200 streams")
        finally:
            p.kill()
    wait_for(lambda: relay.admin("totals")["streams_now"] == 0, 5, why="no stream")
    assert relay.admin("totals")["ended"]["client"] == 200


def test_certificate_is_checked_by_curl(rig):
    """No -k: the chain that the listener shows is the one that was configured."""
    relay = h2_relay(rig, rig.origin(answer()), True)
    cert, _ = certificate(rig.directory)
    out = run("curl", "-sS", "-m", "10", "--http2", "--cacert", cert, "--resolve", f"test.example:{relay.addr[1]}:127.0.0.1",
              f"https://test.example:{relay.addr[1]}/").stdout  # fmt: skip
    assert out == b"ok"
