"""How long the digits table takes from a fresh copy of this repository, and how long `dvc repro` takes to find nothing.

python benchmarks/repro.py            targets on 2 cores: 4 minutes for the first, 3 seconds for the second
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _here import environment

ROOT = Path(__file__).resolve().parents[1]
FIRST, SECOND = 240.0, 3.0
REPEATS = 5


def copy(target: Path) -> None:
    """The files that git knows or would know, in a repository of their own: no data, no runs, no cache."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)


def repro(root: Path) -> tuple[float, str]:
    """Seconds of one `dvc repro`, and what it said."""
    own = environment() | {"PYTHONPATH": str(root)}
    start = time.perf_counter()
    done = subprocess.run(["dvc", "repro"], cwd=root, env=own, text=True, capture_output=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"dvc repro failed:\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="repro-") as name:
        root = Path(name)
        copy(root)
        first, said = repro(root)
        cores = len(os.sched_getaffinity(0))
        load = os.getloadavg()[0]
        stages = said.count("Running stage ")
        print(f"first dvc repro: {first:.0f} s, {stages} stages (target {FIRST:.0f} s; {cores} cores, load {load:.1f})")
        again = [repro(root) for _ in range(REPEATS)]
        if any("Running stage" in text for _, text in again):
            sys.exit("the second dvc repro ran something")
        median = sorted(seconds for seconds, _ in again)[REPEATS // 2]
        print(f"second dvc repro: median {median:.1f} s of {REPEATS}, nothing ran (target {SECOND:.0f} s)")
        print((root / "runs/digits/table.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
