#!/usr/bin/python3
"""10,000 streams through sluice under valgrind, opened and closed in every way; then: is anything lost?

    /usr/bin/python3 tests/net/leak_valgrind.py [--streams 10000] [--seconds 170]

Exit 0: no byte definitely or indirectly lost, no invalid read or write, in the master and in the worker. 1: something was.
77: valgrind is not installed, or the build is an ASan one. Takes about 20 s; --seconds bounds it: what was not opened in
time is a failure, not a shorter test.
"""

import argparse
import glob
import os
import re
import shutil
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from lib.origin import OK, Origin  # noqa: E402
from lib.proc import Child  # noqa: E402
from lib.relay import BIN, LANE, instance_name, sanitized, write_config  # noqa: E402
from lib.wire import LAST_CHUNK, chunk, connect, event_request, request  # noqa: E402

BATCH = 50  # streams open at a time
PATIENCE = 30.0  # s: everything is some forty times slower in there
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


def open_streams(addr, origin, n, data):
    """n clients with their request sent, and the origin's side of each."""
    clients = [connect(addr, PATIENCE) for _ in range(n)]
    for client in clients:
        client.send(data)
    ups = [origin.accept(PATIENCE) for _ in range(n)]
    for up in ups:
        up.request(PATIENCE)
    return clients, ups


def close_all(wires):
    for wire in wires:
        wire.close()


def client_leaves(addr, origin, n):
    """A few events, then the client is gone."""
    clients, ups = open_streams(addr, origin, n, event_request())
    for up in ups:
        up.send(HEAD + chunk(b"data: 1\n\n"))
    for client in clients:
        client.until(b"data: 1\n\n", PATIENCE)
    close_all(clients)
    for up in ups:
        up.wait_end(PATIENCE)
    close_all(ups)


def client_leaves_before_the_head(addr, origin, n):
    clients, ups = open_streams(addr, origin, n, event_request())
    for client in clients:
        client.rst()
    for up in ups:
        up.wait_end(PATIENCE)
    close_all(ups)


def upstream_completes(addr, origin, n):
    clients, ups = open_streams(addr, origin, n, event_request("/feed?token=x"))
    for up in ups:
        up.send(HEAD + chunk(b"data: 1\n\n") + chunk(b"data: 2\n\n") + LAST_CHUNK)
    for client in clients:
        client.response(timeout=PATIENCE)
    close_all(clients + ups)


def upstream_breaks_off(addr, origin, n):
    clients, ups = open_streams(addr, origin, n, event_request())
    for up in ups:
        up.send(HEAD + chunk(b"data: 1\n\n") + b"20\r\ndata: half")
    for client in clients:
        client.until(b"half", PATIENCE)
    for up in ups:
        up.rst()
    for client in clients:
        client.wait_end(PATIENCE)
    close_all(clients)


