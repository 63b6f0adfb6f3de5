"""sluicectl against a live sluice, in both lanes."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "net"))


@pytest.fixture(scope="module", params=["copy", "auto"])
def scene(request, shared):
    """A relay with three routes; clients that read, one that does not, one whose events are dropped."""
    from ctlkit.run import Scene

    return Scene(shared, request.param)
