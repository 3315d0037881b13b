"""Any mutated spec is valid, or refused with problems that each have a file, a line and a message; nothing else."""

from __future__ import annotations

import copy
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cggm_pipeline.errors import Problem
from cggm_pipeline.spec.examine import examine
from cggm_pipeline.spec.project import Project

DATASET = """\
version: 1
kind: dataset
source:
  kind: table
  path: data/raw/films.csv
  columns:
    poster: {columns: [poster], type: image}
    plot: {columns: [a, b, c], type: numbers}
    sound: {columns: [sound], type: npy}
  target: genre
split: {kind: stratified, valid: 0.1, test: 2e-1, seed: 3}
modalities:
  poster: {shape: [3, 64, 64], dtype: uint8}
  plot: {shape: [3]}
  sound: {shape: [null, 40]}
target: {kind: classes, number: 4, names: [comedy, drama, horror, war]}
"""
EXPERIMENT = """\
version: 1
kind: experiment
description: all sections
data: films
modalities:
  poster:
    encoder: {kind: conv, channels: [8, 16], batch_norm: true}
    transforms:
      - {kind: resize, size: [32, 32]}
      - {kind: normalise, mean: [0.5, 0.5, 0.5], std: [1, 1, 1]}
      - {kind: flip}
  plot: {encoder: {kind: mlp, hidden: [16]}}
  sound: {encoder: {kind: transformer, width: 16, heads: 4, output: mean}}
use: [poster, plot, sound]
fusion: {kind: gated, width: 16}
task: {kind: classification, loss: {kind: cross_entropy, class_weights: [1, 2, 1.5, 1e-1], label_smoothing: 0.1}}
modulation: {kind: cggm, preset: released, rho: 1.2, lam: 1e-1}
classifiers: {lr: 5e-4, heads: 4}
training:
  epochs: 3
  optimizer: {kind: adamw, lr: 1e-3, betas: [0.9, 0.99]}
  scheduler: {kind: cosine, warmup: 1}
  selection: {metric: f1_macro, mode: max}
  early_stopping: {patience: 2}
  clip: 0.8
seeds: [0, 1]
"""
OVERLAY = """\
version: 1
kind: experiment
extends: base.yaml
modalities: {poster: {encoder: {channels: [4]}}}
fusion: {kind: late}
training: {clip: null}
"""
TABLE = """\
version: 1
kind: table
title: Films
base: experiments/base.yaml
baseline: Joint
metric: accuracy
rows:
  Joint: {modulation: {kind: none}}
  "OGM-GE (2022)": {modulation: {kind: ogm_ge, form: cvpr22}, published: {table: paper, row: OGM-GE}}
sweep: {modulation.rho: [1.0, null], training.optimizer.lr: [1e-3, 1e-2]}
seeds: [0, 1, 2]
"""
CLAIMS = """\
version: 1
kind: claims
paper: A paper
table: Table 1
dataset: Films
source: [the paper]
status: seen
columns: {Acc: {metric: accuracy, unit: percent, direction: higher}}
rows: {OGM-GE: {Acc: 71.5}, CGGM: {Acc: unknown}}
"""
FILES = {
    "datasets/films.yaml": DATASET,
    "experiments/base.yaml": EXPERIMENT,
    "experiments/overlay.yaml": OVERLAY,
    "tables/films.yaml": TABLE,
    "claims/paper.yaml": CLAIMS,
}
JARGON = re.compile(r"Input should|Extra inputs|Field required|pydantic|validation error|Traceback|object at 0x")

JUNK: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        10**30,
        0.5,
        -0.5,
        1e300,
        "",
        " ",
        "x",
        "cggm",
        "none",
        "unknown",
        "a/b",
        "../x",
        "~",
    ),
    *(
        [],
        {},
        [[]],
        [None],
        {"kind": None},
        {"kind": "cggm"},
        {"kind": []},
        {"kind": {"kind": "x"}},
        [1, "a", None],
        "1e-3",
    ),
    *(
        {"": ""},
        {"a.b": 1},
        {"extends": "x"},
        "base.yaml",
        "experiments/base.yaml",
        "films",
        "\x1b[31m",
        "é" * 300,
        "$(x)",
    ),
    *(float("nan"), float("inf"), "no", "0x1F", {"kind": "concat", "width": "x"}, {"kind": "transformer"}, "a" * 5000),
]
KEYS = [
    *(
        "kind",
        "version",
        "extends",
        "use",
        "seeds",
        "roh",
        "",
        " ",
        "a b",
        "a.b",
        "<<",
        "ä",
        "x" * 100,
        "published",
        "null",
    ),
    *(
        "__class__",
        "model_config",
        "rows",
        "encoder",
        "0",
        "\x00",
        "\n",
        "{{x}}",
        "${x}",
        "data",
        "source",
        "modulation",
    ),
]
BYTES = [
    b"\t",
    b":",
    b"- ",
    b"[",
    b"{",
    b"}",
    b"&a ",
    b"*a ",
    b"!!python/name:os.system ",
    b"|",
    b">",
    b"'",
    b'"',
    b"#",
    b"%",
]
BYTES += [
    b"\xff",
    b"\x00",
    b"\xe2\x80\xa8",
    b"\n---\n",
    b"? ",
    b"<<: ",
    b"@",
    b"`",
    b"\r",
    b"\xef\xbb\xbf",
    b"  ",
    b".nan",
    b"\n",
]


