"""What the tests of this room share; the simulated runtime and its world are in `simulated.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
