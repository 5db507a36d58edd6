"""`import glassgrad` is quick: at most 0.25 s more than `import numpy`, once Python has compiled the files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

LIMIT = 0.25
CODE = "import numpy\nimport glassgrad"


def import_seconds(cache: Path) -> float:
    """Seconds that a fresh process takes to import glassgrad after NumPy, as Python itself counts them."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", CODE], capture_output=True, text=True, check=False,
        env=environment | {"PYTHONPYCACHEPREFIX": str(cache)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # import time: self [us] | cumulative | package; a nested import is indented by two more spaces.
    line = re.search(r"^import time:\s+\d+ \|\s+(\d+) \| glassgrad$", done.stderr, re.MULTILINE)
    assert line, done.stderr
    return int(line[1]) / 1e6


def test_import_is_quick(record_property, tmp_path) -> None:
    best = min(import_seconds(tmp_path) for _ in range(4))
    print(f"import glassgrad: {best:.3f} s beyond NumPy")
    record_property("import_seconds", best)
    assert best < LIMIT