@pytest.fixture(scope="module")
def project_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mutants")
    for name, text in FILES.items():
        path = root / "specs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_specs_before_mutation_are_valid(project_root: Path) -> None:
    for name in FILES:
        assert examine(project_root / "specs" / name, Project(project_root)) == []


def places(data: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a tree."""
    pairs = list(data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ())
    return [(data, key) for key, _ in pairs] + [place for _, value in pairs for place in places(value)]


@st.composite
def mutated_trees(draw: st.DrawFn, text: str) -> bytes:
    """A document with one to four keys or values deleted, renamed, retyped, inserted or copied elsewhere."""
    data = yaml.load(text, yaml.CBaseLoader)  # all scalars as they are written
    for _ in range(draw(st.integers(1, 4))):
        found = places(data)
        if not found:
            break
        container, key = draw(st.sampled_from(found))
        change = draw(st.sampled_from(["delete", "rename", "retype", "insert", "copy", "misspell"]))
        value = container[key]
        if change == "retype":
            container[key] = copy.deepcopy(draw(st.sampled_from(JUNK)))
        elif change == "copy":
            other, where = draw(st.sampled_from(found))
            container[key] = copy.deepcopy(other[where])
        elif change == "insert" and isinstance(container, dict):
            container[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(JUNK)))
        elif change == "insert":
            container.insert(key, copy.deepcopy(draw(st.sampled_from(JUNK))))
        else:
            del container[key]
            if change != "delete" and isinstance(container, dict):
                container[draw(st.sampled_from(KEYS)) if change == "rename" else f"{key[1:]}{key[:1]}"] = value
    dumped = yaml.dump(data, Dumper=_Plain, sort_keys=False, default_flow_style=draw(st.sampled_from([None, False])))
    return dumped.encode("utf-8", "surrogateescape")


class _Plain(yaml.CSafeDumper):
    """Scalars that were read as text are written without quotes, as their author wrote them."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _unquoted(dumper: yaml.CSafeDumper, text: str) -> yaml.Node:
    plain = re.fullmatch(r"[\w./-]+", text) is not None
    return dumper.represent_scalar("tag:yaml.org,2002:int" if plain else "tag:yaml.org,2002:str", text)


_Plain.add_representer(str, _unquoted)


@st.composite
def mangled_texts(draw: st.DrawFn, text: str) -> bytes:
    """A document with bytes cut out, put in, doubled, and lines moved."""
    raw = text.encode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(len(raw) - 1, 0)))
        end = min(len(raw), start + draw(st.integers(0, 40)))
        change = draw(st.sampled_from(["cut", "put", "double", "swap", "byte"]))
        if change == "cut":
            raw = raw[:start] + raw[end:]
        elif change == "put":
            raw = raw[:start] + draw(st.sampled_from(BYTES)) + raw[start:]
        elif change == "double":
            raw = raw[:end] + raw[start:end] + raw[end:]
        elif change == "byte" and raw:
            raw = raw[:start] + bytes([draw(st.integers(0, 255))]) + raw[start + 1 :]
        else:
            lines = raw.split(b"\n")
            first, second = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
            lines[first], lines[second] = lines[second], lines[first]
            raw = b"\n".join(lines)
    return raw


numbers = itertools.count()
CASES = [(name, make) for name in FILES for make in (mutated_trees, mangled_texts)]
LOAD = {"max_examples": 550, "deadline": None, "suppress_health_check": list(HealthCheck), "database": None}


@pytest.mark.parametrize(("name", "make"), CASES, ids=[f"{name}-{make.__name__}" for name, make in CASES])
def test_a_mutant_is_valid_or_refused_with_its_place(project_root: Path, name: str, make: Any) -> None:
    path = project_root / "specs" / name.replace(".yaml", "-mutant.yaml")

    @settings(**LOAD)
    @given(make(FILES[name]))
    def judge(raw: bytes) -> None:
        path.write_bytes(raw)
        next(numbers)
        for problem in examine(path, Project(project_root)):
            check(problem, project_root)

    judge()
    path.unlink()


def check(problem: Problem, root: Path) -> None:
    """What a person needs to mend it is there, and is about a line that exists."""
    assert problem.file
    assert problem.message
    assert problem.line >= 1, problem
    assert problem.column >= 1, problem
    lines = (root / problem.file).read_bytes().decode("utf-8", "replace").splitlines() or [""]
    assert problem.line <= len(lines) + 1, problem
    assert str(problem).startswith(f"{problem.file}:{problem.line}:{problem.column}: error: ")
    assert not JARGON.search(str(problem)), problem
    assert all(line.isprintable() for line in str(problem).split("\n")), problem


def test_there_were_at_least_five_thousand_mutants() -> None:
    assert next(numbers) >= 5000
