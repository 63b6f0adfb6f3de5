"""Debian's cloud kernels: found by pattern, downloaded and unpacked (never installed), kept in a cache."""

import os
import re
import shutil
import subprocess


def run(*args):
    return subprocess.run(args, capture_output=True, text=True)


def newer(a, b):
    return run("dpkg", "--compare-versions", a, "gt", b).returncode == 0


def candidate(package):
    m = re.search(r"Candidate: (\S+)", run("apt-cache", "policy", package).stdout)
    return m.group(1) if m and m.group(1) != "(none)" else None


def find(series):
    """(name, version) of the newest signed cloud image of the series, or None."""
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


def kept(series, cache):
    """A kernel of an earlier run, for when apt knows none; or None."""
    pattern = rf"linux-image-{re.escape(series)}[.].*-cloud-amd64.*_[^_]+"
    names = sorted(n for n in (os.listdir(cache) if os.path.isdir(cache) else []) if re.fullmatch(pattern, n) and not n.endswith(".part"))
    return os.path.join(cache, names[-1]) if names else None


def get(series, cache):
    """The root directory of a kernel of the series; raises RuntimeError with the reason."""
    package = find(series)
    if not package:
        root = kept(series, cache)
        if root:
            return root
        raise RuntimeError(f"apt knows no linux-image-{series}*-cloud-amd64 (apt-get update? no network?)")
    try:
        return fetch(*package, cache)
    except (RuntimeError, subprocess.CalledProcessError, OSError) as e:
        raise RuntimeError(f"{package[0]} cannot be had: {e}") from e
