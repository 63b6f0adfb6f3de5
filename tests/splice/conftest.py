"""The splice lane end to end, through build/sluice. Skipped, and said why, where the lane cannot be had."""

import os
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "net"))


def why_not():
    """None when a relay with --lane splice starts here; else the reason."""
    from lib.proc import Child
    from lib.relay import BIN

    if os.geteuid() != 0:
        return "the splice lane is loaded as root, and this is not root"
    if not os.access(BIN, os.X_OK):
        return f"{BIN} is not there"
    directory = tempfile.mkdtemp(prefix="sluice-splice-")
    child = Child(
        [BIN, "proxy", "--listen", "127.0.0.1:0", "--to", "http://127.0.0.1:9", "--lane", "splice", "--workers", "1",
         "--instance", f"try{os.getpid()}", "--admin", os.path.join(directory, "admin.sock")]
    )  # fmt: skip
    try:
        child.wait_line("listening on", 15)
        return None
    except AssertionError:
        return "sluice proxy --lane splice does not start: " + " / ".join(child.lines[-3:])
    finally:
        child.stop()
        shutil.rmtree(directory, ignore_errors=True)


def pytest_collection_modifyitems(items):
    mine = [i for i in items if str(i.fspath).startswith(HERE + os.sep)]
    reason = why_not() if mine else None
    for item in mine:
        if reason:
            item.add_marker(pytest.mark.skip(reason="splice lane: " + reason))


@pytest.fixture(scope="session")
def link_program(tmp_path_factory):
    """The userspace link of the tests' networks, compiled."""
    out = tmp_path_factory.mktemp("link") / "link"
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-o", str(out), os.path.join(HERE, "kit", "link.c")], check=True)
    return str(out)
