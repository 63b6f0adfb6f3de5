"""The daemon around the lane: pins and their owner, workers that die, and what an operator sees in the maps."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest
from lib.proc import children, wait_for
from lib.relay import Relay
from lib.wire import chunk, event_request

from kit.stream import flows, opened, pins, start

MAPS = {"about", "certs", "counters", "ctl", "flows", "notes", "servers", "slots", "source", "target", "totals"}


def again(rig, relay):
    """A second `sluice run` of the same instance, with a socket of its own."""
    conf = dict(relay.config, admin=os.path.join(rig._new_directory(), "admin.sock"))
    conf["log"] = {"access": os.path.join(os.path.dirname(conf["admin"]), "access.log")}
    return rig.run(conf, wait=False)


def test_pins_are_there_private_and_gone_after_a_clean_stop(rig):
    origin = rig.origin()
    relay = start(rig, origin)
    directory = pins(relay)
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    assert set(os.listdir(directory)) == MAPS
    for name in MAPS:
        info = os.stat(os.path.join(directory, name))
        assert stat.S_IMODE(info.st_mode) == 0o600 and info.st_uid == 0, name
    s = opened(rig, relay, origin)
    s.write(chunk(b"data: x\n\n"))
    s.arrive()
    relay.quit()
    assert not os.path.exists(directory)
    assert not [n for n in os.listdir(os.path.dirname(directory)) if relay.config["instance"] in n]


def test_a_second_daemon_of_the_instance_refuses(rig):
    """With a clear word, and the first one's streams do not notice."""
    origin = rig.origin()
    relay = start(rig, origin)
    s = opened(rig, relay, origin)
    s.write(chunk(b"data: 1\n\n"))
    s.arrive()
    second = again(rig, relay)
    second.checked = True
    assert second.wait(10) != 0
    said = second.text()
    assert pins(relay) in said and str(relay.pid) in said and "--instance" in said, said
    assert set(os.listdir(pins(relay))) == MAPS
    s.write(chunk(b"data: 2\n\n"))
    s.arrive()
    assert s.record()["lane"] == "splice"
    s.finish()


def kill_all(relay):
    """kill -9 of every process: nobody can tidy up."""
    relay.checked = True
    everyone = [relay.pid, *children(relay.pid)]
    for pid in everyone:
        os.kill(pid, signal.SIGKILL)
    relay.proc.wait(5)
    wait_for(lambda: not any(os.path.exists(f"/proc/{p}/exe") for p in everyone), 3, why="they are gone")


def test_pins_of_a_dead_daemon_are_replaced(rig):
    """kill -9 of every process: the pins stay, the next start takes their place."""
    origin = rig.origin()
    relay = start(rig, origin)
    s = opened(rig, relay, origin)
    s.write(chunk(b"data: 1\n\n"))
    s.arrive()
    kill_all(relay)
    s.client.wait_end(2)
    s.up.wait_end(2)
    assert os.path.exists(pins(relay)), "nobody was left to remove them"
    inode = os.stat(pins(relay)).st_ino
    second = again(rig, relay).ready()
    assert os.stat(pins(relay)).st_ino != inode and set(os.listdir(pins(relay))) == MAPS
    s = opened(rig, second, origin)
    s.write(chunk(b"data: 2\n\n"))
    s.arrive()
    s.finish()
    second.quit()
    assert not os.path.exists(pins(relay))


@pytest.mark.parametrize("name", ["t{}-1", "failover-{}-a"])
def test_the_runner_takes_away_what_killed_tests_left(rig, name):
    """And nothing of a test that runs, or of a daemon that lives."""
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    import pins as runner

    ended = subprocess.Popen(["true"])
    ended.wait()
    relay = rig.relay(rig.origin(), lane="splice", instance=name.format(ended.pid), max_streams=16)
    runner.clean()
    assert os.path.isdir(pins(relay)), "its daemon lives"
    kill_all(relay)
    assert runner.owner(pins(relay)) == relay.pid
    assert os.path.basename(pins(relay)) in runner.clean() and not os.path.exists(pins(relay))

    mine = rig.relay(rig.origin(), lane="splice", instance=name.format(os.getpid()), max_streams=16)
    kill_all(mine)
    runner.clean()
    assert os.path.isdir(pins(mine)), "its test still runs"
    shutil.rmtree(pins(mine))


