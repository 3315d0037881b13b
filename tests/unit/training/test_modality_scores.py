"""Metrics with modalities missing: against features set to zero by hand; and what a training logs and warns of."""

from __future__ import annotations

import pytest
import torch

from cggm_pipeline.evaluation.contributions import subsets
from cggm_pipeline.evaluation.evaluate import evaluate
from cggm_pipeline.evaluation.subsets import only, subset_metrics
from cggm_pipeline.layers.features import Input
from cggm_pipeline.modulations.base import Modulation
from cggm_pipeline.training.fit import fit


def test_every_subset_is_the_network_with_the_other_features_at_zero(problem):
    made = problem()
    network, task, test = made.network.eval(), made.task, made.test
    found = subset_metrics(network, task, test, subsets(network.modalities), batch_size=7)
    assert found[frozenset(network.modalities)] == pytest.approx(evaluate(network, task, test))
    (batch,) = test.batches(1000)
    output = network(batch.inputs)
    for kept, metrics in found.items():
        logits = output.rerun([name for name in network.modalities if name not in kept])
        assert metrics["loss"] == pytest.approx(task.loss(logits, batch.target).item(), rel=1e-5)


def test_a_sample_that_lacks_a_modality_lacks_it_in_every_subset():
    there = torch.tensor([True, False])
    given = {"a": Input(torch.ones(2, 3), None, there), "b": Input(torch.ones(2, 3))}
    kept = only(given, {"a"})
    assert kept["a"] is given["a"]
    assert not kept["b"].present.any()
    assert not kept["b"].values.any()
    assert given["a"].lacking(torch.tensor([True, False])).present.tolist() == [False, False]


def test_the_history_has_each_modality_alone_where_it_is_asked_for(problem):
    made = problem(epochs=2, modality_scores=True)
    fitted = fit(*made.arguments())
    assert {"alone_lower", "alone_upper"} <= set(fitted.history[-1])
    plain = fit(*problem(epochs=2).arguments())
    assert "alone_lower" not in plain.history[-1]
    for name, value in plain.network.state_dict().items():
        assert torch.equal(value, fitted.network.state_dict()[name]), "looking changes nothing"


def test_a_warning_is_told_once(problem):
    class Stopped(Modulation):
        def modulate_(self, step):
            return {"factor": {"lower": torch.zeros(()), "upper": torch.ones(())}}

    made, told = problem(epochs=8), []
    arguments = list(made.arguments())
    arguments[2] = Stopped()
    fit(*arguments, progress=told.append)
    warned = [(moment.epoch, moment.warned) for moment in told if moment.warned is not None]
    assert [(epoch, one.rule, one.modality) for epoch, one in warned] == [(4, "saturated", "lower")]
