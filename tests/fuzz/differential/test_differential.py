"""Runs compare.py: H1_DUMP names the driver (default build/tests/h1_dump), built from h1_dump.c by `make`."""
import os
import pathlib
import shutil

import pytest

import compare

ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_node_reads_what_sluice_accepts():
    dump = os.environ.get("H1_DUMP", str(ROOT / "build" / "tests" / "h1_dump"))
    if not os.access(dump, os.X_OK):
        pytest.skip(f"no driver at {dump}: build it, or set H1_DUMP")
    if not shutil.which("node"):
        pytest.skip("no node")
    counts, failures = compare.compare(dump)
    for what, n in sorted(counts.items()):
        print(f"{n:6} {what}")
    shown = [f"{name}: {message[:300]!r}\n    " + "\n    ".join(found) for name, message, found in failures[:20]]
    assert not failures, f"{len(failures)} differences:\n" + "\n".join(shown)
    # A comparison of nothing with nothing would pass, too.
    assert counts["accepted by both alike"] > 300
    assert counts["refused by both"] > 300
