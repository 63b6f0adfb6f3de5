#!/usr/bin/python3
"""Runs the suites one after the other and counts: tests/run.py [SUITE ...]. Ends with 'N passed, N failed, N skipped'.

Each suite is a command and a reader of its output; a suite that dies without counting is a failure of its own. What fails among
neighbours is run again alone, at most twice, once the machine is calm: these machines are shared, a whole minute of theirs can go
to others, and some tests measure time. What fails alone as well is a failure; every such run is printed."""

import os
import re
import shlex
import subprocess
import sys
import time

import pins

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", "build")
ASAN = os.environ.get("ASAN_BUILD", "build-asan")
FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "6"))
PYTEST = ["/usr/bin/python3", "-m", "pytest", "-q", "-rfEs", "-p", "no:cacheprovider", "-p", "no:randomly"]
SANITIZERS = {
    "ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_leaks=1:quarantine_size_mb=4",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "LSAN_OPTIONS": "suppressions=" + os.path.join(ROOT, "tests", "lsan.supp") + ":print_suppressions=0",
}


MAX_AGAIN = 60  # more failures than this are not noise
CALM_WAIT = 20  # seconds at most that a second run waits for the machine,
calm_left = 90  # and all of them together


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run(argv, env=None, timeout=1200):
    """Output and status of one command; the output also goes to the terminal when it failed."""
    e = dict(os.environ, **(env or {}))
    try:
        p = subprocess.run(argv, cwd=ROOT, env=e, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                           stdin=subprocess.DEVNULL)
        text, status = p.stdout.decode("utf-8", "replace"), p.returncode
    except subprocess.TimeoutExpired as err:
        text, status = (err.stdout or b"").decode("utf-8", "replace") + f"\ntimed out after {timeout} s", 124
    if status != 0:
        print(f"--- {shlex.join(argv)}: status {status}\n{text}\n---", flush=True)
    return text, status


def wait_calm():
    """Until sleeps of 1 ms end in time for a second: then others leave this machine's CPUs alone."""
    global calm_left
    began = since = time.monotonic()
    stop = began + min(CALM_WAIT, calm_left)
    while time.monotonic() < stop and time.monotonic() - since < 1:
        before = time.monotonic()
        time.sleep(0.001)
        if time.monotonic() - before > 0.02:
            since = time.monotonic()
    calm_left -= time.monotonic() - began


def count_cmocka(text, status):
    def total(pattern):
        return sum(int(n) for n in re.findall(pattern, text, re.M))

    c = Count(total(r"^\[  PASSED  \] (\d+) test"), total(r"^\[  FAILED  \] (\d+) test"),
              total(r"^\[  SKIPPED \] (\d+) test"))
    if status != 0 and not c.failed:
        c.failed = 1
    return c


def count_pytest(text, status):
    c = Count()
    lines = [l for l in text.splitlines() if re.search(r"\d+ (passed|failed|skipped|error)", l)]
    last = lines[-1] if lines else ""
    for n, what in re.findall(r"(\d+) (passed|failed|skipped|error)", last):
        if what == "passed":
            c.passed += int(n)
        elif what == "skipped":
            c.skipped += int(n)
        else:
            c.failed += int(n)
    for line in text.splitlines():
        if line.startswith(("SKIPPED", "measured: ")):
            print("  " + line)
    if status != 0 and not c.failed:
        c.failed = 1
    return c


def binaries(folder):
    d = os.path.join(ROOT, folder)
    if not os.path.isdir(d):
        return []
    names = sorted(n for n in os.listdir(d) if re.fullmatch(r"(test|fuzz)_\w+", n))
    return [os.path.join(folder, n) for n in names]


def run_cmocka(binary, env, timeout):
    c = count_cmocka(*run([binary], env=env, timeout=timeout))
    if c.failed:
        print(f"  once more: {binary}", flush=True)
        c = count_cmocka(*run([binary], env=env, timeout=timeout))
    return c


