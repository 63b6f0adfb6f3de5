"""top, driven in a terminal: keys go in, the painted screen is read. With live streams, and with 10,000 synthetic ones."""

import os
import re
import subprocess
import time

import pytest
from ctlkit.run import CTL, FAKE, Ctl, run_ctl
from ctlkit.screen import Screen
from lib.proc import wait_for


@pytest.fixture
def top(request):
    """Opens sluicectl top; closed with the test."""
    opened = []

    def open_top(admin, *words, env=None, **size):
        s = Screen([CTL, "--admin", admin, "top", *words], env=env, **size)
        opened.append(s)
        return s

    yield open_top
    for s in opened:
        s.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """10,000 streams that nobody carries; every hundredth has a client that takes nothing."""
    path = str(tmp_path_factory.mktemp("fake") / "admin.sock")
    p = subprocess.Popen([FAKE, path, "fake", "10000"])
    wait_for(lambda: os.path.exists(path), 5)
    yield path
    p.terminate()
    p.wait()


def order(screen, column):
    """The cells of a column, as painted."""
    lines = screen.lines()
    head = next(i for i, line in enumerate(lines) if line.lstrip().startswith("ID"))
    titles = lines[head].split()
    at = titles.index(column)
    return [line.split()[at] for line in lines[head + 1 : -1] if line.strip()]


def test_live_streams_appear_and_go(scene, top):
    client, body, up = scene.open("/chat/top")
    screen = top(scene.relay.admin_path, columns=200)
    screen.wait("1 streams")
    assert f"sluice {scene.relay.config['instance']}  pid {scene.relay.pid}" in screen.text()
    assert f"{scene.best} 1" in screen.text()
    screen.wait("/chat/top")
    screen.keys("+", "+")
    screen.wait("every 0.2s")
    for n in range(30):
        up.event(n)
        screen.read(0.05)
    screen.wait(lambda t: re.search(r"[1-9][\d.]* events/s", t))
    up.finish()
    body.to_end()
    screen.wait("0 streams")
    screen.keys("q")
    assert screen.end() == 0


def test_a_lagging_client_comes_first(scene, top):
    from test_streams import fill

    quiet = scene.open("/quiet")
    quiet[2].event("x")
    client, body, up = scene.open("/laggard", rcvbuf=4096)
    fill(up)
    wait_for(lambda: scene.ctl.one("/laggard")["lag_ms"] > 1000, 10)
    screen = top(scene.relay.admin_path, columns=200)
    screen.wait("by lag")
    screen.wait("/laggard")
    rows = [line for line in screen.lines() if "GET" in line]
    assert "/laggard" in rows[0] and "/quiet" in rows[1]
    assert re.search(r"blocked 1  pending [\d.]+K?  most lag \d", screen.text())
    screen.keys("R")
    screen.wait("turned round")
    screen.wait(lambda t: t.index("/quiet") < t.index("/laggard"))
    screen.keys("/", "lag>1s", "enter")
    screen.wait(lambda t: "chosen: lag>1s" in t and "/quiet" not in t and "/laggard" in t)
    screen.keys("q")
    assert screen.end() == 0


def test_keys(many, top):
    screen = top(many, columns=170, lines=24)
    screen.wait("1-19 of 10000")
    assert "l lag  r rate  a age  p pending" in screen.lines()[-1]
    for key, name in (("p", "pending"), ("a", "age"), ("r", "rate"), ("e", "pace"), ("b", "bytes"), ("u", "unsent"), ("l", "lag")):
        screen.keys(key)
        screen.wait(f"by {name} ")
    screen.keys(">")
    screen.wait("by rate")
    screen.keys("<", "<", "<")
    screen.wait("by age")
    ids = [int(i) for i in order(screen, "ID")]
    assert ids == sorted(ids, reverse=True) and ids[0] == 10000, "the oldest first: ids and ages go together"
    screen.keys("pgdn", "down")
    screen.wait("20-38 of 10000")
    screen.keys("end")
    screen.wait("9982-10000 of 10000")
    screen.keys("home", "up")
    screen.wait("1-19 of 10000")
    screen.keys("h")
    screen.wait("sort by lag, rate, age, pending bytes")
    screen.keys("x")
    screen.wait("1-19 of 10000")
    screen.keys(" ")
    screen.wait("STOPPED")
    before = screen.lines()[0]
    screen.read(1.2)
    assert screen.lines()[0] == before, "nothing moves"
    screen.keys(" ")
    screen.wait(lambda t: "STOPPED" not in t)
    screen.keys("-")
    screen.wait("every 2.0s")
    screen.keys("q")
    assert screen.end() == 0


