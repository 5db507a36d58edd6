"""`import glassgrad` is quick: at most 0.25 s more than `import numpy`."""

from __future__ import annotations

import re
import subprocess
import sys

LIMIT = 0.25
CODE = "import numpy\nimport glassgrad"


def import_seconds() -> float:
    """Seconds that a fresh process takes to import glassgrad after NumPy, as Python itself counts them."""
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # import time: self [us] | cumulative | package; a nested import is indented by two more spaces.
    line = re.search(r"^import time:\s+\d+ \|\s+(\d+) \| glassgrad$", done.stderr, re.MULTILINE)
    assert line, done.stderr
    return int(line[1]) / 1e6


def test_import_is_quick(record_property) -> None:
    best = min(import_seconds() for _ in range(3))
    print(f"import glassgrad: {best:.3f} s beyond NumPy")
    record_property("import_seconds", best)
    assert best < LIMIT