def suite_unit(build=BUILD, env=None):
    c = Count()
    for b in binaries(f"{build}/tests"):
        c.add(run_cmocka(b, env, 180))
    return c


def suite_bpf(build=BUILD, env=None):
    c = Count()
    if os.geteuid() != 0:
        print("  SKIPPED bpf: loading BPF programs takes root")
        return Count(skipped=1)
    for b in binaries(f"{build}/tests-bpf"):
        c.add(run_cmocka(b, env, 300))
    return c


def suite_fuzz():
    c = Count()
    for b in binaries(f"{BUILD}/fuzz"):
        name = os.path.basename(b)
        work = f"{BUILD}/fuzz/work/{name}"
        os.makedirs(os.path.join(ROOT, work), exist_ok=True)
        argv = [b, f"-max_total_time={FUZZ_SECONDS}", "-timeout=5", "-rss_limit_mb=1024", "-print_final_stats=0",
                "-verbosity=0", "-max_len=4096", work, f"tests/fuzz/corpus/{name}"]
        words = f"tests/fuzz/{name}.dict"
        if os.path.exists(os.path.join(ROOT, words)):
            argv.insert(1, f"-dict={words}")
        _, status = run(argv, timeout=FUZZ_SECONDS * 4 + 60)
        c.add(Count(passed=1) if status == 0 else Count(failed=1))
    return c


def failures(text):
    """The names of the tests that failed, from pytest's own summary."""
    return sorted(set(re.findall(r"^(?:FAILED|ERROR) (\S+::.+?)(?: - .*)?$", text, re.M)))


def pytest_suite(paths, env=None, extra=(), timeout=1200):
    paths = [p for p in paths if os.path.exists(os.path.join(ROOT, p))]
    text, status = run(PYTEST + list(extra) + paths, env=env, timeout=timeout)
    c = count_pytest(text, status)
    again = failures(text)
    tries = 2 if len(again) <= MAX_AGAIN else 0
    while c.failed and again and tries:
        print(f"  once more, alone: {', '.join(again)}", flush=True)
        wait_calm()
        text, status = run(PYTEST + again, env=env, timeout=timeout)
        failed = count_pytest(text, status).failed
        c.passed += c.failed - failed
        c.failed, again, tries = failed, failures(text), tries - 1
    return c


def suite_differential():
    return pytest_suite(["tests/fuzz/differential"], env={"H1_DUMP": f"{BUILD}/tests/h1_dump"})


def suite_net():
    return pytest_suite(["tests/net"], env={"SLUICE_BIN": f"{BUILD}/sluice"}, extra=["-n", "4"])


def suite_browser():
    return pytest_suite(["tests/browser"], env={"SLUICE_BIN": f"{BUILD}/sluice"})


def suite_lane():
    """The same black-box suite with every stream on the splice lane that can take it; TLS and HTTP/2 never can, the
    doctor looks at other proxies, and in the rest left out no body is carried at all."""
    kinds = ("tls", "h2", "regressions_tls_h2", "doctor", "cli", "dns", "refused_requests", "seeds_against")
    never = [f"--ignore-glob=tests/net/test_{kind}*.py" for kind in kinds]
    return pytest_suite(["tests/net"], env={"SLUICE_BIN": f"{BUILD}/sluice", "SLUICE_LANE": "auto"}, extra=["-n", "4", *never])


def suite_splice():
    """The splice lane end to end. What measures memory and CPU runs without neighbours."""
    env = {"SLUICE_BIN": f"{BUILD}/sluice"}
    folder = os.path.join(ROOT, "tests/splice")
    files = sorted(f"tests/splice/{n}" for n in os.listdir(folder) if re.fullmatch(r"test_\w+\.py", n))
    c = pytest_suite([f for f in files if "cost" not in f], env=env, extra=["-n", "2"])
    c.add(pytest_suite([f for f in files if "cost" in f], env=env))
    return c


