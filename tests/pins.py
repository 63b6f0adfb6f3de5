#!/usr/bin/python3
"""Takes away what tests that were killed have left under /sys/fs/bpf/sluice; tests/run.py does so before and after the suites.

Only instances with a test's name, whose test has ended and whose daemon (the pid in `about`) has: others may be testing at the same
time, and a live daemon's pins are never touched."""

import json
import os
import re
import subprocess

ROOT = "/sys/fs/bpf/sluice"
# As instance_name() of tests/net/lib/relay.py, tests/splice, tests/failover and sluice-bench name them; the number is the tester's
# pid. A daemon that was killed while it started leaves NAME~PID.
NAMES = re.compile(r"(?:(?:t|try|nobody|bench-)(\d+)(?:-\d+)?|failover-(\d+)-[ab])(?:~(\d+))?")


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def owner(path):
    """The daemon's pid by its own record; 0: there is none."""
    out = subprocess.run(["bpftool", "-j", "map", "dump", "pinned", os.path.join(path, "about")], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    try:
        return int(json.loads(out.stdout)[0]["formatted"]["value"]["pid"])
    except (ValueError, KeyError, IndexError, TypeError):
        return 0


def is_dead(name, path):
    m = NAMES.fullmatch(name)
    if not m:
        return False
    pids = [int(p) for p in m.groups() if p] + [owner(path)]
    return not any(p and alive(p) for p in pids)


def clean():
    """The names of the instances that were taken away."""
    gone = []
    for name in sorted(os.listdir(ROOT)) if os.geteuid() == 0 and os.path.isdir(ROOT) else []:
        path = os.path.join(ROOT, name)
        if not is_dead(name, path):
            continue
        try:
            for pin in os.listdir(path):
                os.unlink(os.path.join(path, pin))
            os.rmdir(path)
            gone.append(name)
        except FileNotFoundError:
            pass  # somebody else was quicker
    return gone


if __name__ == "__main__":
    for n in clean():
        print(n)
