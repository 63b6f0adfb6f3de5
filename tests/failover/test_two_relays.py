"""Two relays behind one address: one dies, its clients come back through the other, miss nothing and see nothing twice; those of
the other notice nothing. The router hashes flows over the relays (ECMP) and runs conf/sluice-ecmp-health.sh, or is an IPVS
director. Each test prints the outage that it measured."""

import os
import shutil
import subprocess
import time

import pytest
from lib.proc import wait_for
from lib.relay import ROOT
from network import ADDRESS, ORIGIN, PORT, VIP, Network, why_no_ecmp, why_no_ipvs
from source import Client, Origin

CLIENTS = 24
ECMP, IPVS = why_no_ecmp(), why_no_ipvs()
ecmp = pytest.mark.skipif(ECMP is not None, reason=f"ECMP: {ECMP}")
ipvs = pytest.mark.skipif(IPVS is not None, reason=f"IPVS: {IPVS}")


class World:
    def __init__(self):
        self.network, self.clients = Network(), []
        self.origin = Origin(self.network.places["origin"], ORIGIN)
        for name in ("a", "b"):
            self.network.start_relay(name)

    def connect(self, count, **options):
        new = [Client(self.network.places["client"], (VIP, PORT), **options) for _ in range(count)]
        self.clients += new
        wait_for(lambda: all(len(c.events) > 3 for c in new), 15, why="events on every stream")
        return new

    def on(self, name):
        return [c for c in self.clients if c.relay() == name]

    def all_up_to_date(self, seconds=20):
        """Every client has everything that has happened until now."""
        newest = self.origin.happened()
        wait_for(lambda: all(c.newest() >= newest for c in self.clients), seconds,
                 why=f"event {newest} at every client: {[(c.newest(), c.failures[-1:]) for c in self.clients]}")  # fmt: skip

    def exact(self):
        """Nobody missed an event or saw one twice."""
        for c in self.clients:
            numbers = c.numbers()
            assert numbers == list(range(numbers[0], numbers[-1] + 1)), (c.relays, c.failures)

    def close(self):
        for c in self.clients:
            c.stopped.set()
        for c in self.clients:
            c.stop()
        self.origin.close()
        self.network.close()


@pytest.fixture
def world():
    w = World()
    yield w
    w.close()


def report(capsys, what, moved, died):
    outages = sorted(c.outage(died) for c in moved)
    late = max(t - made_at(n) for c, made_at in moved.items() for n, t, _ in list(c.events) if t > died)
    with capsys.disabled():
        print(f"\nmeasured: {what}: {len(moved)} of {CLIENTS} clients moved; without events for {outages[len(outages) // 2]:.2f} s (median), "
              f"{outages[-1]:.2f} s (longest); the oldest event came {late:.2f} s late")  # fmt: skip
    return outages[-1]


def split(world):
    """The clients of each relay; with 24 of them both have some."""
    a, b = world.on("a"), world.on("b")
    assert a and b and len(a) + len(b) == CLIENTS
    return a, b


def only_b_is_left(world, health):
    """The script took a out of the group, and never b."""
    health.wait_line(f"{ADDRESS['a']} is out", 10)
    wait_for(lambda: world.network.members() == [ADDRESS["b"]], 5, why="the route leads to b alone")
    assert not [line for line in health.lines if f"{ADDRESS['b']} is out" in line]


def judge(world, capsys, what, died, a, b, before):
    world.all_up_to_date()
    assert all(c.relays[-1] == "b" and c.relays[0] == "a" for c in a)
    assert [len(c.relays) for c in b] == before, "streams of the relay that lives were broken"
    world.exact()
    longest = report(capsys, what, dict.fromkeys(a, world.origin.made_at), died)
    assert longest < 15


@ecmp
def test_a_relay_that_dies(world, capsys):
    health = world.network.health(i=0.2, t=1, f=2, s=2, I=1)
    world.connect(CLIENTS)
    a, b = split(world)
    before = [len(c.relays) for c in b]
    died = time.monotonic()
    world.network.kill_relay("a")
    only_b_is_left(world, health)
    judge(world, capsys, "killed relay, ECMP", died, a, b, before)

    # It comes back: no stream of b is touched, and new clients reach it.
    connections = [len(c.relays) for c in world.clients]
    world.network.start_relay("a")
    health.wait_line(f"{ADDRESS['a']} is back", 10)
    time.sleep(2)  # idle buckets move to it after one second
    assert any(c.relay() == "a" for c in world.connect(CLIENTS))
    world.all_up_to_date()
    assert [len(c.relays) for c in world.clients[:CLIENTS]] == connections
    world.exact()


@ecmp
def test_a_host_that_vanishes(world, capsys):
    """No FIN, no RST: a client learns it by its own clock only, here after 1.5 s without a byte; sluice sends a heartbeat each
    half second."""
    health = world.network.health(i=0.2, t=0.5, f=2, s=2, I=1)
    world.connect(CLIENTS, silence=1.5)
    a, b = split(world)
    before = [len(c.relays) for c in b]
    died = time.monotonic()
    world.network.unplug("a")
    only_b_is_left(world, health)
    judge(world, capsys, "vanished host, ECMP", died, a, b, before)


@ecmp
def test_when_no_relay_answers_the_route_stays(world):
    health = world.network.health(i=0.1, t=0.5, f=2, s=2)
    for name in ("b", "a"):
        world.network.kill_relay(name)
    health.wait_line("no relay answers: the route stays as it is", 10)
    assert world.network.members()  # of both, or of the one that was found out last
    world.network.start_relay("b")
    health.wait_line(f"{ADDRESS['b']} is back", 10)
    wait_for(lambda: world.network.members() == [ADDRESS["b"]], 5, why="the route leads to b alone")
    assert all(c.relay() == "b" for c in world.connect(4))


@ecmp
def test_the_script_says_what_it_wants():
    for argv in ([], ["-r", "10.0.0.1/32"], ["-x"]):
        p = subprocess.run([Network.script(), *argv], capture_output=True, text=True, timeout=10)
        assert p.returncode == 2 and p.stdout.startswith("usage: ")


@pytest.mark.skipif(shutil.which("keepalived") is None, reason="no keepalived (Debian: keepalived)")
def test_the_example_for_keepalived_is_understood():
    p = subprocess.run(["keepalived", "--config-test", "--use-file", os.path.join(ROOT, "conf", "keepalived.conf.example")],
                       capture_output=True, text=True, timeout=20)  # fmt: skip
    assert p.returncode == 0, p.stderr


@ipvs
def test_a_relay_that_dies_behind_ipvs(world, capsys):
    """The director knows each connection, so nobody is moved but those of the dead relay. Here the test takes it out, as
    keepalived would."""
    router = world.network.places["router"]
    service = ["-t", f"{VIP}:{PORT}"]
    router.run("ip", "addr", "add", VIP + "/32", "dev", "lo")
    router.run("ipvsadm", "-A", *service, "-s", "rr")
    for name in ("a", "b"):
        router.run("ipvsadm", "-a", *service, "-r", f"{ADDRESS[name]}:{PORT}", "-m")
    world.connect(CLIENTS)
    a, b = split(world)
    before = [len(c.relays) for c in b]
    died = time.monotonic()
    world.network.kill_relay("a")
    time.sleep(1)
    router.run("ipvsadm", "-d", *service, "-r", f"{ADDRESS['a']}:{PORT}")
    judge(world, capsys, "killed relay, IPVS", died, a, b, before)
