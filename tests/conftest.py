"""Fixtures of the black-box tests (tests/net, tests/browser): a rig per test or per file, and what to show on failure."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "net"))


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(60))
    # The long ones first, or the last of them runs while the other workers have nothing left to do.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def rig():
    """Everything this test starts."""
    from lib.rig import Rig

    r = Rig()
    yield r
    r.close()


@pytest.fixture(scope="module")
def shared():
    """A rig for a whole file: table-driven tests that need one relay for many rows."""
    from lib.rig import Rig

    r = Rig()
    yield r
    r.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for name in ("rig", "shared"):
            rig = getattr(item, "funcargs", {}).get(name)
            if rig is not None:
                report.sections.append((f"{name}: what the relays said", rig.report()))
