#!/usr/bin/python3
"""Runs the BPF test binaries on Debian's kernels under emulation, whatever this host's kernel is.

For each series the newest cloud kernel that apt can get is downloaded, unpacked and booted by qemu with an initramfs that holds
busybox, the binaries and their libraries; the results come back over the serial console. What cannot be had (qemu, busybox,
the package) is a printed skip, never a pass. Exit: 0 all that ran passed, 1 a test failed, 77 nothing could be run.
"""
import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
import time

NEEDED = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "apt-get": "apt", "dpkg-deb": "dpkg"}
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /run
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t bpf bpf /sys/fs/bpf
/bin/busybox mkdir -p /sys/fs/cgroup
/bin/busybox mount -t cgroup2 cgroup /sys/fs/cgroup
export PATH=/bin:/tests TMPDIR=/tmp SLUICE_TESTS_EMULATED=1
/bin/busybox ip link set lo up
for m in /modules/*.ko; do [ -e "$m" ] && /bin/busybox insmod "$m"; done
echo "KERNEL $(/bin/busybox uname -r)"
for t in /tests/*; do
	name=${t##*/}
	start=$(/bin/busybox cut -d' ' -f1 /proc/uptime)
	"$t" > /tmp/out 2>&1
	code=$?
	[ $code = 0 ] || /bin/busybox cat /tmp/out
	/bin/busybox grep -i 'skip' /tmp/out
	echo "RESULT $name $code $start $(/bin/busybox cut -d' ' -f1 /proc/uptime)"
