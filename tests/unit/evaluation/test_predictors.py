"""Ways to get logits out of a network, against sample-by-sample arithmetic."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from cggm_pipeline.data.input import Input
from cggm_pipeline.encoders.mlp import MLP
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.predictors.entropy_weighted import EntropyWeighted
from cggm_pipeline.evaluation.predictors.plain import Plain, evaluating
from cggm_pipeline.fills.zeros import Zeros
from cggm_pipeline.fusions.concat import Concat
from cggm_pipeline.fusions.mean import Mean
from cggm_pipeline.network import Network

WIDTHS = {"a": 4, "b": 4, "c": 4}


def network(fusion=Mean):
    torch.manual_seed(0)
    encoders = {name: MLP((3,), hidden=[4]) for name in WIDTHS}
    made = fusion(WIDTHS)
    return Network(encoders, Zeros(WIDTHS), made, nn.Linear(made.width, 5))


def inputs(present=None, size=6):
    generator = torch.Generator().manual_seed(1)
    return {
        name: Input(3 * torch.randn(size, 3, generator=generator), None, (present or {}).get(name)) for name in WIDTHS
    }


def asked(predictor, made, given):
    with evaluating(made):
        return predictor(made, given)


def by_hand(logits):
    """The certainty-weighted mean of one sample's unimodal logits, in plain Python."""

    def entropy(row):
        powers = [math.exp(value - max(row)) for value in row]
        return -sum(p / sum(powers) * math.log(p / sum(powers)) for p in powers)

    entropies = [entropy(row) for row in logits]
    weights = [math.exp(max(entropies) - each) for each in entropies]
    return [sum(w * row[k] for w, row in zip(weights, logits, strict=True)) / sum(weights) for k in range(5)]


def unimodal(made, given):
    with evaluating(made):
        features = made(given).features
        if isinstance(made.fusion, Mean):
            return {name: made.head(features[name].tensor) for name in WIDTHS}
        found = {}
        for place, name in enumerate(sorted(WIDTHS)):
            kept = torch.zeros(len(features[name].tensor), 12)
            kept[:, 4 * place : 4 * place + 4] = features[name].tensor
            found[name] = made.head(kept)
        return found


def test_plain_is_one_forward_pass_with_the_same_bits():
    made, given = network(), inputs()
    with evaluating(made):
        assert torch.equal(Plain()(made, given), made(given).logits)


@pytest.mark.parametrize("fusion", [Mean, Concat])
def test_certain_modalities_say_more(fusion):
    made, given = network(fusion), inputs()
    own = unimodal(made, given)
    found = asked(EntropyWeighted(), made, given)
    for row in range(6):
        expected = by_hand([own[name][row].tolist() for name in sorted(WIDTHS)])
        assert found[row].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_prediction_does_not_depend_on_its_batch():
    made, given = network(), inputs()
    whole = asked(EntropyWeighted(), made, given)
    alone = asked(EntropyWeighted(), made, {name: Input(each.values[2:3]) for name, each in given.items()})
    torch.testing.assert_close(alone[0], whole[2])


def test_absent_modalities_have_no_weight_and_nothing_at_all_is_the_plain_mean():
    here = torch.tensor([True, True, False, False, True, False])
    present = {"a": here, "b": torch.tensor([True, True, True, False, True, False])}
    present["c"] = torch.tensor([True] * 5 + [False])
    made, given = network(), inputs(present)
    own, found = unimodal(made, given), asked(EntropyWeighted(), made, given)
    torch.testing.assert_close(found[3], own["c"][3])
    two = by_hand([own[name][2].tolist() for name in ("b", "c")])
    assert found[2].tolist() == pytest.approx(two, rel=1e-4, abs=1e-5)
    torch.testing.assert_close(found[5], made.head.bias.detach())
    assert found.isfinite().all()


def test_equally_certain_modalities_are_averaged():
    made, given = network(), inputs()
    with torch.no_grad():
        made.head.weight.zero_()
    torch.testing.assert_close(asked(EntropyWeighted(), made, given), asked(Plain(), made, given))


def test_a_pixel_has_weights_of_its_own():
    from cggm_pipeline.evaluation.predictors.entropy_weighted import entropy

    logits = torch.randn(3, 2, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    found = entropy(logits)
    assert found.shape == (3, 2, 4, 4)
    assert found[1, 0, 2, 3].item() == pytest.approx(
        torch.distributions.Categorical(logits=logits[1, 0, :, 2, 3]).entropy().item(), rel=1e-5
    )


def test_the_network_must_be_one_with_modalities():
    with pytest.raises(BuildError, match="found Linear"):
        EntropyWeighted()(nn.Linear(1, 1), {})
