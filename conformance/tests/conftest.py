"""Lets the tests find each other's helpers and the suite where it is not installed."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(path) for path in (HERE, HERE.parent / "src") if str(path) not in sys.path]
