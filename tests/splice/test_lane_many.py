"""A thousand streams at once in the kernel's hands, judged by sluice-bench: order and loss of every event of every stream."""

import json
import re
import subprocess

import pytest
from lib.proc import Child, wait_for
from lib.relay import BENCH

from kit.stream import start

STREAMS, SECONDS, RATE = 1000, 60, 10


@pytest.mark.timeout(SECONDS + 60)
def test_a_thousand_streams(rig):
    origin = rig._keep(Child([BENCH, "origin", "--listen", "127.0.0.1:0", "--rate", str(RATE), "--size", "200"]))
    port = wait_for(lambda: re.search(r"127\.0\.0\.1:(\d+)", origin.text()), 10, why="origin").group(1)
    relay = start(rig, f"127.0.0.1:{port}", workers=2)
    load = subprocess.Popen(
        [BENCH, "load", "--to", relay.url + "/events", "--streams", str(STREAMS), "--seconds", str(SECONDS), "--warmup", "3", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        wait_for(lambda: len([r for r in relay.admin("streams") if r["lane"] == "splice"]) == STREAMS, 20, step=0.3, why="all spliced")
        out, err = load.communicate(timeout=SECONDS + 30)
    finally:
        if load.poll() is None:
            load.kill()
            load.wait()
    assert load.returncode == 0, err.decode()
    got = json.loads(out)
    print(json.dumps(got))
    assert got["opened"] == STREAMS and got["events"] >= 0.98 * STREAMS * SECONDS * RATE, got
    bad = {k: got[k] for k in ("failed", "ended_early", "silent", "lost", "repeated", "damaged", "comments")}
    assert not any(bad.values()), got
    wait_for(lambda: not relay.admin("streams"), 10, why="all have ended")
    totals = relay.admin("totals")
    assert totals["spliced_bytes"] > 0.95 * STREAMS * SECONDS * RATE * 200, totals
    assert totals["watchdogs"] == 0 and totals["ended"]["internal"] == 0, totals
    assert totals["ended"]["client"] == STREAMS, totals
