"""What every per-modality classifier promises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cggm_pipeline.build.tables import CLASSIFIERS, implementation
from cggm_pipeline.fusions.deeplab import DeepLab
from cggm_pipeline.layers.features import Features

VALUES = {"vector": (4, 10), "tokens": (4, 6, 10), "map": (4, 10, 3, 3)}
MAP = (6, 6)
"""Height and width of a map classifier's logits: those of the finest map that is given here."""
every = pytest.mark.parametrize("layout", CLASSIFIERS)


def features(layout: str, dtype: torch.dtype = torch.float32) -> Features:
    values = torch.randn(VALUES[layout], generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    if layout == "map":
        return Features([torch.zeros(4, 3, 6, 6, dtype=dtype), values.requires_grad_()])
    mask = (torch.arange(6) >= 4).repeat(4, 1) if layout == "tokens" else None
    return Features(values.requires_grad_(), mask)


def classifier(layout: str, head_width: int = 10) -> nn.Module:
    torch.manual_seed(0)
    kind = implementation(CLASSIFIERS[layout])
    if layout == "map":
        decoder = DeepLab({kind.own: (3, 10)}, width=head_width, low_width=2, low_level=0)
        made: nn.Module = kind(decoder, 3)
    else:
        made = kind(10, head_width, 3)
    return made


@every
@pytest.mark.parametrize("head_width", [10, 17])
def test_its_head_is_its_last_linear_layer_with_the_width_asked_for(layout: str, head_width: int) -> None:
    made = classifier(layout, head_width)
    seen = []
    made.head.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0], output)))
    logits = made(features(layout))
    places = MAP if layout == "map" else ()
    assert logits.shape == (4, 3, *places)
    assert made.head.weight.flatten(1).shape == (3, head_width)
    assert logits is seen[0][1]
    assert seen[0][0].shape == (4, head_width, *places)


@every
def test_gradients_reach_everything_and_detached_features_get_none(layout: str) -> None:
    made, given = classifier(layout), features(layout)
    made(given.detach()).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())
    last = given.values[-1] if isinstance(given.values, list) else given.values
    assert last.grad is None
    made(given).square().sum().backward()
    assert last.grad is not None
    assert last.grad.abs().sum() > 0


@every
def test_rows_are_independent_and_float64_and_the_state_dict_work(layout: str) -> None:
    made, other = classifier(layout).double().eval(), classifier(layout, 10).double().eval()
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    other.load_state_dict(made.state_dict())
    given = features(layout, torch.float64)
    whole = made(given)
    assert torch.equal(whole, other(given))
    alone = made(Features(given.map(lambda v: v[2:3]).values, None if given.mask is None else given.mask[2:3]))
    torch.testing.assert_close(alone[0], whole[2])


def test_a_vector_of_the_heads_width_is_read_by_the_linear_layer_alone() -> None:
    assert [name for name, _ in classifier("vector").named_parameters()] == ["head.weight", "head.bias"]
