"""Resolved files: every default written out, read back as they were, and the same in YAML 1.1 and 1.2."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cggm_pipeline.errors import SpecError
from cggm_pipeline.spec import Dataset, Experiment, Project, dump, load_dataset, load_experiment, load_resolved
from cggm_pipeline.spec.load import parse
from cggm_pipeline.spec.resolved import dump_data

if TYPE_CHECKING:
    from conftest import Desk


def test_round_trip(desk: Desk) -> None:
    project = Project(desk.root)
    experiment, dataset = load_experiment("cggm", project).spec, load_dataset("mosi", project).spec
    for spec, cls in ((experiment, Experiment), (dataset, Dataset)):
        path = desk.write("resolved/x.yaml", dump(spec))
        assert load_resolved(path, cls) == spec
        assert dump(load_resolved(path, cls)) == dump(spec)


def test_every_default_and_canonical_floats(desk: Desk) -> None:
    text = dump(load_experiment("cggm", Project(desk.root)).spec)
    assert "  optimizer:\n    kind: adam\n    lr: 0.001\n    betas: [0.9, 0.999]\n    eps: 1.0e-08\n" in text
    assert "\nseeds: [0]\n" in text
    assert "\n  clip: null\n" in text


def test_a_fault_of_a_resolved_file_is_located(desk: Desk) -> None:
    text = dump(load_experiment("cggm", Project(desk.root)).spec)
    path = desk.write("resolved/x.yaml", text.replace("rho: 1.3", "rho: -1"))
    with pytest.raises(SpecError) as caught:
        load_resolved(path, Experiment)
    (problem,) = caught.value.problems
    assert (problem.key, problem.message) == ("modulation.rho", "-1 is not a number of at least 0 or null")
    assert problem.line == 1 + text[: text.index("rho: 1.3")].count("\n")


scalars = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [
        "no",
        "yes",
        "on",
        "1e-3",
        "0o17",
        "1_000",
        "null",
        "~",
        "",
        ".nan",
        "2024-01-01",
        "1:30",
        "a: b",
        "- x",
        "#",
        "=",
        "<<",
    ]
)
trees = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words.filter(len), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), trees, max_size=4))
def test_any_data_reads_back_the_same_in_both_yamls(data: dict[str, object]) -> None:
    text = dump_data(data)
    assert _same(parse(text, Path("x"), "x").data, data) if data else text == "{}\n"
    assert _same(yaml.safe_load(text), data)


def _same(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and one == other
