"""Which parameters learn, which statistics stand still, and what matches nothing."""

from __future__ import annotations

import copy

import pytest
import torch
from adapter_networks import LENGTHS, flat, images, inputs, learning, sequences, steps, vectors
from torch import nn

from cggm_pipeline.adapters.bitfit import BitFit
from cggm_pipeline.adapters.frozen import Frozen
from cggm_pipeline.adapters.none import NoAdapter
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.predictors.plain import evaluating
from cggm_pipeline.layers.features import Input
from cggm_pipeline.network import Network

VECTORS = {"audio": 1, "text": 1}


def running(adapted: Network) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in adapted.named_buffers() if "running" in name or "tracked" in name}


def test_none_leaves_everything_to_learn() -> None:
    adapted = sequences()
    assert NoAdapter()(adapted, LENGTHS) == 0
    assert learning(adapted) == dict(adapted.named_parameters()).keys()
    assert adapted.still == ()


def test_by_default_the_head_learns_alone() -> None:
    adapted = sequences()
    assert Frozen()(adapted, LENGTHS) == 2
    assert learning(adapted) == {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (["head.*"], {"head."}),
        (["encoders.audio.*", "head.bias"], {"encoders.audio.", "head.bias"}),
        (["encoders.*.projection.*"], {f"encoders.{name}.projection." for name in LENGTHS}),
        (["fusion.*"], {"fusion."}),
    ],
)
def test_patterns_name_parameters(train: list[str], expected: set[str]) -> None:
    adapted = sequences()
    number = Frozen(train=train)(adapted, LENGTHS)
    names = {name for name, _ in adapted.named_parameters() if name.startswith(tuple(expected))}
    assert learning(adapted) == names
    assert number == len(names)


def test_norms_are_the_scales_and_shifts_of_every_normalisation_layer() -> None:
    adapted = sequences()
    Frozen(train=["norms"])(adapted, LENGTHS)
    assert learning(adapted) == {name for name, _ in adapted.named_parameters() if "norm" in name}
    assert learning(adapted)
    mixed = vectors()
    Frozen(train=["norms"])(mixed, VECTORS)
    found = [
        f"encoders.{name}.layers.{place}.{side}" for name in VECTORS for place in (1, 4) for side in ("weight", "bias")
    ]
    assert learning(mixed) == set(found)


def test_statistics_of_frozen_batch_normalisation_stand_still_and_of_learning_ones_move() -> None:
    for adapter, moves in ((Frozen(), False), (BitFit(), False), (Frozen(train=["norms"]), True), (NoAdapter(), True)):
        adapted = vectors()
        adapter(adapted, VECTORS)
        before = running(adapted)
        steps(adapted, flat())
        changed = {name for name, value in running(adapted).items() if not torch.equal(value, before[name])}
        assert changed == (set(before) if moves else set()), adapter


def test_part_of_the_batch_normalisations_may_learn() -> None:
    adapted = vectors()
    Frozen(train=["encoders.audio.*"])(adapted, VECTORS)
    assert adapted.still == ("encoders.text.layers.1", "encoders.text.layers.4")
    modes = {name: module.training for name, module in adapted.named_modules() if isinstance(module, nn.BatchNorm1d)}
    assert modes == {
        "encoders.audio.layers.1": True,
        "encoders.audio.layers.4": True,
        "encoders.text.layers.1": False,
        "encoders.text.layers.4": False,
    }


def test_batch_normalisation_without_parameters_stands_still() -> None:
    adapted = images()
    norm = adapted.encoders["photo"].stages[0]
    norm[1] = nn.BatchNorm2d(4, affine=False)
    Frozen(train=["encoders.*"])(adapted, {"photo": 1})
    assert adapted.still == ("encoders.photo.stages.0.1",)