def suite_asan():
    c = suite_unit(ASAN, env=SANITIZERS)
    env = dict(SANITIZERS, SLUICE_BIN=f"{ASAN}/sluice")
    # The scan asks for the configuration only, and takes longest.
    c.add(pytest_suite(["tests/net"], env=env, extra=["-n", "4", "--ignore-glob=tests/net/test_tls_scan.py"]))
    c.add(pytest_suite(["tests/ctl"], env=env, extra=["-n", "3"]))
    return c


def suite_valgrind():
    return pytest_suite(["tests/leak"], env={"SLUICE_BIN": f"{BUILD}/sluice"}, extra=["--timeout", "600"])


def kernel_once():
    text, status = run(["tests/kernel/run.py", "--build", BUILD], timeout=900)
    c = Count(len(re.findall(r"^  ok ", text, re.M)), len(re.findall(r"^  FAILED ", text, re.M)),
              len(re.findall(r"^  SKIPPED |^.*skipped: .*$", text, re.M)))
    for line in re.findall(r"^\S.*(?:skipped: .*| s|once more)$", text, re.M):
        print("  " + line)
    if status not in (0, 77) and not c.failed:
        c.failed = 1
    return c


def suite_kernel():
    """The BPF tests and tests/kernel/inside on Debian's kernels under emulation; what cannot be had is skipped, by name."""
    c = kernel_once()
    if c.failed:
        print("  once more: tests/kernel", flush=True)
        c = kernel_once()
    return c


def suite_bench():
    """The benchmark's own runs, too short for figures."""
    return pytest_suite(["tests/bench"], env={"SLUICE_BIN": f"{BUILD}/sluice"}, extra=["-n", "2", "--dist", "loadfile"])


def suite_failover():
    """Two relays behind one address, in namespaces; the lane as users have it."""
    return pytest_suite(["tests/failover"], env={"SLUICE_BIN": f"{BUILD}/sluice", "SLUICE_LANE": "auto"})


def suite_exporter():
    """sluice-exporter against real daemons and a real Prometheus."""
    return pytest_suite(["tests/exporter"], env={"SLUICE_BIN": f"{BUILD}/sluice"}, extra=["-n", "2", "--dist", "loadfile"])


def suite_ctl():
    """sluicectl against a live sluice: every verb in both lanes, top in a terminal, the completions in their shells."""
    return pytest_suite(["tests/ctl"], env={"SLUICE_BIN": f"{BUILD}/sluice"}, extra=["-n", "3"])


def suite_docs():
    return pytest_suite(["tests/docs"], env={"SLUICE_BIN": f"{BUILD}/sluice"})


SUITES = {
    "unit": suite_unit,
    "docs": suite_docs,
    "bpf": suite_bpf,
    "net": suite_net,
    "lane": suite_lane,
    "splice": suite_splice,
    "browser": suite_browser,
    "ctl": suite_ctl,
    "bench": suite_bench,
    "failover": suite_failover,
    "exporter": suite_exporter,
    "fuzz": suite_fuzz,
    "differential": suite_differential,
    "asan": suite_asan,
    "valgrind": suite_valgrind,
    "kernel": suite_kernel,
}


def clean_pins():
    gone = pins.clean()
    if gone:
        print(f"pins of tests that were killed, taken away: {', '.join(gone)}", flush=True)


def main():
    names = sys.argv[1:] or list(SUITES)
    unknown = [n for n in names if n not in SUITES]
    if unknown:
        sys.exit(f"no suite {', '.join(unknown)}; there are {', '.join(SUITES)}")
    total = Count()
    clean_pins()
    for name in names:
        begin = time.monotonic()
        print(f"== {name}", flush=True)
        c = SUITES[name]()
        if c.passed + c.failed + c.skipped == 0:
            print(f"  {name}: no test ran")
            c.failed = 1
        print(f"  {name}: {c} in {time.monotonic() - begin:.0f} s", flush=True)
        total.add(c)
    clean_pins()
    print(total)
    sys.exit(1 if total.failed else 0)


if __name__ == "__main__":
    main()
