"""A spec with turns and a predictor of its own: the same logits select the epoch, are measured, and are predicted."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch

from cggm_pipeline.build import build
from cggm_pipeline.build.score import score
from cggm_pipeline.build.train import train
from cggm_pipeline.build.trained import find_trained
from cggm_pipeline.cli.predict_ import command as predict_command
from cggm_pipeline.evaluation.predictors.plain import predict
from cggm_pipeline.spec import Project, load_experiment
from cggm_pipeline.spec.experiment import Experiment

CHANGES = {
    "fusion": {"kind": "mean"},
    "modulation": {"kind": "mla"},
    "schedule": {"kind": "alternating"},
    "prediction": {"kind": "entropy_weighted"},
    "seeds": [0],
}


@pytest.fixture
def spec(project) -> Experiment:
    small = load_experiment("small", Project(project)).spec
    return Experiment.model_validate(small.model_dump(mode="json") | CHANGES)


def test_what_selects_is_what_is_measured_and_predicted(spec, project, tmp_path, invoke):
    run = build(spec, 0, project=project, device="cpu")
    fitted = run.fit()
    assert run.evaluate("valid")["accuracy"] == fitted.history[fitted.selected]["valid_accuracy"]
    plain = predict(run.built.network, run.data["test"])
    weighted = predict(run.built.network, run.data["test"], predictor=run.built.predictor)
    assert not torch.allclose(plain.logits, weighted.logits)

    train(spec, project / "runs/mla", key="mla", project=project, device="cpu")
    (found,) = score(project / "runs/mla", project, device="cpu")
    assert found.test == pytest.approx(run.evaluate("test"))
    out = tmp_path / "p.csv"
    result = invoke(predict_command, str(project / "runs/mla"), "data/prepared/digits", "--out", str(out))
    assert result.exit_code == 0, result.output
    trained = find_trained(project / "runs/mla")
    expected = (weighted.logits / trained.temperature(trained.seeds[0])).softmax(1)
    with out.open(newline="") as file:
        rows = np.array([[float(row[f"p_{k}"]) for k in range(10)] for row in csv.DictReader(file)])
    np.testing.assert_allclose(rows, expected.cpu().numpy(), rtol=1e-4, atol=1e-6)