def test_what_stands_still_does_so_in_copies_and_after_evaluation_and_dropout_goes_on() -> None:
    adapted = copy.deepcopy(_frozen(vectors()))
    before = running(adapted)
    adapted.train()
    with evaluating(adapted):
        adapted(flat())
    steps(adapted, flat())
    assert all(torch.equal(value, before[name]) for name, value in running(adapted).items())
    assert adapted.training
    assert not adapted.encoders["audio"].layers[1].training
    dropping = sequences()
    Frozen()(dropping, LENGTHS)
    dropping.train()
    assert not torch.equal(dropping(inputs()).logits, dropping(inputs()).logits)


def _frozen(adapted: Network) -> Network:
    Frozen()(adapted, VECTORS)
    return adapted


def test_a_network_in_evaluation_mode_stays_in_it() -> None:
    adapted = _frozen(vectors().eval())
    assert not any(module.training for module in adapted.modules())


def test_nothing_frozen_moves_and_everything_else_does() -> None:
    adapted = vectors()
    Frozen(train=["encoders.text.*", "head.*"])(adapted, VECTORS)
    before = {name: parameter.detach().clone() for name, parameter in adapted.named_parameters()}
    steps(adapted, flat(), number=3)
    moved = {name for name, parameter in adapted.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved <= learning(adapted)
    assert {"head.weight", "encoders.text.layers.1.weight"} <= moved


@pytest.mark.parametrize("adapter", [Frozen, BitFit])
def test_a_pattern_that_matches_nothing_is_an_error_that_says_what_there_is(adapter: type) -> None:
    message = r"train: 'encoder\.\*' matches no parameter of the network \(it has: encoders.audio.\* 8, .*fusion.\* 2"
    with pytest.raises(BuildError, match=message):
        adapter(train=["head.*", "encoder.*"])(vectors(), VECTORS)


def test_defaults_may_match_nothing_and_norms_must_match() -> None:
    headless = sequences()
    headless.head = nn.Identity()
    assert Frozen(train=["head.*", "fill.*", "fusion.*"])(headless, LENGTHS) > 0
    with pytest.raises(BuildError, match="matches no parameter, so nothing would learn"):
        Frozen()(headless, LENGTHS)
    plain = images()
    for stage in plain.encoders["photo"].stages:
        stage[1] = nn.Identity()
    with pytest.raises(BuildError, match="train: 'norms' matches no parameter"):
        Frozen(train=["norms"])(plain, {"photo": 1})
    with pytest.raises(BuildError, match="train: nothing matches"):
        Frozen(train=[])(plain, {"photo": 1})


def test_bitfit_trains_every_bias_and_the_head() -> None:
    adapted = sequences()
    biases = {name for name, _ in adapted.named_parameters() if name.endswith(".bias")}
    assert BitFit()(adapted, LENGTHS) == len(biases)
    assert learning(adapted) == biases | {"head.weight"}
    alone = sequences()
    BitFit(train=[])(alone, LENGTHS)
    assert learning(alone) == biases


def test_bitfit_without_a_bias_is_an_error() -> None:
    adapted = images()
    for name, parameter in list(adapted.named_parameters()):
        if name.endswith("bias"):
            owner = dict(adapted.named_modules())[name.removesuffix(".bias")]
            owner.register_parameter("bias", None)
            assert parameter is not owner.bias
    with pytest.raises(BuildError, match="bitfit trains biases, and no layer of this network has one"):
        BitFit()(adapted, {"photo": 1})


@pytest.mark.parametrize("adapter", [BitFit(), Frozen(train=["encoders.text.*"]), Frozen(train=["norms"])])
def test_nothing_learns_inside_an_encoder_that_is_frozen_by_itself(adapter: Frozen) -> None:
    frozen = vectors()
    frozen.encoders["text"].freeze = True
    with pytest.raises(BuildError, match="the encoder of 'text' has freeze: true, so nothing inside it can learn"):
        adapter(frozen, VECTORS)
    assert Frozen()(frozen, VECTORS) == 2


def test_gradients_are_made_for_nothing_frozen() -> None:
    adapted = sequences()
    BitFit()(adapted, LENGTHS)
    adapted(inputs()).logits.sum().backward()
    assert {name for name, p in adapted.named_parameters() if p.grad is not None} == learning(adapted)
    assert isinstance(inputs()["audio"], Input)
