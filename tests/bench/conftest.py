"""The benchmark itself: runs that are too short for figures, judged by what they leave and what they say."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "net"))


@pytest.fixture(scope="session")
def bench():
    from lib.relay import BENCH

    assert os.access(BENCH, os.X_OK), f"{BENCH} is not there: run `make programs`"
    return BENCH
