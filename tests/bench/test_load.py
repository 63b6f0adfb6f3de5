"""`origin` and `load` by themselves: what the origin says and writes down, and what the load says when it cannot go on."""

import json
import os
import re
import socket
import ssl
import subprocess
import time
import urllib.request

import pytest
from lib.proc import wait_for


class Origin:
    def __init__(self, bench, *args):
        self.p = subprocess.Popen([bench, "origin", "--listen", "127.0.0.1:0", *args], stderr=subprocess.PIPE, text=True)
        self.port = int(re.search(r"listening on \S+:(\d+)", self.p.stderr.readline())[1])

    def connect(self, query):
        s = socket.create_connection(("127.0.0.1", self.port), 5)
        s.sendall(f"GET /events?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return s

    def closes(self):
        return dict(json.load(urllib.request.urlopen(f"http://127.0.0.1:{self.port}/closes", timeout=5)))

    def close(self):
        self.p.terminate()
        self.p.wait(10)


@pytest.fixture(scope="module")
def plain(bench):
    o = Origin(bench, "--rate", "20")
    yield o
    o.close()


@pytest.fixture(scope="module")
def tls(bench):
    o = Origin(bench, "--rate", "20", "--tls")
    yield o
    o.close()


def cpu_ticks(pid):
    """User and system time in hundredths of a second."""
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def load(bench, to, *args):
    argv = [bench, "load", "--to", to, "--streams", "10", "--seconds", "0.5", "--warmup", "0.1", "--json", *args]
    p = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    return p.returncode, (json.loads(p.stdout) if p.stdout else None), p.stderr


def test_hello_comes_with_the_head(plain):
    with plain.connect("rate=0&hello=1") as s:
        got = b""
        while not got.endswith(b"3\r\n:\n\n\r\n"):
            piece = s.recv(4096)
            assert piece, got
            got += piece
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")


def test_closes_of_tagged_streams(plain):
    before = time.monotonic_ns()
    with plain.connect("rate=0&tag=77") as s, plain.connect("rate=0"):
        assert s.recv(4096).startswith(b"HTTP/1.1 200")
        assert 77 not in plain.closes()
        mid = time.monotonic_ns()
    closes = wait_for(lambda: (lambda c: c if 77 in c else None)(plain.closes()), 5, why="the tagged stream's close")
    assert set(closes) == {77} and before < mid <= closes[77] <= time.monotonic_ns()


def test_one_cipher_and_http11(tls):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", tls.port), 5) as raw, context.wrap_socket(raw, server_hostname="localhost") as s:
        assert s.version() == "TLSv1.3" and s.cipher()[0] == "TLS_AES_128_GCM_SHA256"
        assert s.selected_alpn_protocol() == "http/1.1"
        s.sendall(b"GET /events?n=3&rate=100 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b""
        while piece := s.recv(4096):
            got += piece
    assert got.count(b"data: ") == 3 and got.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("how", ["plain", "tls"])
def test_load(bench, how, request):
    origin = request.getfixturevalue(how)
    scheme = "https" if how == "tls" else "http"
    status, out, err = load(bench, f"{scheme}://127.0.0.1:{origin.port}/events")
    assert status == 0, (out, err)
    assert out["opened"] == 10 and out["connect_ns"]["count"] == 10 and out["head_ns"]["count"] == 10
    assert 0 < out["connect_ns"]["p50"] <= out["head_ns"]["max"] and out["events"] > 0


def test_many_processes_are_one_origin(bench):
    """Connections are dealt out to three; whoever is asked knows what all of them count."""
    o = Origin(bench, "--rate", "20", "--processes", "3")
    try:
        status, out, err = load(bench, f"http://127.0.0.1:{o.port}/events", "--streams", "60", "--processes", "2")
        assert status == 0 and out["opened"] == 60, (out, err)
        for _ in range(5):
            told = json.load(urllib.request.urlopen(f"http://127.0.0.1:{o.port}/json", timeout=5))
            assert told["streams_ever"] == 60 and told["events"] >= out["events"]
        children = [int(x) for x in open(f"/proc/{o.p.pid}/task/{o.p.pid}/children", encoding="ascii").read().split()]
        assert len(children) == 2
    finally:
        o.close()
    assert not [p for p in children if os.path.exists(f"/proc/{p}")]


def test_without_file_descriptors_it_waits(bench):
    """Who comes too many is accepted when somebody has gone; meanwhile the origin does not spin."""
    # Root may raise a limit again, nobody may not.
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"] if os.geteuid() == 0 else []
    argv = ["prlimit", "--nofile=24:24", "--", *nobody, bench, "origin", "--listen", "127.0.0.1:0", "--rate", "0"]
    p = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    port = int(re.search(r"listening on \S+:(\d+)", p.stderr.readline())[1])
    socks = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(40)]
    try:
        assert "no more file descriptors" in p.stderr.readline()
        before = cpu_ticks(p.pid)
        time.sleep(0.5)
        assert cpu_ticks(p.pid) - before < 25  # half of that time
        for s in socks[:-1]:
            s.close()
        socks[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        socks[-1].settimeout(10)
        assert socks[-1].recv(4096).startswith(b"HTTP/1.1 200")
    finally:
        for s in socks:
            s.close()
        p.terminate()
        p.wait(10)


@pytest.mark.parametrize("how,says", [("plain", "is this HTTP/2?"), ("tls", "application protocol")])
def test_no_http2_there(bench, how, says, request):
    origin = request.getfixturevalue(how)
    scheme = "https" if how == "tls" else "http"
    status, out, _ = load(bench, f"{scheme}://127.0.0.1:{origin.port}/events", "--http", "2")
    assert status == 1 and out["failed"] == 10 and says in out["first_failure"]


def test_wrong_command_lines(bench):
    p = subprocess.run([bench, "load", "--to", "http://127.0.0.1:1/", "--streams-per-connection", "2"], capture_output=True, text=True)
    assert p.returncode == 2 and "--streams-per-connection: allowed: 1 with HTTP/1.1" in p.stderr
    p = subprocess.run([bench, "origin", "--listen", "127.0.0.1:0", "--cert", "/dev/null"], capture_output=True, text=True)
    assert p.returncode == 1 and "a PEM file with a certificate and its key" in p.stderr
