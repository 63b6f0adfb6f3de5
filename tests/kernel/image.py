"""The initramfs of an emulated kernel: busybox, init.sh, the tests with their programs and libraries, modules."""

import gzip
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
PASSWD = b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
GROUP = b"root:x:0:\nnogroup:x:65534:\n"


class Test:
    """A program of the BPF tests, or a script of inside/ whose head says what it needs."""

    def __init__(self, path, build):
        self.path, self.name = path, os.path.basename(path).removesuffix(".sh")
        self.programs, self.modules, self.files = [], [], []
        if path.endswith(".sh"):
            text = open(path, encoding="utf-8").read()
            for key, words in re.findall(r"^# (needs|modules|files): (.+)$", text, re.M):
                if key == "modules":
                    self.modules += words.split()
                else:
                    paths = [os.path.join(build if key == "needs" else os.path.dirname(path), w) for w in words.split()]
                    (self.programs if key == "needs" else self.files).extend(paths)

    def missing(self):
        return [p for p in [self.path, *self.programs, *self.files] if not os.path.exists(p)]


def libraries(programs):
    """Every library the programs load, and the loader, by path."""
    found = set()
    for p in programs:
        found.update(re.findall(r"(/\S+)", subprocess.run(["ldd", p], capture_output=True, text=True).stdout))
    return found


def modules(root, wanted):
    """[(name, plain .ko bytes)] of the modules and of those that they need, in the order of loading."""
    base = os.path.join(root, "lib/modules")
    version = os.listdir(base)[0]
    if not os.path.exists(os.path.join(base, version, "modules.dep.bin")):
        subprocess.run(["depmod", "-b", root, version], check=True, capture_output=True)
    out = {}
    for name in wanted:
        got = subprocess.run(["modprobe", "-d", root, "-S", version, "--show-depends", name], capture_output=True, text=True)
        if got.returncode:
            raise RuntimeError(f"kernel {version} has no module {name}: {got.stderr.strip()}")
        for path in re.findall(r"^insmod (\S+)", got.stdout, re.M):
            plain = re.sub(r"[.]xz$", "", os.path.basename(path))
            if plain not in out:
                packed = path.endswith(".xz")
                out[plain] = subprocess.run(["xz", "-dc", path], capture_output=True, check=True).stdout if packed else open(path, "rb").read()
    return list(out.items())


def contents(tests, root, limit):
    """{path in the image: (bytes, mode)}"""
    def program(path):
        return open(os.path.realpath(path), "rb").read(), 0o100755

    files = {"init": program(os.path.join(HERE, "init.sh")), "bin/busybox": program(shutil.which("busybox")),
             "bin/sh": (b"/bin/busybox", 0o120777), "etc/passwd": (PASSWD, 0o100644), "etc/group": (GROUP, 0o100644)}
    compiled = [p for t in tests for p in [*t.programs, *([] if t.path.endswith(".sh") else [t.path])]]
    for t in tests:
        files["tests/" + t.name] = program(t.path)
        for p in t.programs:
            files["bin/" + os.path.basename(p)] = program(p)
        for p in t.files:
            files["files/" + os.path.basename(p)] = program(p)
    for lib in libraries(compiled):
        files[lib.lstrip("/")] = program(lib)
    mods = modules(root, ["tun"] + [m for t in tests for m in t.modules])
    for name, data in mods:
        files["modules/" + name] = (data, 0o100644)
    for name, lines in (("modules/list", [m for m, _ in mods]), ("tests/list", [t.name for t in tests]), ("tests/limit", [str(limit)])):
        files[name] = ("".join(line + "\n" for line in lines).encode(), 0o100644)
    return files


def entry(name, data, mode, ino):
    """Of a cpio archive, format newc (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    head = "070701" + "".join(f"{v:08X}" for v in (ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
    out = head.encode() + name.encode() + b"\0"
    out += b"\0" * (-len(out) % 4) + data
    return out + b"\0" * (-len(data) % 4)


def write(path, tests, root, limit):
    files = contents(tests, root, limit)
    dirs = set()
    for name in files:
        while os.path.dirname(name):
            name = os.path.dirname(name)
            dirs.add(name)
    with gzip.open(path, "wb", compresslevel=1) as f:
        for ino, (name, data, mode) in enumerate([*((d, b"", 0o040755) for d in sorted(dirs)), *((n, *v) for n, v in files.items())], 1):
            f.write(entry(name, data, mode, ino))
        f.write(entry("TRAILER!!!", b"", 0, 0))