done
/bin/busybox dmesg | /bin/busybox grep -E 'BUG|WARNING|Oops|Call Trace|general protection|seq # bug' | /bin/busybox sed 's/^/DMESG /'
echo "FINISHED"
/bin/busybox poweroff -f
"""


def say(text):
    print(text, flush=True)


def run(*args):
    return subprocess.run(args, capture_output=True, text=True)


def newer(a, b):
    return run("dpkg", "--compare-versions", a, "gt", b).returncode == 0


def candidate(package):
    m = re.search(r"Candidate: (\S+)", run("apt-cache", "policy", package).stdout)
    return m.group(1) if m and m.group(1) != "(none)" else None


def find_package(series):
    """The newest signed cloud image of the series, or None."""
    pattern = rf"^linux-image-{re.escape(series)}[.][0-9][.0-9a-z+~-]*-cloud-amd64$"
    best = None
    for line in run("apt-cache", "search", "--names-only", pattern).stdout.splitlines():
        name = line.split()[0]
        version = candidate(name)
        if version and (not best or newer(version, best[1])):
            best = (name, version)
    return best


def fetch(package, version, cache):
    """Unpacks the package below the cache, once; returns its root directory or raises."""
    root = os.path.join(cache, f"{package}_{version.replace(':', '_')}")
    if os.path.isdir(root):
        return root
    work = root + ".part"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    got = subprocess.run(["apt-get", "-q", "download", f"{package}={version}"], cwd=work, capture_output=True, text=True)
    debs = [f for f in os.listdir(work) if f.endswith(".deb")]
    if got.returncode or not debs:
        raise RuntimeError((got.stderr.strip().splitlines() or ["apt-get download failed"])[-1])
    subprocess.run(["dpkg-deb", "-x", os.path.join(work, debs[0]), work], check=True)
    os.unlink(os.path.join(work, debs[0]))
    os.rename(work, root)
    return root


def libraries(binaries):
    """Every library the binaries load, and the loader, by path."""
    found = set()
    for b in binaries:
        for path in re.findall(r"(/\S+)", run("ldd", b).stdout):
            found.add(path)
    return found


def cpio_entry(name, data, mode, ino):
    head = "070701" + "".join(
        f"{v:08X}" for v in (ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
    out = head.encode() + name.encode() + b"\0"
    out += b"\0" * (-len(out) % 4) + data
    return out + b"\0" * (-len(data) % 4)


def module(root, name):
    """A module of the kernel as plain .ko bytes, or None when it is built in."""
    for base, _, files in os.walk(root):
        for f in files:
            if f == name + ".ko":
                return open(os.path.join(base, f), "rb").read()
            if f == name + ".ko.xz":
                return subprocess.run(["xz", "-dc", os.path.join(base, f)], capture_output=True, check=True).stdout
    return None


def initramfs(path, binaries, root):
    files = {"init": (INIT.encode(), 0o100755), "bin/busybox": (open(shutil.which("busybox"), "rb").read(), 0o100755)}
    for name in ("sh", "ip"):
        files["bin/" + name] = (b"/bin/busybox", 0o120777)
    for b in binaries:
        files["tests/" + os.path.basename(b)] = (open(b, "rb").read(), 0o100755)
    for lib in libraries(binaries):
        files[lib.lstrip("/")] = (open(os.path.realpath(lib), "rb").read(), 0o100755)
    for name in ("tun",):
        data = module(root, name)
        if data:
            files[f"modules/{name}.ko"] = (data, 0o100644)
    dirs = set()
    for name in files:
        while os.path.dirname(name):
            name = os.path.dirname(name)
            dirs.add(name)
    out, ino = b"", 1
    for d in sorted(dirs):
        out += cpio_entry(d, b"", 0o040755, ino)
        ino += 1
    for name, (data, mode) in files.items():
        out += cpio_entry(name, data, mode, ino)
        ino += 1
    out += cpio_entry("TRAILER!!!", b"", 0, 0)
    with gzip.open(path, "wb", compresslevel=1) as f:
        f.write(out)


def boot(root, initrd, how, timeout):
    image = [f for f in os.listdir(os.path.join(root, "boot")) if f.startswith("vmlinuz-")][0]
    cmd = ["timeout", str(timeout), "qemu-system-x86_64", "-accel", how, "-cpu", "max" if how == "tcg" else "host", "-m", "1024",
           "-smp", "2", "-nographic", "-no-reboot", "-net", "none", "-kernel", os.path.join(root, "boot", image), "-initrd", initrd,
           "-append", "console=ttyS0 quiet panic=-1 oops=panic"]
    return subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True).stdout.decode(errors="replace")


def one_series(series, binaries, args):
    """"ok", "failed" or "skipped"; prints why."""
    package = find_package(series)
    if not package:
        say(f"{series}: skipped: apt knows no linux-image-{series}*-cloud-amd64 (apt-get update? no network?)")
        return "skipped"
    try:
        root = fetch(*package, args.cache)
    except (RuntimeError, subprocess.CalledProcessError, OSError) as e:
        say(f"{series}: skipped: {package[0]} cannot be had: {e}")
        return "skipped"
    initrd = os.path.join(args.cache, f"initramfs-{series}-{os.getpid()}.gz")
    began = time.monotonic()
    try:
        initramfs(initrd, binaries, root)
        out = boot(root, initrd, args.accel, args.timeout)
    finally:
        if os.path.exists(initrd):
            os.unlink(initrd)
    out = out.replace("\r", "")
    if args.verbose:
        say(out)
    kernel = re.search(r"KERNEL (\S+)", out)
    results = re.findall(r"^RESULT (\S+) (\d+) (\S+) (\S+)", out, re.M)
    bad = [r for r in results if r[1] != "0"]
    dmesg = re.findall(r"^DMESG .*", out, re.M)
    say(f"{series}: {package[0]} {package[1]}, kernel {kernel.group(1) if kernel else '?'}, {args.accel}, "
        f"{time.monotonic() - began:.0f} s")
    for name, code, a, b in results:
        say(f"  {'ok' if code == '0' else 'FAILED'} {name} {float(b) - float(a):.1f} s")
    for line in re.findall(r"^.*\bskip.*", out, re.M | re.I):
        say(f"    {line.strip()}")
    for line in dmesg:
        say(f"  {line}")
    if not kernel or "FINISHED" not in out or len(results) != len(binaries) or bad or dmesg:
        if not args.verbose:
            say("\n".join("  | " + line for line in out.splitlines()[-60:]))
        say(f"{series}: failed")
        return "failed"
    return "ok"


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", default="build", help="where tests-bpf/ is")
    p.add_argument("--series", default="6.1,6.12", help="kernel series, by comma")
    p.add_argument("--cache", help="where kernels are kept (default: BUILD/kernels)")
    # Not "kvm when /dev/kvm is there": inside many virtual machines it is there and the guest never gets anywhere.
    p.add_argument("--accel", default="tcg", choices=("kvm", "tcg"))
    p.add_argument("--timeout", type=int, default=420, help="seconds for one kernel")
    p.add_argument("--only", help="run only these test binaries, by comma")
    p.add_argument("-v", "--verbose", action="store_true", help="show the whole console")
    args = p.parse_args()
    args.cache = os.path.abspath(args.cache or os.path.join(args.build, "kernels"))
    where = os.path.join(args.build, "tests-bpf")
    binaries = sorted(os.path.join(where, f) for f in (os.listdir(where) if os.path.isdir(where) else [])
                      if f.startswith("test_") and (not args.only or f in args.only.split(",")))
    if not binaries:
        say(f"skipped: no test binaries in {where} (make bpf-tests)")
        return 77
    for tool, package in NEEDED.items():
        if not shutil.which(tool):
            say(f"skipped: {tool} is not installed (apt-get install {package})")
            return 77
    os.makedirs(args.cache, exist_ok=True)
    outcomes = [one_series(s, binaries, args) for s in args.series.split(",")]
    if "failed" in outcomes:
        return 1
    return 0 if "ok" in outcomes else 77


if __name__ == "__main__":
    sys.exit(main())
