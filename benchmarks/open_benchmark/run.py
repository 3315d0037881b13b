"""The open benchmark, whole or a part of it: `make benchmark-open`, or this script with names of parts.

    python benchmarks/open_benchmark/run.py                                all parts, in this order
    python benchmarks/open_benchmark/run.py prepare tune                   these parts
    python benchmarks/open_benchmark/run.py tables --only mfeat            one table of a part

prepare: raw data to data/prepared/. tune: the values of every row, with one seed. tables: train, evaluate, report.
rank: average ranks over the tables. imbalance: the tables in which one modality is made worse on purpose. results:
copies to benchmarks/results/, with what was computed when and on what.

Every part can be stopped and started again: what is finished is not computed twice (DVC's cache; the trials and seeds
kept below .cggm/state). The tables are those of specs/rankings/open-benchmark.yaml; the others that lie in
specs/tables/open-benchmark/ are the part `imbalance`. The seconds of all calls are added up in .cggm/.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _here import environment
from _ran import commit, machine

from cggm_pipeline.errors import CggmError
from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.documents import Documents, read_documents
from cggm_pipeline.pipeline.paths import stage_name
from cggm_pipeline.pipeline.pipelines import pipelines
from cggm_pipeline.spec import Project
from cggm_pipeline.whole import write_whole

ROOT = Path(__file__).resolve().parents[2]
NAME = "open-benchmark"
RESULTS = ROOT / "benchmarks" / "results" / NAME
SUMMARY = Path(__file__).with_name("summary.py")
RANK = stage_name("rank", NAME)
TIMES = ROOT / ".cggm" / f"{NAME}.json"
COPIED = ("table.md", "table.csv")
RANKED = ("ranking.md", "ranking.csv", "ranking.svg")
VERSIONS = ("torch", "numpy", "scipy", "scikit-learn", "accelerate", "timm", "transformers", "dvc")


class Benchmark:
    """The tables of the benchmark, and its parts. `only`: the tables that are wanted; empty: all."""

    def __init__(self, only: list[str]) -> None:
        self.project = Project(ROOT)
        self.documents: Documents = read_documents(self.project)
        ranking = next((one for one in self.documents.rankings if one.name == NAME), None)
        if ranking is None:
            raise CggmError(f"error: there is no specs/rankings/{NAME}.yaml")
        tables = [table.name for table in self.documents.tables if table.name.startswith(f"{NAME}/")]
        wanted = [name if "/" in name else f"{NAME}/{name}" for name in only]
        if unknown := [name for name in wanted if name not in {*tables, *ranking.metrics}]:
            raise CggmError(f"error: no table of the benchmark: {', '.join(unknown)}\n  (allowed: {', '.join(tables)})")
        self.main = [name for name in ranking.metrics if not wanted or name in wanted]
        self.imbalance = [name for name in tables if name not in ranking.metrics and (not wanted or name in wanted)]
        self.failed: list[str] = []

    def prepare(self) -> None:
        """The datasets of all wanted tables, each by its own DVC stage."""
        chosen = {*self.main, *self.imbalance}
        wanted = [table for table in self.documents.tables if table.name in chosen]
        names = {stage_name("prepare", name) for table in wanted for name in self.documents.prepared(table)}
        for pipeline in pipelines(self.documents, Code.of(ROOT)):
            for stage in pipeline.stages:
                if stage.name in names:
                    self._timed("prepare", stage.name, "dvc", "repro", f"{pipeline.path}:{stage.name}")

    def tune(self) -> None:
        """The trials of every row; the tables read what was chosen, so the resolved specs follow."""
        tuned = {table.name for table in self.documents.tables if any(row.tuned for row in table.rows)}
        for name in [*self.main, *self.imbalance]:
            if name in tuned:
                self._timed("tune", name, "cggm", "tune", name)
        self._timed("tune", "compile", "cggm", "compile")

    def tables(self) -> None:
        """Train, evaluate and report; a row that fails does not take the others down."""
        for name in self.main:
            self._timed("tables", name, "dvc", "repro", "--keep-going", f"pipelines/{name}/dvc.yaml")

    def rank(self) -> None:
        """Average ranks over the tables as they are; it needs all of them."""
        self._timed("rank", NAME, "dvc", "repro", "--single-item", f"pipelines/rankings/{NAME}/dvc.yaml:{RANK}")

    def imbalanced(self) -> None:
        """The tables in which one modality is made worse on purpose."""
        for name in self.imbalance:
            self._timed("imbalance", name, "dvc", "repro", "--keep-going", f"pipelines/{name}/dvc.yaml")

    def results(self) -> None:
        """Copy what was written, and say with what it was computed."""
        found = {name: ROOT / "runs" / name for name in [*self.main, *self.imbalance]}
        for name, folder in found.items():
            for file in COPIED:
                if (folder / file).is_file():
                    _copy(folder / file, RESULTS / name.removeprefix(f"{NAME}/") / file)
        for file in RANKED:
            if (path := ROOT / "runs" / "rankings" / NAME / file).is_file():
                _copy(path, RESULTS / file)
        glance = subprocess.run(
            [sys.executable, str(SUMMARY), str(RESULTS)], capture_output=True, text=True, check=True
        )
        write_whole(RESULTS / "summary.md", glance.stdout)
        write_whole(RESULTS / "README.md", "\n".join(_page(found)) + "\n")
        print(f"wrote {RESULTS.relative_to(ROOT)}/README.md")

    def _timed(self, part: str, what: str, *command: str) -> None:
        """Run a command of this environment; its seconds are added to the part's, whether or not it came to its end."""
        print(f"== {part}: {' '.join(command)}", flush=True)
        began = time.monotonic()
        try:
            done = subprocess.run(command, cwd=ROOT, env=environment(), check=False)
        finally:
            _add(part, what, time.monotonic() - began)
        if done.returncode:
            self.failed.append(f"{' '.join(command)} ended with {done.returncode}")


