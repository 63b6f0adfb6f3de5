"""Several relays behind one address, in network namespaces that the tests make."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (HERE, os.path.join(os.path.dirname(HERE), "net"), os.path.join(os.path.dirname(HERE), "splice")):
    sys.path.insert(0, folder)
