"""Write docs/methods.md, the table of balancing methods, from the code: `python docs/methods.py [--check]`.

Torch-free: spec classes say everything but the tests, which are found by their words.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cggm_pipeline.build.rooms import specs
from cggm_pipeline.spec.describe import annotations_of, strip

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "methods.md"
ROOMS = ("modulations", "schedules")
FUSIONS = ("mm_cosine",)
"""Methods that are a fusion; the contract tests of fusions hold them."""
HEAD = """\
# The balancing methods

<!-- written by `python docs/methods.py`; a test compares -->

`cggm explain KIND` says the rest of each: equation, parameters, defaults, what it asks for. Differences of papers and
released code: [paper-vs-code](paper-vs-code.md). Every method works in [a loop of one's own](modulations.md).

{count}

Every row but the fusion's, which has its own, is held to the contract tests `tests/contracts/test_modulation_*.py`,
which name no method: a training moves every part, with 2, 3 and 4 modalities, in every task and form of the row;
another order of the modalities gives the same bits, and so does a training that was stopped and continued; off is
joint training, bit for bit; micro-batches, two processes, bfloat16 and float64 are the plain training within
tolerance, unless a table below says why not; no NaN without gradients, with equal modalities, one class, an absent
modality or certain predictions; no step asks the device for a value.
"""


def table(head: str, rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; `head`: its columns, separated by |."""
    lines = [head.split("|"), ["---"] * (head.count("|") + 1), *rows]
    return "\n".join(f"| {' | '.join(cell.strip() for cell in row)} |" for row in lines) + "\n"


def page(root: Path = ROOT) -> str:
    """The whole document."""
    kinds = {kind: spec for room in ROOMS for kind, spec in specs(room).items() if kind != "everything"}
    kinds |= {kind: specs("fusions")[kind] for kind in FUSIONS}
    tests = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in searched(root)}
    rows = [row(kind, spec) for kind, spec in kinds.items()]
    named = [(f"`{kind}`", ", ".join(naming(kind, spec, tests))) for kind, spec in kinds.items()]
    apart = [(f"`{kind}`", *(getattr(spec, why, "") or "same" for why in WHY)) for kind, spec in kinds.items()]
    number = f"{len(rows)} kinds of {len({*map(family, kinds.values())})} families"
    number += f", in {sum(map(forms, kinds.values()))} forms."
    text = HEAD.format(count=number)
    text += "\n" + table("kind | class | family | forms | tasks | M | source", rows)
    text += "\n## What a method adds to a step\n\nBeyond joint training; measured by `benchmarks/method_costs.py`.\n\n"
    text += table("kind | forward passes | backward passes | trainable parameters | off", [*map(adds, kinds.items())])
    text += "\n## Where a step is not the plain one\n\n"
    text += table("kind | two micro-batches | two processes", [each for each in apart if set(each[1:]) != {"same"}])
    return (
        text + "\n## Tests that name a method\n\n" + table("kind | below `tests/`", [each for each in named if each[1]])
    )


WHY = ("per_micro_batch", "per_process")


def family(spec: Any) -> str:
    """What the spec class says; a schedule or a fusion is one."""
    return getattr(spec, "family", "") or spec.__module__.rpartition(".")[2].removesuffix("s")


def lists(spec: Any) -> dict[str, tuple[str, ...]]:
    """The closed lists among a method's parameters."""
    found = {name: strip(annotation)[0] for name, annotation in annotations_of(spec).items() if name != "kind"}
    return {name: kind.__args__ for name, kind in found.items() if "Literal" in str(kind)}


def forms(spec: Any) -> int:
    """In how many forms the contract tests train it."""
    return sum(map(len, lists(spec).values())) or 1


def row(kind: str, spec: Any) -> tuple[str, ...]:
    closed = "; ".join(f"{name}: {', '.join(values)}" for name, values in lists(spec).items())
    least, most = spec.min_modalities, getattr(spec, "max_modalities", None)
    number = f"{least}" if least == most else f"{least} to {most or 'any'}"
    everything = set(specs("tasks"))
    tasks = "all" if set(spec.tasks or everything) >= everything else ", ".join(sorted(spec.tasks))
    return f"`{kind}`", f"`{spec.__name__}`", family(spec), closed, tasks, number, spec.source


def adds(entry: tuple[str, Any]) -> tuple[str, ...]:
    kind, spec = entry
    values = {name: "null" if value is None else value for name, value in (getattr(spec, "off", None) or {}).items()}
    off = ", ".join(f"{name}: {value}" for name, value in values.items())
    said = [getattr(spec, name, "") for name in ("forwards", "backwards", "parameters")]
    said = said if any(said) else [spec.cost or "none", "", ""]
    return f"`{kind}`", *said, f"`{off.lower()}`" if off else ""


def searched(root: Path) -> Iterator[Path]:
    """The tests of methods, and of what they are trained by."""
    for folder in ("golden", "unit/modulations", "unit/schedules", "unit/fusions", "unit/training"):
        yield from sorted((root / "tests" / folder).glob("test_*.py"))


def naming(kind: str, spec: Any, tests: Mapping[str, str]) -> list[str]:
    """The test files whose name or text has the kind or the class."""
    word, name = re.compile(rf"\b{spec.__name__}\b|[\"']{kind}[\"'-]"), re.compile(rf"_{kind}(_|\.py$)")
    found = [path for path, text in tests.items() if name.search(path) or word.search(text)]
    return [f"`{path.removeprefix('tests/')}`" for path in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if the file is stale")
    text = page()
    if parser.parse_args().check:
        fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        print("docs/methods.md is fresh" if fresh else "docs/methods.md is stale: run `python docs/methods.py`")
        return 0 if fresh else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