def test_totals_follow_live_streams(rig):
    """What the kernel carries is in the counters while the stream lives, once, and they never go back."""
    origin = rig.origin()
    relay = start(rig, origin, workers=1)
    s = opened(rig, relay, origin)
    s.write(chunk(b"data: first\n\n"))
    s.arrive()
    s.on("splice")
    last = 0
    for turn in (1, 2):
        for _ in range(50):
            s.write(chunk(b"data: x\n\n"))
            s.arrive()
        wait_for(lambda: relay.admin("totals")["events"] == 1 + 50 * turn, 5, why="the counters to follow")
        totals, live = relay.admin("totals"), s.record()
        assert totals["spliced_bytes"] == live["spliced_bytes"] > last, (totals, live)
        assert totals["bytes_out"] == live["bytes_out"], (totals, live)
        last = totals["spliced_bytes"]
    end = s.finish()
    totals = relay.admin("totals")
    assert totals["events"] == end["events"] == 101 and totals["bytes_out"] == end["bytes_out"], (totals, end)


def test_the_master_alone_dies(rig):
    """Its workers drain and end; until then the instance is theirs, and afterwards it is free."""
    origin = rig.origin()
    relay = start(rig, origin, drain="3s")
    s = opened(rig, relay, origin)
    s.write(chunk(b"data: half an event"))  # which the drain waits for, to the window's end
    s.arrive()
    workers = relay.workers()
    relay.checked = True
    os.kill(relay.pid, signal.SIGKILL)
    relay.proc.wait(5)
    second = again(rig, relay)
    second.checked = True
    assert second.wait(10) != 0 and "running sluice" in second.text(), second.text()
    s.client.wait_end(6)
    wait_for(lambda: not any(os.path.exists(f"/proc/{p}/exe") for p in workers), 5, why="the workers end")
    third = again(rig, relay).ready()
    opened(rig, third, origin)


def test_a_worker_dies_and_the_others_streams_go_on(rig):
    """kill -9 of one worker: its streams break off, all its slots can be had again, the other's do not notice."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"}, upstream={"keepalive": "off"}, workers=2, max_streams=64)
    relay.expect_deaths = True
    streams = [opened(rig, relay, origin, lane=None) for _ in range(24)]
    for s in streams:
        s.write(chunk(b"data: 1\n\n"))
        s.arrive()
        s.on("splice")
    of = {s: s.record()["worker"] for s in streams}
    assert set(of.values()) == {0, 1}
    table = {w["worker"]: w["pid"] for w in relay.admin("workers")}
    os.kill(table[0], signal.SIGKILL)
    for s in streams:
        if of[s] == 0:
            s.client.wait_end(2)
            assert s.log == bytes(s.sent)
            assert s.up.wait_end(2)
    relay.wait_line(r"worker 0 \(pid \d+\) was ended by signal 9")
    for n in range(50):
        for s in streams:
            if of[s] == 1:
                s.write(chunk(b"data: %d\n\n" % n))
                s.arrive()
    wait_for(lambda: all(w["pid"] and w["pid"] != table[0] for w in relay.admin("workers")), 3, why="a new worker")
    assert {w["worker"]: w["restarts"] for w in relay.admin("workers")} == {0: 1, 1: 0}
    # every slot of worker 0's half, more than once
    got = 0
    for _ in range(3):
        fresh = []
        stop = time.monotonic() + 5
        while len(fresh) < 20 and time.monotonic() < stop:
            s = opened(rig, relay, origin, lane=None)
            if s.on("splice")["worker"] == 0:
                s.write(chunk(b"data: new\n\n"))
                s.arrive()
                fresh.append(s)
            else:
                s.client.close()
                s.up.wait_end()
        got += len(fresh)
        for s in fresh:
            s.finish()
            s.client.close()
    assert got == 60
    for s in streams:
        if of[s] == 1:
            live = s.record()
            assert live["lane"] == "splice" and live["spliced_events"] >= 50, live
            s.finish()


def test_workers_die_again_and_again(rig):
    """Five deaths with streams in the kernel's hands; the sixth worker splices as the first did."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"}, max_streams=16)
    relay.expect_deaths = True
    for _ in range(5):
        streams = [opened(rig, relay, origin) for _ in range(8)]
        for s in streams:
            s.write(chunk(b"data: 1\n\n"))
            s.arrive()
        worker = relay.admin("workers")[0]["pid"]
        os.kill(worker, signal.SIGKILL)
        for s in streams:
            s.client.wait_end(2)
            s.up.wait_end(2)
        wait_for(lambda: relay.admin("workers")[0]["pid"] not in (0, worker), 3, why="a new worker")
        wait_for(lambda: not relay.admin("streams"), 3, why="records of the dead are gone")
    streams = [opened(rig, relay, origin) for _ in range(16)]
    for s in streams:
        s.finish(chunk(b"data: 2\n\n") + b"0\r\n\r\n")
    left = json.loads(subprocess.run(["bpftool", "-j", "map", "dump", "pinned", pins(relay) + "/slots"], stdout=subprocess.PIPE, check=True).stdout)
    assert left == [], "no cookie of a dead stream is left"


