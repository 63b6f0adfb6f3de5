#!/usr/bin/python3
"""Runs the BPF tests, and what inside/ holds, on Debian's kernels under emulation, whatever this host's kernel is.

For each series the newest cloud kernel that apt can get is booted by qemu with an initramfs (image.py); the results come back over
the serial console. What cannot be had (qemu, busybox, the package) is a printed skip, never a pass.

Time is bounded. A test inside that fails, or takes longer than its own limit, has failed, as has a kernel that panics, hangs or does
not come up. A boot that is healthy and not done within --timeout is tried once more, if --budget allows; when it still is not done
this machine is too slow to emulate one: a skip that says how far it came. Exit: 0 all that ran passed, 1 failed, 77 nothing ran."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time

import image
import packages

HERE = os.path.dirname(os.path.abspath(__file__))
NEEDED = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "apt-get": "apt", "dpkg-deb": "dpkg", "depmod": "kmod"}
LIMIT_INSIDE = 120  # seconds for one test; twice what the longest took under emulation beside a busy host
SILENT = 30  # seconds without a sign of life from a kernel: it hangs


def say(text):
    print(text, flush=True)


class Boot:
    """One run of one kernel."""

    def __init__(self, root, initrd, accel, timeout):
        kernel = next(f for f in os.listdir(os.path.join(root, "boot")) if f.startswith("vmlinuz-"))
        argv = ["qemu-system-x86_64", "-accel", accel, "-cpu", "max" if accel == "tcg" else "host", "-m", "1024", "-smp", "2",
                "-nographic", "-no-reboot", "-net", "none", "-kernel", os.path.join(root, "boot", kernel), "-initrd", initrd,
                "-append", "console=ttyS0 quiet panic=-1 oops=panic"]  # fmt: skip
        began = time.monotonic()
        self.timed_out, self.silent = False, 0.0
        log = initrd + ".console"
        with open(log, "wb") as out:
            qemu = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
            try:
                self.watch(qemu, log, began + timeout)
            finally:
                qemu.kill()
                qemu.wait()
        self.seconds = time.monotonic() - began
        self.text = open(log, encoding="utf-8", errors="replace").read().replace("\r", "")
        os.unlink(log)

    def watch(self, qemu, log, deadline):
        size, grown = 0, time.monotonic()
        while qemu.poll() is None:
            now = time.monotonic()
            if os.path.getsize(log) != size:
                size, grown = os.path.getsize(log), now
            self.silent = now - grown
            if now > deadline:
                self.timed_out = True
                return
            time.sleep(0.2)

    @property
    def kernel(self):
        m = re.search(r"KERNEL (\S+)", self.text)
        return m.group(1) if m else None

    @property
    def results(self):
        """[(name, code, seconds)]"""
        found = re.findall(r"^RESULT (\S+) (\d+) (\S+) (\S+)", self.text, re.M)
        return [(name, int(code), float(b) - float(a)) for name, code, a, b in found]

    def wrong(self, tests):
        """Why it has failed; "" when it has not, "slow" when it was healthy to the end of its time."""
        bad = [name for name, code, _ in self.results if code not in (0, 77)]
        if bad:
            return "failed inside: " + ", ".join(bad)
        if re.search(r"^DMESG", self.text, re.M):
            return "the kernel complains"
        if "FINISHED" in self.text:
            return "" if len(self.results) == len(tests) else "tests are missing"
        if not self.kernel:
            return "it did not come up"
        if not self.timed_out:
            return "it broke off"
        return f"it hangs: silent for {self.silent:.0f} s" if self.silent > SILENT else "slow"


def tell(series, boot, verbose, why):
    say(f"{series}: kernel {boot.kernel or '?'}, {len(boot.results)} tests in {boot.seconds:.0f} s")
    for name, code, seconds in boot.results:
        say(f"  {'ok' if code == 0 else 'SKIPPED' if code == 77 else 'FAILED'} {name} {seconds:.1f} s")
    for line in re.findall(r"^(?:NOTE|DMESG) .*", boot.text, re.M):
        say("    " + line)
    if verbose or (why and why != "slow"):
        say("\n".join("  | " + line for line in boot.text.splitlines()[-(100000 if verbose else 60):]))


def one_series(series, tests, args, deadline):
    """"ok", "failed" or "skipped"; prints why."""
    try:
        root = packages.get(series, args.cache)
    except RuntimeError as e:
        say(f"{series}: skipped: {e}")
        return "skipped"
    initrd = os.path.join(args.cache, f"initramfs-{series}-{os.getpid()}.gz")
    try:
        image.write(initrd, tests, root, LIMIT_INSIDE)
        for attempt in (1, 2):
            time_left = deadline - time.monotonic()
            boot = Boot(root, initrd, args.accel, max(1, min(args.timeout, time_left)))
            why = boot.wrong(tests)
            tell(series, boot, args.verbose, why)
            if not why:
                return "ok"
            if why != "slow":
                say(f"{series}: failed: {why}")
                return "failed"
            if attempt == 2 or deadline - time.monotonic() < args.timeout / 2:
                break
            say(f"{series}: not done within {boot.seconds:.0f} s; once more")
    finally:
        if os.path.exists(initrd):
            os.unlink(initrd)
    say(f"{series}: skipped: this machine is too slow: {len(boot.results)} of {len(tests)} tests in {boot.seconds:.0f} s, all of them passed")
    return "skipped"


def choose_tests(args):
    where = os.path.join(args.build, "tests-bpf")
    paths = sorted(os.path.join(where, f) for f in (os.listdir(where) if os.path.isdir(where) else []) if f.startswith("test_"))
    paths += sorted(os.path.join(HERE, "inside", f) for f in os.listdir(os.path.join(HERE, "inside")) if f.endswith(".sh"))
    tests = [image.Test(p, args.build) for p in paths]
    return [t for t in tests if not args.only or t.name in args.only.split(",")]


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", default="build", help="where tests-bpf/ and the programs are")
    p.add_argument("--series", default="6.1,6.12", help="kernel series, by comma")
    p.add_argument("--cache", help="where kernels are kept (default: BUILD/kernels)")
    # Not "kvm when /dev/kvm is there": inside many virtual machines it is there and the guest never gets anywhere.
    p.add_argument("--accel", default="tcg", choices=("kvm", "tcg"))
    p.add_argument("--timeout", type=int, default=240, help="seconds for one boot")
    p.add_argument("--budget", type=int, default=540, help="seconds for all of them")
    p.add_argument("--only", help="run only these tests, by comma")
    p.add_argument("-v", "--verbose", action="store_true", help="show the whole console")
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    args.cache = os.path.abspath(args.cache or os.path.join(args.build, "kernels"))
    tests = choose_tests(args)
    missing = [m for t in tests for m in t.missing()]
    if missing or not tests:
        say(f"skipped: not built: {', '.join(missing) or 'any test'} (make programs bpf-tests)")
        return 77
    for tool, package in NEEDED.items():
        if not shutil.which(tool):
            say(f"skipped: {tool} is not installed (apt-get install {package})")
            return 77
    os.makedirs(args.cache, exist_ok=True)
    deadline = time.monotonic() + args.budget
    outcomes = [one_series(s, tests, args, deadline) for s in args.series.split(",")]
    if "failed" in outcomes:
        return 1
    return 0 if "ok" in outcomes else 77


if __name__ == "__main__":
    sys.exit(main())
