"""sluice-exporter against a real sluice, a fake one with what no client could send, and a real Prometheus."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
