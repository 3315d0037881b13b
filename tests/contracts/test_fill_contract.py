"""What every fill promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from contract_members import NAMES, WIDTH, features, make, tensors, widths
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cggm_pipeline.build.modulation import positional
from cggm_pipeline.build.rooms import specs
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.errors import BuildError
from cggm_pipeline.fills import Fill
from cggm_pipeline.layers.features import Features

KINDS = list(TABLES["fills"])
CASES = [
    (kind, layout, number)
    for kind in KINDS
    for layout in [*sorted(specs("fills")[kind].accepts), "varying tokens", "mixed"]
    for number in (1, 2, 3, 4)
    if (layout != "varying tokens" or "lengths" in positional(implementation(TABLES["fills"][kind])))
    if (layout != "mixed" or number > 1)
]
every = pytest.mark.parametrize(("kind", "layout", "number"), CASES)
three = pytest.mark.parametrize(("kind", "layout", "number"), [case for case in CASES if case[2] == 3])
"""For what has nothing to do with how many there are."""

MODES = (True, False)
"""Training, and not."""
Given = dict[str, Features]


def given(layout: str, number: int, dtype: torch.dtype = torch.float32, least: int = 0) -> Given:
    """Random features, one row for each set of modalities that a sample can have, the empty one first."""
    names, batch = NAMES[:number], max(2**number, least)
    if layout != "mixed":
        return features(layout.split()[-1], names, dtype, batch)
    vectors, sequences = features("vector", names, dtype, batch), features("tokens", names, dtype, batch)
    return {name: (vectors if place % 2 else sequences)[name] for place, name in enumerate(sorted(names))}


def had(number: int, batch: int | None = None) -> dict[str, Tensor]:
    """Which rows have a modality: row r those that are the bits of r."""
    rows = torch.arange(batch or 2**number)
    return {name: (rows >> place) % 2 == 1 for place, name in enumerate(NAMES[:number])}


def fill(kind: str, layout: str, number: int, order: int = 1) -> Fill:
    names = NAMES[:number][::order]
    shapes = {name: tensors(value)[0] for name, value in given(layout, number).items()}
    counted = {name: shapes[name].shape[1] if shapes[name].dim() == 3 else 1 for name in names}
    lengths = dict.fromkeys(names) if layout == "varying tokens" else counted
    wide = widths(layout, names)
    runtime = {"widths": wide, "lengths": lengths}
    made: Fill = make("fills", kind, *[runtime[name] for name in positional(implementation(TABLES["fills"][kind]))])
    return made


def run(made: Fill, values: Mapping[str, Features], present: Mapping[str, Tensor | None], seed: int = 3) -> Given:
    torch.manual_seed(seed)
    filled = made(values, present)
    assert all(found.mask is None or found.mask.dtype == torch.bool for found in filled.values())
    return filled


def bits(filled: Mapping[str, Features]) -> dict[str, list[Tensor]]:
    return {name: [*tensors(found), *([] if found.mask is None else [found.mask])] for name, found in filled.items()}


def same(first: Mapping[str, Features], second: Mapping[str, Features]) -> bool:
    a, b = bits(first), bits(second)
    return a.keys() == b.keys() and all(
        len(a[name]) == len(b[name]) and all(map(torch.equal, a[name], b[name])) for name in a
    )


def where(values: Given, rows: Mapping[str, Tensor], value: float) -> Given:
    """The features with a number in the rows that are absent."""

    def put(there: Tensor) -> Any:
        return lambda x: x.detach().masked_fill(~there.view(-1, *[1] * (x.dim() - 1)), value).requires_grad_()

    return {name: found.map(put(rows[name])) for name, found in values.items()}


@every
def test_it_accepts_what_its_spec_says_and_changes_no_layout(kind: str, layout: str, number: int) -> None:
    made, values = fill(kind, layout, number), given(layout, number)
    assert made.accepts == specs("fills")[kind].accepts
    filled = run(made, values, had(number))
    assert filled.keys() == values.keys()
    for name, found in filled.items():
        before = tensors(values[name])
        assert [x.dim() for x in tensors(found)] == [x.dim() for x in before]
        assert [len(x) for x in tensors(found)] == [len(x) for x in before]
        axis = -1 if before[0].dim() == 3 else 1
        assert [x.shape[axis] for x in tensors(found)] == [x.shape[axis] for x in before]
        assert found.mask is None or found.mask.shape == tensors(found)[0].shape[:2]
        if not made.prompts:
            assert [x.shape for x in tensors(found)] == [x.shape for x in before]
            assert found.mask is values[name].mask


@every
def test_everything_is_finite_whatever_a_sample_lacks_and_every_parameter_is_reached(
    kind: str, layout: str, number: int
) -> None:
    made, values = fill(kind, layout, number), given(layout, number)
    for training in MODES:
        filled = run(made.train(training), values, had(number))
        total = torch.stack([tensor.square().sum() for found in filled.values() for tensor in tensors(found)]).sum()
        assert total.isfinite()
        made.zero_grad()
        total.backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    for name, value in values.items():
        for tensor in tensors(value):
            assert tensor.grad is not None
            assert tensor.grad.isfinite().all()
            assert not tensor.grad[~had(number)[name]].any(), "a made-up row depends on what stood there"


@every
def test_what_stands_in_absent_rows_never_matters(kind: str, layout: str, number: int) -> None:
    found, gradients = [], []
    for value in (0.0, torch.nan, torch.inf):
        values = where(given(layout, number), had(number), value)
        made = fill(kind, layout, number)
        for training in MODES:
            found.append(run(made.train(training), values, had(number)))
            sum(tensor.square().sum() for each in found[-1].values() for tensor in tensors(each)).backward()
        leaves = [tensor for each in values.values() for tensor in tensors(each)]
        gradients.append([tensor.grad for tensor in [*leaves, *made.parameters()]])
    for place in (2, 4):
        assert same(found[0], found[place])
        assert same(found[1], found[place + 1])
    for others in gradients[1:]:
        assert all(map(torch.equal, gradients[0], others))


@every
def test_nothing_is_lacking_where_present_is_none(kind: str, layout: str, number: int) -> None:
    values = given(layout, number)
    whole = {name: torch.ones(2**number, dtype=torch.bool) for name in values}
    made = [fill(kind, layout, number) for _ in range(3)]
    for training in MODES:
        each = zip(made, (dict.fromkeys(values), whole, {}), strict=True)
        found = [run(fill.train(training), values, present) for fill, present in each]
        assert same(found[0], found[1])
        assert same(found[0], found[2])


@every
def test_rows_that_are_there_pass_unchanged(kind: str, layout: str, number: int) -> None:
    made, values, rows = fill(kind, layout, number), given(layout, number), had(number)
    if made.prompts:
        pytest.skip("prompts change them: the kind's own tests say how")
    for training in MODES:
        filled = run(made.train(training), values, rows)
        for name, there in rows.items():
            for before, after in zip(tensors(values[name]), tensors(filled[name]), strict=True):
                kept = (after[there] == before[there]).flatten(1).all(1)
                emptied = (after[there] == 0).flatten(1).all(1)
                assert (kept | emptied).all() if made.drops and training else kept.all()


@every
def test_the_order_of_modalities_does_not_matter(kind: str, layout: str, number: int) -> None:
    values, rows = given(layout, number), had(number)
    turned = [{name: mapping[name] for name in reversed(list(mapping))} for mapping in (values, rows)]
    forwards, backwards = fill(kind, layout, number), fill(kind, layout, number, order=-1)
    for training in MODES:
        assert same(run(forwards.train(training), values, rows), run(backwards.train(training), *turned))


@every
def test_rows_are_independent_and_evaluation_is_deterministic(kind: str, layout: str, number: int) -> None:
    made, values, rows = fill(kind, layout, number), given(layout, number, least=6), had(number, max(2**number, 6))
    run(made.train(), values, rows)  # for what is learnt in training
    whole = run(made.eval(), values, rows, seed=1)
    assert same(whole, run(made, values, rows, seed=2))
    for row in {0, 1, 2**number - 2, 2**number - 1}:
        here = slice(row, row + 1)
        alone = {
            name: Features(
                value.map(lambda x, here=here: x[here]).values, None if value.mask is None else value.mask[here]
            )
            for name, value in values.items()
        }
        for name, found in run(made, alone, {name: there[here] for name, there in rows.items()}).items():
            for a, b in zip(bits({name: found})[name], bits(whole)[name], strict=True):
                torch.testing.assert_close(a[0], b[row], rtol=1e-5, atol=1e-6)


@three
def test_the_state_dict_carries_it_and_float64_works(kind: str, layout: str, number: int) -> None:
    made, other = (fill(kind, layout, number).double() for _ in range(2))
    values = given(layout, number, torch.float64)
    run(made.train(), values, had(number))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    other.load_state_dict(made.state_dict())
    first, second = (run(each.eval(), values, had(number)) for each in (made, other))
    assert same(first, second)
    assert {tensor.dtype for found in first.values() for tensor in tensors(found)} == {torch.float64}


@three
def test_under_autocast_features_keep_their_precision(kind: str, layout: str, number: int) -> None:
    made, values = fill(kind, layout, number), given(layout, number)
    halves = {name: value.map(lambda x: x.detach().bfloat16()) for name, value in values.items()}
    plain = run(made.eval(), values, had(number))
    with torch.autocast("cpu", torch.bfloat16):
        found = run(made, halves, had(number))
    for name, value in found.items():
        assert {tensor.dtype for tensor in tensors(value)} == {torch.bfloat16}
        for half, whole in zip(tensors(value), tensors(plain[name]), strict=True):
            torch.testing.assert_close(half.float(), whole, rtol=0.05, atol=0.05)


class NoHost(TorchDispatchMode):
    """Refuses what reads a number of the device, or makes a shape of numbers."""

    forbidden = ("_local_scalar_dense", "is_nonzero", "nonzero", "equal", "masked_select", "_unique2", "item")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        assert name not in self.forbidden, f"{name} waits for the device"
        return func(*args, **(kwargs or {}))


@three
def test_no_value_goes_to_the_host(kind: str, layout: str, number: int) -> None:
    made, values, rows = fill(kind, layout, number), given(layout, number), had(number)
    for training in (True, False):
        with NoHost():
            filled = made.train(training)(values, rows)
            sum(tensor.sum() for found in filled.values() for tensor in tensors(found)).backward()


@three
def test_the_meta_device_gives_the_same_shapes(kind: str, layout: str, number: int) -> None:
    """There is no number to read there, and it is how `validate --build` looks at a network."""
    values, rows = given(layout, number), had(number)
    expected = bits(run(fill(kind, layout, number), values, rows))
    with torch.device("meta"):
        made = fill(kind, layout, number)
    on_meta = {
        name: Features(value.map(lambda x: x.to("meta")).values, None if value.mask is None else value.mask.to("meta"))
        for name, value in values.items()
    }
    found = bits(made.to("meta")(on_meta, {name: there.to("meta") for name, there in rows.items()}))
    for name in values:
        assert [(x.shape, x.dtype) for x in found[name]] == [(x.shape, x.dtype) for x in expected[name]]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "pyramid" not in specs("fills")[kind].accepts])
def test_a_layout_that_it_does_not_take_is_refused(kind: str) -> None:
    taken = positional(implementation(TABLES["fills"][kind]))
    runtime = {"widths": {"audio": WIDTH, "type": (3, 4)}, "lengths": {"audio": 1, "type": None}}
    with pytest.raises(BuildError, match="the features of 'type' are a pyramid"):
        make("fills", kind, *[runtime[name] for name in taken])
