"""docs/methods.md is what `python docs/methods.py` writes: it cannot go stale, and needs no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cggm_pipeline.build.rooms import specs

GUARD = """
import runpy, sys
sys.argv = ["methods.py", "--check"]
try:
    runpy.run_path({path!r}, run_name="__main__")
except SystemExit as end:
    assert "torch" not in sys.modules
    sys.exit(end.code)
"""


def test_the_page_is_fresh(root: Path) -> None:
    script = GUARD.format(path=str(root / "docs/methods.py"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_method_has_its_row(root: Path) -> None:
    page = (root / "docs/methods.md").read_text(encoding="utf-8")
    for room in ("modulations", "schedules"):
        for kind in specs(room):
            assert kind == "everything" or f"\n| `{kind}` | `" in page
