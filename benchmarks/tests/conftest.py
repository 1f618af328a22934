"""The simulator is imported as it is run: from the top of the tree."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
