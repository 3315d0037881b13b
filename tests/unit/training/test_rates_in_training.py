"""Rates that a method gives its modalities, in the loop: what they multiply, and that a rate of 0 is no movement."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cggm_pipeline.classifiers.vector import VectorClassifier
from cggm_pipeline.modulations import MSES, MSLR, Parts
from cggm_pipeline.training.fit import fit
from cggm_pipeline.training.optimizers import OPTIMIZERS, sgd


def moved(one):
    before = {name: value.clone() for name, value in one.network.state_dict().items()}
    fit(*one.arguments())
    return {name: value - before[name] for name, value in one.network.state_dict().items()}


def test_a_rate_multiplies_its_encoders_step_and_no_other(problem):
    """One step of SGD without clipping: the encoder moves r times as far; fusion, head and the other one as ever."""
    changes = {"epochs": 1, "batch_size": 200, "clip": None, "dropout": 0.0, "optimizer": lambda g: sgd(g, lr=0.5)}
    plain, slow = problem(**changes), problem(**changes)
    parts = Parts(dict(slow.network.encoders.items()))
    method = MSLR(parts, slow.network.head, slow.task.score, form="keep", rates={"lower": 0.25})
    expected, found = moved(plain), moved(replace(slow, modulation=method))
    for name, way in expected.items():
        assert way.any(), name
        torch.testing.assert_close(found[name], way * (0.25 if "lower" in name else 1.0), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_an_encoder_at_rest_is_put_back_and_stays_bit_for_bit(problem, kind, monkeypatch):
    """With weight decay, momentum and clipping; the loop's history says so."""
    losses = iter([[0.5, 0.5], [0.6, 0.4], [0.7, 0.3], [0.1, 0.2], [0.1, 0.1]])
    monkeypatch.setattr("cggm_pipeline.modulations.mses.validated", lambda *_: torch.tensor(next(losses)).double())
    one = problem(epochs=5, optimizer=lambda groups: OPTIMIZERS[kind](groups, lr=1e-2, weight_decay=0.1))
    encoders = dict(one.network.encoders.items())
    classifiers = {name: VectorClassifier(16, one.network.fusion.width, 10) for name in encoders}
    method, kept = MSES(encoders, classifiers, one.task.loss, patience=1, smoothing=0.0), []
    real = method.end_epoch

    def ended(epoch, probe=None):
        real(epoch, probe)
        kept.append({name: [p.detach().clone() for p in e.parameters()] for name, e in encoders.items()})

    monkeypatch.setattr(method, "end_epoch", ended)
    history = fit(*replace(one, modulation=method).arguments()).history
    same = {n: [all(map(torch.equal, kept[0][n], each[n])) for each in kept[1:]] for n in encoders}
    assert same == {"lower": [False, True, True, True], "upper": [False] * 4}
    assert [row["rate_lower"] for row in history] == [1.0, 1.0, 1.0, 0.0, 0.0]
    assert [row["grad_norm_lower"] == 0 for row in history] == [False, False, False, True, True]