def _times() -> dict[str, dict[str, float]]:
    times: dict[str, dict[str, float]] = json.loads(TIMES.read_text(encoding="utf-8")) if TIMES.is_file() else {}
    return times


def _add(part: str, what: str, seconds: float) -> None:
    times = _times()
    spent = times.setdefault(part, {})
    spent[what] = spent.get(what, 0.0) + seconds
    write_whole(TIMES, json.dumps(times, indent=1) + "\n")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _page(found: dict[str, Path]) -> Iterator[str]:
    """What was computed, how long it took, and with what."""
    yield "# Results of the open benchmark"
    yield ""
    yield "Written by `make benchmark-open`; do not edit. What the numbers say: docs/when-does-balancing-help.md."
    yield ""
    if (RESULTS / RANKED[0]).is_file():
        yield "[All tables at a glance](summary.md); [average ranks](ranking.md) ([drawn](ranking.svg),"
        yield "[as CSV](ranking.csv)); per table:"
        yield ""
    yield "| table | rows with a number | seeds | protocol | tuned |"
    yield "|---|---:|---:|---|---|"
    for name, folder in found.items():
        yield _line(name, folder)
    yield ""
    yield "Wall time, the calls of each part added up:"
    yield ""
    yield "| part | minutes | the longest |"
    yield "|---|---:|---|"
    for part, spent in _times().items():
        longest = max(spent, key=lambda what: spent[what])
        yield f"| {part} | {sum(spent.values()) / 60:.1f} | {longest}: {spent[longest] / 60:.1f} |"
    yield ""
    yield f"Computed until {date.today().isoformat()} at commit {commit(ROOT)} on {machine()}."
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    yield f"Python {platform.python_version()}, {versions}."


def _line(name: str, folder: Path) -> str:
    """A table in one line; what was not computed is said to be missing."""
    short, file = name.removeprefix(f"{NAME}/"), folder / "table.csv"
    tuned = "yes" if (ROOT / "specs" / "tuned" / f"{name}.yaml").is_file() else "no"
    if not file.is_file():
        return f"| {short} | not computed | | | {tuned} |"
    with file.open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    rows = {line["row"]: line["n"] for line in reversed(lines)}
    numbers = [int(n) for n in rows.values() if n]
    seeds = (
        f"{min(numbers)} to {max(numbers)}"
        if numbers and min(numbers) != max(numbers)
        else f"{max(numbers, default=0)}"
    )
    protocol = lines[0]["protocol"]
    return f"| [{short}]({short}/table.md) | {len(numbers)} of {len(rows)} | {seeds} | `{protocol}` | {tuned} |"


def main() -> None:
    parts: dict[str, Callable[[Benchmark], None]] = {
        "prepare": Benchmark.prepare,
        "tune": Benchmark.tune,
        "tables": Benchmark.tables,
        "rank": Benchmark.rank,
        "imbalance": Benchmark.imbalanced,
        "results": Benchmark.results,
    }
    parser = argparse.ArgumentParser(description="The open benchmark, whole or a part of it.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; default: all")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TABLE", help="this table alone; may be repeated"
    )
    asked = parser.parse_args()
    if unknown := [part for part in asked.parts if part not in parts]:
        parser.error(f"no part: {', '.join(unknown)} (allowed: {', '.join(parts)})")
    failed: list[str] = []
    for part, run in parts.items():
        if not asked.parts or part in asked.parts:
            benchmark = Benchmark(asked.only)  # read anew: tuning changes what the tables say
            run(benchmark)
            failed += benchmark.failed
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    try:
        main()
    except CggmError as error:
        sys.exit(str(error))