def upstream_lies(addr, origin, n):
    clients, ups = open_streams(addr, origin, n, event_request())
    for up in ups:
        up.send(b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n")
    for client in clients:
        assert client.final_head(PATIENCE).status == 502
    close_all(clients + ups)


def slow_client(addr, origin, n):
    """More than socket buffers hold, then the client leaves with it unread: backlogs are freed."""
    n = max(1, n // 10)
    clients, ups = open_streams(addr, origin, n, event_request("/drop"))
    for up in ups:
        up.send(HEAD)
        block = chunk(b"data: " + b"x" * 8000 + b"\n\n")
        for _ in range(20):
            up.send_some(block)
    time.sleep(0.05)
    for client in clients:
        client.rst()
    for up in ups:
        up.wait_end(PATIENCE)
    close_all(ups)
    return n


def chat(addr, origin, n):
    """A POST with a chunked body, answered by a stream."""
    data = event_request("/chat", (("Transfer-Encoding", "chunked"),), "POST") + chunk(b"prompt") + LAST_CHUNK
    clients, ups = open_streams(addr, origin, n, data)
    for up in ups:
        up.send(HEAD + chunk(b"data: token\n\n") + LAST_CHUNK)
    for client in clients:
        client.response(timeout=PATIENCE)
    close_all(clients + ups)


def refused(addr, _, n):
    clients = [connect(addr, PATIENCE) for _ in range(n)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n")
    for client in clients:
        assert client.final_head(PATIENCE).status == 400
    close_all(clients)


def kept_alive(addr, origin, n):
    """Requests one behind the other on one connection."""
    client = connect(addr, PATIENCE)
    up = None
    for i in range(n):
        client.send(request(target=f"/{i}"))
        if up is None or not up.fill(PATIENCE / 10 if i else 0):
            up = origin.accept(PATIENCE)
        up.request(PATIENCE)
        up.send(OK)
        client.response(timeout=PATIENCE)
    close_all([client, up])


MODES = [
    client_leaves, upstream_completes, client_leaves_before_the_head, chat, upstream_breaks_off, upstream_lies, refused,
    slow_client, kept_alive,
]  # fmt: skip


def run(streams, seconds, directory):
    origin = Origin()
    conf = {
        "instance": instance_name(directory),
        "admin": os.path.join(directory, "admin.sock"),
        "workers": 1,
        "lane": LANE,
        "drain": "100ms",
        "log": {"access": os.path.join(directory, "access.log")},
        "listeners": [{"listen": "127.0.0.1:0"}],
        "upstreams": [{"name": "app", "servers": [{"address": origin.address}]}],
        "routes": [
            {"name": "drop", "path": "/drop", "upstream": "app", "slow": {"policy": "drop", "bytes": "16KiB"}},
            {"name": "all", "upstream": "app"},
        ],
    }
    child = Child(
        ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect", "--num-callers=25",
         f"--suppressions={HERE}/valgrind.supp", f"--log-file={directory}/valgrind.%p", "--child-silent-after-fork=no", "-v",
         BIN, "run", "--config", write_config(directory, conf)]
    )  # fmt: skip
    try:
        match = child.wait_line(r"listening on ([\d.]+):(\d+)", 60)
        addr = (match.group(1), int(match.group(2)))
        began, done, turn = time.monotonic(), 0, 0
        while done < streams:
            if time.monotonic() - began > seconds:
                raise AssertionError(f"only {done} of {streams} streams in {seconds} s")
            mode = MODES[turn % len(MODES)]
            try:
                done += mode(addr, origin, BATCH) or BATCH
            except AssertionError as e:
                raise AssertionError(f"{mode.__name__}, after {done} streams: {e}") from e
            origin.conns.clear()
            turn += 1
            # three failed heads in a row put a server to rest for a while: a good answer in between
            if mode in (upstream_breaks_off, upstream_lies):
                wait_until_served(addr, origin)
        took = time.monotonic() - began
        code = child.stop(signal.SIGTERM, 60)
        return done, took, code, child
    finally:
        if child.alive():
            child.kill()
        origin.close()


def wait_until_served(addr, origin):
    stop = time.monotonic() + PATIENCE
    while time.monotonic() < stop:
        client = connect(addr, PATIENCE)
        client.send(request(target="/well"))
        try:
            up = origin.accept(0.3)
        except AssertionError:
            client.close()
            continue
        up.request(PATIENCE)
        up.send(OK)
        client.response(timeout=PATIENCE)
        close_all([client, up])
        return
    raise AssertionError("the server was never used again")


def judge(directory):
    """What the reports of all processes say; returns the complaints."""
    bad = []
    reports = sorted(glob.glob(f"{directory}/valgrind.*"))
    assert reports, "valgrind wrote no report"
    for path in reports:
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
        for kind in ("definitely", "indirectly"):
            for lost in re.findall(rf"{kind} lost: ([\d,]+) bytes", text):
                if lost != "0":
                    bad.append(f"{os.path.basename(path)}: {kind} lost: {lost} bytes")
        faults = re.findall(r"ERROR SUMMARY: (\d+) errors", text)
        if faults and faults[-1] != "0":
            bad.append(f"{os.path.basename(path)}: {faults[-1]} errors")
        if bad:
            kept = [x for x in text.split("\n") if not re.search(r"Reading syms|redir|ld-\d|object doesn.t", x)]
            bad.append("\n".join(kept[-200:]))
    return bad, len(reports)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=170)
    args = parser.parse_args()
    if not shutil.which("valgrind"):
        print("leak_valgrind: valgrind is not installed: `make deps` brings it", file=sys.stderr)
        return 77
    if sanitized():
        print("leak_valgrind: valgrind and AddressSanitizer do not mix: LeakSanitizer judges this build", file=sys.stderr)
        return 77
    directory = tempfile.mkdtemp(prefix="sluice-leak-")
    os.chmod(directory, 0o755)
    try:
        done, took, code, child = run(args.streams, args.seconds, directory)
        bad, reports = judge(directory)
        if code != 0:
            bad.append(f"sluice ended with {code}:\n{child.text()}")
        if reports < 2:
            bad.append(f"{reports} reports: the worker's is missing")
        for line in bad:
            print(line)
        verdict = "LEAKS or errors" if bad else "nothing lost"
        print(f"leak_valgrind: {done} streams in {took:.0f} s, {reports} processes, {verdict}")
        return 1 if bad else 0
    except AssertionError as e:
        print(f"leak_valgrind: {e}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
