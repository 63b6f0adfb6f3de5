"""What things cost: CPU and wake-ups of a process and of the kernel's workers, and the machine's memory."""

import os
import re
import time


def _read(path):
    with open(path, encoding="ascii", errors="replace") as f:
        return f.read()


def cpu_ns(pid):
    """CPU time of a process (one thread), in nanoseconds."""
    return int(_read(f"/proc/{pid}/schedstat").split()[0])


def switches(pid):
    """How often a process went to sleep by itself."""
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", _read(f"/proc/{pid}/status"), re.M).group(1))


def kworkers():
    """CPU nanoseconds and context switches of all kernel workers together."""
    cpu = count = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if _read(f"/proc/{pid}/comm").startswith("kworker/"):
                cpu += cpu_ns(pid)
                count += switches(pid)
        except (OSError, AttributeError, IndexError):
            pass  # it has ended
    return cpu, count


def quietest(look, seconds, windows):
    """The least that look() (a tuple of counters) grew per second over several windows: what others on the machine do in
    between does not count."""
    least = None
    for _ in range(windows):
        began, before = time.monotonic(), look()
        time.sleep(seconds)
        after, took = look(), time.monotonic() - began
        grown = tuple((b - a) / took for a, b in zip(before, after))
        least = grown if least is None else tuple(min(x, y) for x, y in zip(least, grown))
    return least


def memory_kib():
    """Used memory of the machine and kernel memory in slabs, and pages of TCP's own account."""
    info = {k: int(v) for k, v in re.findall(r"^(\w+):\s+(\d+)", _read("/proc/meminfo"), re.M)}
    tcp = int(re.search(r"^TCP:.* mem (\d+)", _read("/proc/net/sockstat"), re.M).group(1))
    return info["MemTotal"] - info["MemAvailable"], info["SUnreclaim"], tcp * 4


def settled(look, samples=7, gap=0.05):
    """The middle of several samples of each figure."""
    rows = []
    for _ in range(samples):
        rows.append(look())
        time.sleep(gap)
    return tuple(sorted(column)[len(rows) // 2] for column in zip(*rows))
