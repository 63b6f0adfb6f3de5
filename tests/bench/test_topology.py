"""`compare --topology remote`: three namespaces, the events really cross them, and nothing of them stays."""

import contextlib
import glob
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import pytest
from lib.proc import wait_for

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made as root")
TINY = ["--streams", "10", "--rate", "20", "--rounds", "1", "--seconds", "1", "--warmup", "0.3"]


def compare(bench, *args):
    return [bench, "compare", *TINY, *args]


def namespaces():
    """Network namespace of every process, by pid."""
    out = {}
    for path in glob.glob("/proc/[0-9]*/ns/net"):
        try:
            out[int(path.split("/")[2])] = os.readlink(path)
        except OSError:
            pass  # it has ended
    return out


def tree(pid):
    """The process and all below it."""
    parents = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="ascii", errors="replace") as f:
                text = f.read()
        except OSError:
            continue
        parents[int(text.split()[0])] = int(text.rsplit(")", 1)[1].split()[1])
    found = {pid}
    while True:
        more = {p for p, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


@needs_root
def test_remote_run(bench, tmp_path):
    path = tmp_path / "out.json"
    p = subprocess.run(compare(bench, "--topology", "remote", "--contenders", "none,sluice-copy", "--json", path), capture_output=True,
                       text=True, timeout=50)  # fmt: skip
    assert p.returncode == 0, p.stderr
    assert "network namespaces" in p.stdout
    out = json.loads(path.read_text())
    assert out["settings"]["topology"] == "remote"
    assert {c["name"] for c in out["contenders"]} == {"none", "sluice-copy"}
    for c in out["contenders"]:
        (run,) = c["rounds"]
        assert c["left_out"] == "" and run["wrong"] == 0
        assert 150 < run["events_per_s"] < 250 and run["latency_p50"] > 0
    relay = next(c for c in out["contenders"] if c["name"] == "sluice-copy")["rounds"][0]
    assert relay["cpu_contender"] > 0 and relay["cpu_machine"] > relay["cpu_contender"] + relay["cpu_origin"]


@needs_root
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_after_a_signal(bench, sig):
    p = subprocess.Popen(compare(bench, "--topology", "remote", "--contenders", "sluice-copy", "--seconds", "30"),
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    own = os.readlink("/proc/self/ns/net")

    def places():
        """Client (the program and its load), relay and origin: three namespaces, none of them ours."""
        pids, all_of_them = tree(p.pid), namespaces()
        return {n: [q for q in pids if all_of_them.get(q) == n] for n in {all_of_them.get(q) for q in pids} - {None, own}}

    def folders():
        """Where the children's output goes."""
        out = set()
        for pid in tree(p.pid) - {p.pid}:
            with contextlib.suppress(OSError):
                out.add(os.path.dirname(os.readlink(f"/proc/{pid}/fd/1")))
        return {f for f in out if os.path.basename(f).startswith("sluice-bench.")}

    try:
        made = wait_for(lambda: (lambda m: m if len(m) == 3 and len(m[namespaces().get(p.pid)]) > 1 else None)(places()), 20,
                        step=0.1, why="three namespaces and a load")  # fmt: skip
        used = folders()
    finally:
        p.send_signal(sig)
        p.wait(20)
    wait_for(lambda: not set(made) & set(namespaces().values()), 10, step=0.1, why="the namespaces' last processes end")
    assert used
    for folder in used:
        if sig == signal.SIGKILL:
            shutil.rmtree(folder)  # nobody was left to do it
        assert not os.path.exists(folder)


def test_wrong_topology_is_refused(bench):
    p = subprocess.run(compare(bench, "--topology", "lunar"), capture_output=True, text=True, timeout=10)
    assert p.returncode == 2
    assert "--topology: allowed: local remote; found: lunar" in p.stderr


def test_without_rights_the_reason_is_said(bench):
    if os.geteuid() == 0:
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    else:
        argv = []
    p = subprocess.run(argv + compare(bench, "--topology", "remote"), capture_output=True, text=True, timeout=10)
    assert p.returncode == 1
    assert "made as root" in p.stderr


def test_progress_bar_on_a_terminal_only(bench):
    argv = compare(bench, "--contenders", "none", "--no-pin")
    quiet = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert quiet.returncode == 0 and "[#" not in quiet.stderr and "\r" not in quiet.stderr
    main, terminal = pty.openpty()
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=terminal, env={**os.environ, "TERM": "xterm"})
    os.close(terminal)
    seen, stop = b"", time.monotonic() + 30
    while time.monotonic() < stop:
        if select.select([main], [], [], 0.5)[0]:
            try:
                seen += os.read(main, 65536)
            except OSError:
                break  # the other end is closed
    os.close(main)
    assert p.wait(10) == 0
    shares = [m.count(b"#") for m in re.findall(rb"\[([#.]{20})\] round 1 of 1, none: ", seen)]
    assert len(shares) > 5 and shares == sorted(shares) and shares[-1] > 15
    assert re.search(rb"measuring; about \d+ s left", seen)
