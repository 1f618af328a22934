"""What the tests of this room share; the fake is in `fake_mi.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
