"""Wander in a network: where it stands, what it asks of encoders and data, and what learns."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import pytest
import torch
from adapter_networks import (
    FEATURES,
    LENGTHS,
    WIDTH,
    flat,
    images,
    inputs,
    learning,
    network,
    sequences,
    steps,
    vectors,
)
from torch import Tensor

from cggm_pipeline.adapters._low_rank import SumOfProducts
from cggm_pipeline.adapters.wander import Wander
from cggm_pipeline.encoders.mlp import MLP
from cggm_pipeline.encoders.transformer import Transformer
from cggm_pipeline.errors import BuildError
from cggm_pipeline.fills import Fill
from cggm_pipeline.fusions.late import Late
from cggm_pipeline.layers.features import Features, Input

SIZES = {"rank": 3, "drank": 2, "trank": 2}


class Prompted(Fill):
    """Attaches two tokens to every sequence, as prompts do."""

    def forward(self, features: Mapping[str, Features], present: Mapping[str, Tensor | None]) -> dict[str, Features]:
        return {
            name: Features(torch.cat([value.tensor, value.tensor[:, :2]], dim=1)) for name, value in features.items()
        }


def test_on_the_last_features_it_is_the_fusion_of_all_of_them() -> None:
    adapted, given = sequences().eval(), inputs()
    assert Wander(**SIZES)(adapted, LENGTHS) == 1
    steps(adapted, given)
    adapted.eval()
    encoded = {name: encoder(given[name]) for name, encoder in adapted.encoders.items()}
    fused = adapted.adapter.fusion(encoded, {})
    output = adapted(given)
    for name, value in fused.items():
        assert torch.equal(output.features[name].tensor, value.tensor)
        assert not torch.allclose(value.tensor, encoded[name].tensor)
    assert torch.equal(output.logits, adapted.head(adapted.fusion(fused).tensor))


def test_behind_every_block_the_last_blocks_stand_side_by_side() -> None:
    adapted = sequences(layers={"audio": 3, "text": 1, "vision": 2})
    assert Wander(**SIZES, where="every")(adapted, LENGTHS) == 3
    names = [list(meeting.parts) for meeting in adapted.adapter.meetings]
    assert names == [["audio"], ["audio", "vision"], ["audio", "text", "vision"]]
    assert len(adapted.adapter.own("audio")) == 3
    assert len(adapted.adapter.own("text")) == 1


def test_behind_every_block_it_is_the_encoders_blocks_and_the_fusions_in_turn() -> None:
    lengths = {"audio": 6, "text": 5}
    adapted, given = sequences(lengths, layers={"audio": 2, "text": 2}), inputs(lengths)
    Wander(**SIZES, where="every")(adapted, lengths)
    steps(adapted, given)
    adapted.eval()
    tokens = {
        name: encoder.transformer.embed(encoder.projection(given[name].values))
        for name, encoder in adapted.encoders.items()
    }
    for level in (0, 1):
        blocks = {name: encoder.transformer.blocks[level] for name, encoder in adapted.encoders.items()}
        met = adapted.adapter.meetings[level]({name: Features(blocks[name](x)) for name, x in tokens.items()}, {})
        tokens = {name: value.tensor for name, value in met.items()}
    features = {name: Features(encoder.transformer.norm(tokens[name])) for name, encoder in adapted.encoders.items()}
    assert torch.equal(adapted(given).logits, adapted.head(adapted.fusion(features).tensor))


@pytest.mark.parametrize("where", ["last", "every"])
def test_an_absent_modality_is_neutral_on_the_way_and_what_the_fill_makes_of_it_counts_at_the_end(where: str) -> None:
    adapted, given = sequences(layers=dict.fromkeys(LENGTHS, 2)), inputs()
    Wander(**SIZES, where=where)(adapted, LENGTHS)
    steps(adapted, given)
    adapted.eval()
    nobody = torch.zeros(5, dtype=torch.bool)
    without = {**given, "audio": Input(given["audio"].values, None, nobody)}
    other = {**given, "audio": Input(3 * given["audio"].values, None, nobody)}
    assert torch.equal(adapted(without).logits, adapted(other).logits)
    met = adapted.adapter.encode(adapted.encoders, without)["audio"].tensor
    alone = adapted.encoders["audio"](given["audio"]).tensor
    assert torch.equal(met, alone)


@pytest.mark.parametrize("options", [{}, {"where": "every"}, {"tokens": 3}, {"tokens": 3, "where": "every"}])
def test_every_parameter_of_it_learns_from_the_first_step_on(options: dict[str, object]) -> None:
    adapted, given = sequences(layers=dict.fromkeys(LENGTHS, 2)), inputs()
    Wander(**SIZES, **options)(adapted, LENGTHS)
    adapted(given).logits.square().mean().backward()
    own = [name for name, _ in adapted.named_parameters() if name.startswith("adapter.")]
    assert own
    assert learning(adapted) == {*own, "head.weight", "head.bias"}
    for name, parameter in adapted.named_parameters():
        assert (parameter.grad is not None and bool(parameter.grad.any())) == (name in learning(adapted)), name


def test_the_released_form_never_learns_in_a_network() -> None:
    adapted, given = sequences(), inputs()
    Wander(form="released", **SIZES)(adapted, LENGTHS)
    before = copy.deepcopy(adapted.adapter.state_dict())
    head = adapted.head.weight.detach().clone()
    for _ in range(4):
        steps(adapted, given, number=1)
        assert all(not parameter.grad.any() for parameter in adapted.adapter.parameters())
    assert all(torch.equal(value, before[name]) for name, value in adapted.adapter.state_dict().items())
    assert not torch.equal(adapted.head.weight, head)


def test_vectors_are_one_token_each() -> None:
    adapted = vectors()
    Wander(**SIZES)(adapted, {"audio": 1, "text": 1})
    assert {part.time.shape[1] for _, part in adapted.adapter.fusion.parts.items()} == {1}
    steps(adapted, flat())
    assert adapted.eval()(flat()).features["audio"].tensor.shape == (5, WIDTH)
    assert Wander(**SIZES, tokens=4)(vectors(), {"audio": 1, "text": 1}) == 1


def test_vectors_and_sequences_meet() -> None:
    torch.manual_seed(0)
    encoders = {
        "audio": Transformer((6, FEATURES), width=WIDTH, heads=2, layers=1, output="mean"),
        "text": MLP((FEATURES,), hidden=[WIDTH]),
    }
    mixed = network(encoders, Late(dict.fromkeys(encoders, WIDTH)))
    assert Wander(**SIZES)(mixed, {"audio": 1, "text": 1}) == 1
    steps(mixed, {"audio": inputs()["audio"], "text": flat()["text"]})


def test_tokens_that_a_fill_attaches_are_counted() -> None:
    adapted = sequences(fill=Prompted())
    Wander(**SIZES)(adapted, LENGTHS)
    parts = adapted.adapter.fusion.parts
    assert {name: part.time.shape[1] for name, part in parts.items()} == {n: k + 2 for n, k in LENGTHS.items()}
    assert adapted.fill.training
    steps(adapted, inputs())


def test_varying_lengths_ask_for_a_grid() -> None:
    lengths = {**LENGTHS, "text": None}
    with pytest.raises(BuildError, match="tokens: the number of tokens of 'text' varies or is not known; set it"):
        Wander(**SIZES)(sequences(), lengths)
    adapted = sequences()
    Wander(**SIZES, tokens=4)(adapted, lengths)
    given, longer = inputs(), inputs({**LENGTHS, "text": 9})
    steps(adapted, given)
    adapted.eval()
    exact = adapted(given).features
    values = torch.cat([given["text"].values, torch.full((5, 4, FEATURES), 7.0)], dim=1)
    mask = (torch.arange(9) >= 5).repeat(5, 1)
    padded = adapted({**given, "text": Input(values, mask)}).features
    for name, length in {**LENGTHS, "text": 5}.items():  # the fusion's positions count padding
        torch.testing.assert_close(padded[name].tensor[:, :length], exact[name].tensor, rtol=1e-4, atol=1e-5)
    assert adapted(longer).logits.isfinite().all()


def test_inside_an_encoder_whose_output_is_a_vector_the_number_of_tokens_is_not_known() -> None:
    torch.manual_seed(0)
    encoders = {name: Transformer((6, FEATURES), width=WIDTH, heads=2, layers=1, output="first") for name in "ab"}
    made = network(encoders, Late(dict.fromkeys(encoders, WIDTH)))
    with pytest.raises(BuildError, match="tokens: the number of tokens of 'a'"):
        Wander(**SIZES, where="every")(made, {"a": 1, "b": 1})
    assert Wander(**SIZES, where="every", tokens=4)(made, {"a": 1, "b": 1}) == 1
    given = inputs({"a": 6, "b": 6})
    steps(made, given)


def test_what_does_not_fit_is_refused_with_the_reason() -> None:
    pyramids, uneven, frozen = images(), vectors(), sequences()
    pyramids.encoders["photo"].layout = "pyramid"
    uneven.encoders["text"].widths = (12,)
    frozen.encoders["audio"].freeze = True
    with pytest.raises(BuildError, match="features of 'photo' are a pyramid"):
        Wander()(pyramids, {"photo": None})
    with pytest.raises(BuildError, match="wander needs features of one width, but they are: audio 10, text 12"):
        Wander()(uneven, {"audio": 1, "text": 1})
    with pytest.raises(BuildError, match=r"encoder of 'audio' \(MLP\) is no row of blocks; use where: last"):
        Wander(where="every")(vectors(), {"audio": 1, "text": 1})
    with pytest.raises(BuildError, match="'audio' has freeze: true, so nothing inside it can learn; remove"):
        Wander(where="every", **SIZES)(frozen, LENGTHS)
    with pytest.raises(ValueError, match="set a smaller rank"):
        Wander(form="released", rank=16)(sequences(), LENGTHS)


def test_one_modality_has_an_adapter_of_its_own() -> None:
    single = sequences({"audio": 6})
    Wander(**SIZES)(single, {"audio": 6})
    assert isinstance(single.adapter.fusion, SumOfProducts)
    first, second = steps(single, inputs({"audio": 6}), number=2, rate=0.1)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("where", ["last", "every"])
def test_it_learns_in_half_precision(where: str) -> None:
    adapted, given = sequences(), inputs()
    Wander(**SIZES, where=where)(adapted, LENGTHS)
    with torch.autocast("cpu", torch.bfloat16):
        adapted(given).logits.float().square().mean().backward()
    for name, parameter in adapted.named_parameters():
        if name in learning(adapted):
            assert parameter.grad.dtype == torch.float32
            assert parameter.grad.isfinite().all()
            assert parameter.grad.any()
