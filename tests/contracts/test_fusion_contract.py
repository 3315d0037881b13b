"""What every fusion promises."""

from __future__ import annotations

import pytest
import torch
from contract_members import NAMES, features, fusion_cases, make, tensors, widths

from cggm_pipeline.build.rooms import specs
from cggm_pipeline.fills.zeros import Zeros
from cggm_pipeline.fusions import Fusion
from cggm_pipeline.layers.features import Features

MEMBERS = fusion_cases()
CASES = [
    (member, layout, number)
    for member, (kind, _) in MEMBERS.items()
    for layout in sorted(specs("fusions")[kind].accepts)
    for number in (2, 3, 4)
]
every = pytest.mark.parametrize(("kind", "layout", "number"), CASES)


def fusion(member: str, layout: str, number: int, order: int = 1) -> Fusion:
    kind, options = MEMBERS[member]
    made: Fusion = make("fusions", kind, widths(layout, NAMES[:number][::order]), **options)
    return made


def row(features: Features, index: int) -> Features:
    """One sample alone."""
    mask = None if features.mask is None else features.mask[index : index + 1]
    return Features(features.map(lambda values: values[index : index + 1]).values, mask)


@every
def test_it_accepts_and_gives_what_its_spec_says(kind: str, layout: str, number: int) -> None:
    spec = specs("fusions")[MEMBERS[kind][0]]
    made = fusion(kind, layout, number)
    assert made.accepts == spec.accepts
    assert made.dense == (spec.layout == "map")
    assert made.dense or "pyramid" not in made.accepts, "no classifier reads a pyramid before a z that is no map"


@every
def test_z_is_as_wide_as_promised_and_every_modality_gets_a_gradient(kind: str, layout: str, number: int) -> None:
    made = fusion(kind, layout, number)
    given = features(layout, NAMES[:number])
    z = made(given).tensor
    assert z.shape[:2] == (6, made.width)
    assert z.dim() == (4 if made.dense else 2)
    assert z.isfinite().all()
    z.square().sum().backward()
    for value in given.values():
        gradients = [tensor.grad for tensor in tensors(value) if tensor.grad is not None]
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert tensors(value)[-1].grad is not None
        assert all(gradient.abs().sum() > 0 for gradient in gradients)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


@every
def test_the_order_of_modalities_does_not_matter(kind: str, layout: str, number: int) -> None:
    given = features(layout, NAMES[:number])
    forwards, backwards = fusion(kind, layout, number).eval(), fusion(kind, layout, number, order=-1).eval()
    turned = {name: given[name] for name in reversed(list(given))}
    assert torch.equal(forwards(given).tensor, backwards(turned).tensor)
    assert forwards.blocks == backwards.blocks


@every
def test_a_block_of_z_depends_on_its_modality_alone_and_on_all_of_it(kind: str, layout: str, number: int) -> None:
    made = fusion(kind, layout, number).eval()
    if made.blocks is None:
        pytest.skip("z mixes the modalities")
    assert sorted((block.start, block.stop) for block in made.blocks.values())[-1][1] == made.width
    given = features(layout, NAMES[:number])
    for name, block in made.blocks.items():
        parts = made(given).tensor[:, block].sum()
        gradients = torch.autograd.grad(parts, [given[other].tensor for other in given], allow_unused=True)
        touched = {
            other for other, gradient in zip(given, gradients, strict=True) if gradient is not None and gradient.any()
        }
        assert touched == {name}


@every
def test_rows_are_independent_and_evaluation_is_deterministic(kind: str, layout: str, number: int) -> None:
    made = fusion(kind, layout, number).eval()
    given = features(layout, NAMES[:number])
    whole = made(given).tensor
    assert torch.equal(whole, made(given).tensor)
    for index in (0, 5):
        alone = {name: row(value, index) for name, value in given.items()}
        torch.testing.assert_close(made(alone).tensor[0], whole[index], rtol=1e-4, atol=1e-5)


@every
def test_an_absent_modality_leaves_z_finite_and_its_encoder_without_gradient(
    kind: str, layout: str, number: int
) -> None:
    made = fusion(kind, layout, number)
    for absent in NAMES[:number]:
        given = features(layout, NAMES[:number])
        filled = Zeros({})(given, {absent: torch.zeros(6, dtype=torch.bool)})
        z = made(filled).tensor
        assert z.isfinite().all()
        leaves = [(name, tensor) for name, value in given.items() for tensor in tensors(value)]
        gradients = torch.autograd.grad(z.sum(), [tensor for _, tensor in leaves], allow_unused=True)
        for (name, _), gradient in zip(leaves, gradients, strict=True):
            assert gradient is None or gradient.isfinite().all()
            if name == absent:
                assert gradient is None or not gradient.any()


@every
def test_the_state_dict_carries_it_and_float64_works(kind: str, layout: str, number: int) -> None:
    made, other = (fusion(kind, layout, number).double().eval() for _ in range(2))
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    other.load_state_dict(made.state_dict())
    given = features(layout, NAMES[:number], torch.float64)
    assert made(given).tensor.dtype == torch.float64
    assert torch.equal(made(given).tensor, other(given).tensor)