def test_more_streams_than_slots(rig):
    """Slots that run out refuse or copy; they never take another stream's place."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"}, upstream={"keepalive": "off"}, max_streams=4)
    streams = [opened(rig, relay, origin) for _ in range(4)]
    extra = rig.connect(relay.addr)
    extra.send(event_request())
    head = extra.final_head()
    assert head.status == 503, head.raw
    for n in range(20):
        for k, s in enumerate(streams):
            s.write(chunk(b"data: %d of %d\n\n" % (n, k)))
            s.arrive()
    streams[0].finish()
    again_ = opened(rig, relay, origin)
    again_.finish(chunk(b"data: x\n\n") + b"0\r\n\r\n")
    for s in streams[1:]:
        s.finish()


def test_proxy_command(rig):
    """The one-liner, with an instance of its own."""
    origin = rig.origin()
    relay = rig.proxy(origin, "--lane", "splice")
    client = rig.connect(relay.addr)
    client.send(event_request())
    up = origin.accept()
    up.request()
    up.stream_head()
    client.final_head()
    wait_for(lambda: [r["lane"] for r in relay.admin("streams")] == ["splice"], why="spliced")


@pytest.mark.skipif(not shutil.which("bpftool"), reason="bpftool is not installed")
def test_the_maps_read_well_with_bpftool(rig):
    """Field names and plain values, for somebody who has only bpftool."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"}, max_streams=8)
    s = opened(rig, relay, origin)
    for n in range(7):
        s.write(chunk(b"data: %d\n\n" % n))
        s.arrive()
    (flow,) = flows(relay)
    assert flow["redirected"] == len(s.sent) and flow["events"] == 7 and flow["chunks"] == 7, flow
    assert flow["passed"] == 0 and flow["broken"] == 0 and flow["segments"] == 7, flow
    assert {"spills", "pending_max", "wmem_queued", "sndbuf", "srtt_us", "track", "last_ns"} <= set(flow), flow
    assert {"left", "framing", "chunk"} <= set(flow["track"]), flow
    text = subprocess.run(["bpftool", "map", "dump", "pinned", pins(relay) + "/flows"], stdout=subprocess.PIPE, check=True).stdout.decode()
    for name in ("redirected", "passed", "events", "spills", "sndbuf"):
        assert f'"{name}":' in text, text[:600]
    for name, fields in (("ctl", ("path", "lane", "consumed", "written")), ("about", ("abi", "pid", "slots")), ("totals", ("redirected_bytes", "events", "event_gap")), ("counters", ("heartbeats", "ended"))):
        text = subprocess.run(["bpftool", "map", "dump", "pinned", f"{pins(relay)}/{name}"], stdout=subprocess.PIPE, check=True).stdout.decode()
        for field in fields:
            assert f'"{field}"' in text, (name, text[:600])
    slots = json.loads(subprocess.run(["bpftool", "-j", "map", "dump", "pinned", pins(relay) + "/slots"], stdout=subprocess.PIPE, check=True).stdout)
    assert [row["formatted"]["key"] for row in slots] == [flow["cookie"]]
    s.finish()
    about = subprocess.run(["bpftool", "-j", "map", "dump", "pinned", pins(relay) + "/about"], stdout=subprocess.PIPE, check=True).stdout
    assert json.loads(about)[0]["formatted"]["value"]["pid"] == relay.pid


def test_splice_refuses_to_start_where_the_lane_cannot_be_had(rig):
    """--lane splice without root is an error with a reason; --lane auto goes on in copy."""
    origin = rig.origin()

    def as_nobody():
        os.setgid(65534)
        os.setuid(65534)

    directory = rig._new_directory()
    os.chmod(directory, 0o777)
    for lane in ("splice", "auto"):
        argv = ["proxy", "--listen", "127.0.0.1:0", "--to", origin.url, "--lane", lane, "--workers", "1", "--instance", f"nobody{os.getpid()}",
                "--admin", os.path.join(directory, "admin.sock")]  # fmt: skip
        relay = rig._keep(Relay(argv, directory, preexec=as_nobody))
        rig.relays.append(relay)
        if lane == "splice":
            relay.checked = True
            assert relay.wait(10) != 0
            assert "splice lane:" in relay.text(), relay.text()
            continue
        relay.ready()
        assert "splice lane off" in relay.text(), relay.text()
        client = rig.connect(relay.addr)
        client.send(event_request())
        up = origin.accept()
        up.request()
        up.stream_head()
        client.final_head()
        (record,) = relay.admin("streams")
        assert (record["lane"], record["lane_reason"]) == ("copy", "kernel: not permitted"), record
