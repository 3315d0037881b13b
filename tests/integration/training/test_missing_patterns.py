"""Missing patterns from a spec to seeds.json: drawn again the same, in training that goes on and in evaluation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cggm_pipeline.build import Run, build
from cggm_pipeline.build.evaluate import evaluate
from cggm_pipeline.build.score import score
from cggm_pipeline.build.train import train
from cggm_pipeline.spec import Experiment, Project, dump, load_dataset, load_experiment
from cggm_pipeline.training.checkpoint import Checkpoints

RATES = [0.0, 0.5, 0.9]
INCOMPLETE = {"kind": "incomplete", "share": 0.7}
HALF = {"kind": "rate", "rate": 0.5}


def gappy(project: Path, **changes: Any) -> Experiment:
    """Points of which every seventh lacks `when` by itself, with a pattern in training that every epoch draws anew."""
    found = load_experiment("sides", Project(project)).spec.model_dump(mode="json")
    found["training"] |= {"epochs": 3}
    found |= {"missing": {"train": INCOMPLETE, "redraw": True}, "seeds": [0, 1]}
    found |= {"evaluation": {"subsets": True, "missing_rates": RATES}}
    return Experiment.model_validate(found | changes)


@pytest.fixture(scope="module")
def evaluated(project: Path) -> Path:
    """runs/gaps with two rows: natural gaps in the test split, and a pattern for it."""
    rows = {"natural": gappy(project), "half": gappy(project, missing={"train": INCOMPLETE, "test": HALF})}
    resolved = project / "specs/resolved"
    for row, spec in rows.items():
        train(spec, project / f"runs/gaps/{row}", key=row, project=project)
        (resolved / "gaps").mkdir(parents=True, exist_ok=True)
        (resolved / f"gaps/{row}.yaml").write_text(dump(spec))
    for path, text in (
        ("tables/gaps.yaml", "order: [natural, half]\nmetric: null\n"),
        ("datasets/points.yaml", dump(load_dataset("points", Project(project)).spec)),
    ):
        (resolved / path).parent.mkdir(parents=True, exist_ok=True)
        (resolved / path).write_text(text)
    evaluate("gaps", project)
    return project / "runs/gaps"


def entries(table: Path, split: str = "test") -> dict[tuple[str, int], dict[str, Any]]:
    found = json.loads((table / "evaluation/seeds.json").read_text())
    return {(one["row"], one["seed"]): one for one in found if one["split"] == split}


def present(table: Path, row: str, seed: int) -> tuple[list[str], np.ndarray]:
    with np.load(table / f"evaluation/predictions/{row}-{seed}.npz", allow_pickle=False) as file:
        return file["modalities"].tolist(), file["present"]


def test_nothing_missing_is_the_complete_test_split_bit_for_bit(evaluated: Path) -> None:
    for seed in (0, 1):
        found = entries(evaluated)["natural", seed]
        assert list(found["rates"]) == ["0.0", "0.5", "0.9"]
        assert found["rates"]["0.0"] == found["metrics"]
        assert found["rates"]["0.9"] != found["metrics"]
        assert set(found["rates"]["0.5"]) == set(found["metrics"])
        assert not entries(evaluated, "valid")["natural", seed]["rates"]


def test_a_rate_has_the_gaps_of_the_pattern_with_this_rate(evaluated: Path, project: Path) -> None:
    """The row that is tested at 0.5 finds there what a network is measured with whose spec says so."""
    found = entries(evaluated)["half", 0]
    assert found["rates"]["0.5"] == found["metrics"]
    assert found["rates"]["0.0"] != found["metrics"]


def test_two_evaluations_are_the_same(evaluated: Path, project: Path) -> None:
    before = (evaluated / "evaluation/seeds.json").read_bytes()
    evaluate("gaps", project)
    assert (evaluated / "evaluation/seeds.json").read_bytes() == before


def test_the_archive_says_who_had_what_and_the_digest_that_it_was_the_same(evaluated: Path) -> None:
    found = {key: one["gaps"] for key, one in entries(evaluated).items()}
    assert found["natural", 0] == found["natural", 1]
    assert len({found["natural", 0], found["half", 0], found["half", 1]}) == 3
    assert all(not one["gaps"] for one in entries(evaluated, "valid").values())
    names, natural = present(evaluated, "natural", 0)
    _, half = present(evaluated, "half", 0)
    assert names == ["when", "where"]
    assert natural[:, 1].all()
    assert 0 < (~natural[:, 0]).sum() < len(natural) / 3
    assert not (half & ~natural).any()  # what the data lack stays missing
    assert half.any(1).all()
    assert half[~natural[:, 0], 1].all()  # the last that a sample has is never taken
    assert 0.3 < half[natural[:, 0]].mean() < 0.9


def test_a_run_is_scored_with_the_gaps_of_each_seed(evaluated: Path, project: Path) -> None:
    found = {one.seed: one.test for one in score(evaluated / "half", project, device="cpu")}
    assert found == {seed: pytest.approx(entries(evaluated)["half", seed]["metrics"]) for seed in (0, 1)}


class Stopped(BaseException):
    """Stands for a kill: nothing in the package may catch it and go on."""


def fitted(run: Run, state: Path | None = None) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    eager = replace(run, options=replace(run.options, checkpoint_seconds=0.0))
    return eager.fit(state=state, key="k").history, run.built.network.state_dict()


def test_a_training_that_goes_on_in_the_middle_of_an_epoch_has_its_gaps(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = gappy(project)
    whole = fitted(build(spec, 1, project=project, device="cpu"))
    real, left = Checkpoints.save, [6]  # an epoch has four batches

    def save(checkpoints: Checkpoints, content: dict[str, Any]) -> None:
        real(checkpoints, content)
        left[0] -= 1
        if not left[0]:
            raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", save)
        with pytest.raises(Stopped):
            fitted(build(spec, 1, project=project, device="cpu"), tmp_path)
    assert Checkpoints(tmp_path, key="k", seed=1).load()[0]["position"][1]
    history, weights = fitted(build(spec, 1, project=project, device="cpu"), tmp_path)
    assert history == whole[0]
    assert all(torch.equal(value, whole[1][name]) for name, value in weights.items())


def test_redrawn_gaps_train_another_network_than_those_of_one_draw(project: Path) -> None:
    once = gappy(project, missing={"train": INCOMPLETE})
    weights = [fitted(build(spec, 0, project=project, device="cpu"))[1] for spec in (gappy(project), once)]
    assert not all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
