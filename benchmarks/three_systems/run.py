"""Missing modalities, adapters and test-time adaptation on three open data sets, as pipelines: hours, and resumable.

    python benchmarks/three_systems/run.py [missing] [tune] [adapters] [adaptation] [results] [--only DATA]

Needs data/raw/{avdigits,mfeat,emoji} (docs/data/). `tune` trains the adapters' backbones and writes the learning rates
of their rows, specs/tuned/adapters/, which are committed: needed only where rows have changed. The last part writes
benchmarks/results/three-systems/: a page and a drawing each for the three, and with what they were computed.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _here import environment
from _ran import commit, machine
from results import DATA, LEVELS, PAGES, ROOT, drawing

from cggm_pipeline.whole import write_whole

RESULTS = ROOT / "benchmarks" / "results" / "three-systems"
VERSIONS = ("torch", "numpy", "scipy", "scikit-learn", "accelerate", "peft", "dvc")
TABLES = {
    "missing": ("missing/{}",),
    "tune": ("adapters/{}-backbone",),
    "adapters": ("adapters/{}",),
    "adaptation": ("adaptation/{}-source", *(f"adaptation/{{}}-shift-{level}" for level in LEVELS)),
}
"""Part -> its tables, by data set."""
TUNED = {"tune": "adapters/{}"}
"""Part -> what is tuned once its tables are there."""


def run(part: str, only: list[str]) -> list[str]:
    """Every table of a part, and what is tuned on them; returns the commands that failed."""
    commands = []
    for data in only or DATA:
        for table in TABLES[part]:
            commands.append(["dvc", "repro", "--keep-going", f"pipelines/{table.format(data)}/dvc.yaml"])
        if part in TUNED:
            commands.append(["cggm", "tune", TUNED[part].format(data)])
    if part in TUNED:
        commands.append(["cggm", "compile"])
    return [" ".join(command) for command in commands if not _succeeds(command)]


def _succeeds(command: list[str]) -> bool:
    print(f"== {' '.join(command)}", flush=True)
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environment(), check=False)
    print(f"== {time.monotonic() - began:.0f} s", flush=True)
    return done.returncode == 0


def write() -> None:
    """The pages, their drawings, and a page about them."""
    for name, page in PAGES.items():
        write_whole(RESULTS / f"{name}.md", "\n".join(page()) + "\n")
        picture = drawing(name)
        if picture is not None:
            write_whole(RESULTS / f"{name}.svg", picture)
    write_whole(RESULTS / "README.md", "\n".join(_about()) + "\n")
    print(f"wrote {RESULTS.relative_to(ROOT)}/")


def _about() -> Iterator[str]:
    yield "# Results of the three systems on open data"
    yield ""
    yield "Written by `make benchmark-systems`; do not edit. What the numbers say: docs/what-helps-with-what.md."
    yield ""
    for name in PAGES:
        yield f"- [{name}]({name}.md), [drawn]({name}.svg)"
    yield ""
    yield f"Computed until {date.today().isoformat()} at commit {commit(ROOT)} on {machine()}."
    yield f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in VERSIONS)}."


def main() -> None:
    parser = argparse.ArgumentParser(description="Missing modalities, adapters and adaptation on open data.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(TABLES)}, results; default: all")
    parser.add_argument("--only", action="append", default=[], choices=list(DATA), help="this data set alone")
    asked = parser.parse_args()
    known = [*TABLES, "results"]
    if unknown := [part for part in asked.parts if part not in known]:
        parser.error(f"no part: {', '.join(unknown)} (allowed: {', '.join(known)})")
    failed: list[str] = []
    for part in asked.parts or known:
        if part == "results":
            write()
        else:
            failed += run(part, asked.only)
    if failed:
        sys.exit("\n".join(f"failed: {command}" for command in failed))


if __name__ == "__main__":
    main()