def test_choosing(many, top):
    screen = top(many, "route=route-3", columns=170, lines=24)
    screen.wait("chosen: route=route-3")
    screen.wait("of 1429")
    screen.keys("/", "backspace", "4", "enter")
    screen.wait("chosen: route=route-4")
    screen.keys("/", " lag>x", "enter")
    screen.wait("lag takes a time like 100ms")
    screen.keys("esc")
    screen.wait("chosen: route=route-4")
    screen.keys("/", *["backspace"] * 30, "blocked>0", "enter")
    screen.wait("of 100 ")
    screen.keys("q")
    assert screen.end() == 0
    a = run_ctl("--admin", many, "top", "lag>x")
    assert a.status == 2


def test_resize(many, top):
    screen = top(many, columns=170, lines=24)
    screen.wait("1-19 of 10000")
    screen.resize(60, 12)
    screen.wait("1-7 of 10000")
    assert all(len(line) <= 60 for line in screen.lines())
    assert any(line.lstrip().startswith("ID") for line in screen.lines())
    screen.resize(200, 40)
    screen.wait("1-35 of 10000")
    screen.wait("REQUEST")
    screen.resize(20, 3)
    screen.read(0.3)
    screen.resize(120, 20)
    screen.wait("1-15 of 10000")
    screen.keys("q")
    assert screen.end() == 0


def test_no_colour_when_asked(many, top):
    plain, coloured = top(many, env={"NO_COLOR": "1"}), top(many)
    colour = re.compile(rb"\033\[(\d+;)*3[123][;m]")
    coloured.wait(lambda _: colour.search(coloured.raw))
    plain.wait("of 10000")
    plain.read(1.5)
    assert not colour.search(plain.raw)


def test_it_stays_fluid_with_ten_thousand(many, top):
    """CPU of ten looks, not wall time: the figure is printed; the bound is loose, and below it a core is idle."""
    screen = top(many, columns=170, lines=40)
    screen.wait("of 10000")

    def cpu():
        with open(f"/proc/{screen.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    began = cpu()
    screen.read(5)
    per_look = (cpu() - began) / 5
    print(f"top, 10,000 streams: {per_look * 1000:.0f} ms of CPU a look")
    assert per_look < (0.5 if b"__asan_init" not in open(CTL, "rb").read() else 5)
    screen.keys("q")
    assert screen.end() == 0


def test_the_daemon_ends_and_comes_back(rig, top):
    origin = rig.origin()
    conf = rig.config(origin)
    relay = rig.run(conf)
    screen = top(conf["admin"], columns=140)
    screen.wait("0 streams")
    relay.quit()
    screen.wait("waiting: ")
    assert "no sluice answers there" in screen.text()
    relay = rig.run(conf)
    screen.wait(f"pid {relay.pid}")
    screen.keys("q")
    assert screen.end() == 0


def test_not_in_a_pipe(many):
    a = run_ctl("--admin", many, "top")
    assert a.status == 2 and "top is for a terminal" in a.err


def test_tables_fit_the_terminal(many):
    """`streams` in a terminal of 60 columns: no line is longer; colours there, and none with NO_COLOR."""
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        s = Screen([CTL, "--admin", many, "streams", "--limit", "5", "--sort", "lag"], columns=60, lines=12, env=env)
        assert s.end() == 0
        assert all(len(line) <= 60 for line in s.lines()) and s.lines()[0].lstrip().startswith("ID")
        assert len([line for line in s.lines() if line]) == 6
        assert (b"\033[31m" in s.raw) == coloured
        s.close()
