"""AMCo: how much is masked, of whom, when, and the loss against its equation."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import AMCo, Parts, Step
from cggm_pipeline.modulations.amco import masked_share

TABLE = [
    # epoch, step, epsilon, p_t
    (0, 0, 0.3, 0.0),
    (0, 10_000, 0.3, 0.0),  # nothing in epoch 0
    (1, 0, 0.3, 0.0),
    (1, 1, 0.3, 0.5),  # sin(pi/6)
    (1, 2, 0.3, 0.8660254037844386),  # sin(pi/3)
    (3, 1, 0.3, 1.0),
    (3, 50, 0.3, 1.0),
    (5, 2, 2.0, 0.7071067811865476),  # l = 1 of 2: sin(pi/4)
]


@pytest.mark.parametrize(("epoch", "index", "epsilon", "share"), TABLE)
def test_share_that_is_masked(epoch, index, epsilon, share):
    assert masked_share(epoch, index, epsilon) == pytest.approx(share, abs=1e-12)


CLASSES = 5
PLACES = {"a": slice(0, 2), "b": slice(2, 5)}


def toy(**options):
    torch.manual_seed(0)
    head, encoders = nn.Linear(5, CLASSES).double(), {"a": nn.Linear(4, 2).double(), "b": nn.Linear(4, 3).double()}
    return head, encoders, AMCo(Parts(encoders), head, functional.cross_entropy, **options)


def step_of(head, encoders, index=0, epoch=1, seed=1, samples=6):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(samples, 4, generator=generator).double()
    features = {n: encoders[n](x) for n in encoders}
    fused = torch.cat([features["a"], features["b"]], 1)
    target = torch.randint(CLASSES, (samples,), generator=generator)
    return Step(features, fused, head(fused), target, epoch, index, blocks=PLACES)


def own_logits(head, step):
    return {n: step.fused[:, place] @ head.weight[:, place].T + head.bias / 2 for n, place in PLACES.items()}


def lean_on(head, name):
    """Make every logit of the other modality small."""
    with torch.no_grad():
        head.weight[:, PLACES["b" if name == "a" else "a"]] = 0
        head.weight[:, PLACES[name]] *= 20


def test_in_epoch_zero_it_is_joint_training_plus_each_modalitys_loss():
    head, encoders, method = toy()
    step = step_of(head, encoders, index=7, epoch=0)
    expected = functional.cross_entropy(step.logits, step.target)
    expected = expected + sum(functional.cross_entropy(u, step.target) for u in own_logits(head, step).values())
    assert method.objective(torch.tensor(0.0), step).item() == pytest.approx(expected.item(), rel=1e-12)


def test_the_mass_of_one_step_masks_in_the_next():
    """And the mean softmax mass over all modalities' logits is what decides."""
    head, encoders, method = toy()
    lean_on(head, "a")
    first = step_of(head, encoders, index=0)
    record = method.backward(functional.cross_entropy(first.logits, first.target), first)
    own = own_logits(head, first)
    mass = torch.cat([own["a"], own["b"]], 1).softmax(1)[:, :CLASSES].sum(1).mean()
    assert record["mass"]["a"].item() == pytest.approx(mass.item())
    assert record["mass"]["a"].item() + record["mass"]["b"].item() == pytest.approx(1)
    assert {n: v.item() for n, v in record["masked"].items()} == {"a": 0, "b": 0}
    assert mass > 0.5

    second = step_of(head, encoders, index=1, seed=2)  # p = 1/2: 2 of 5 classes
    own = own_logits(head, second)
    torch.manual_seed(11)
    found = method.objective(functional.cross_entropy(second.logits, second.target), second)
    torch.manual_seed(11)
    masked = own["a"].clone()
    masked[:, torch.randperm(CLASSES) < 2] = 0
    assert (masked == 0).all(0).sum() == 2
    parts = [masked + own["b"], masked, own["b"]]
    expected = sum(functional.cross_entropy(logits, second.target) for logits in parts)
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    record = method.modulate_(second)
    assert {n: v.item() for n, v in record["masked"].items()} == {"a": 0.4, "b": 0}


def test_everything_that_is_masked_has_no_gradient():
    head, encoders, method = toy()
    method._dependent.copy_(torch.tensor([True, False]))
    step = step_of(head, encoders, index=9)  # p = 1
    method.backward(functional.cross_entropy(step.logits, step.target), step)
    assert not encoders["a"].weight.grad.any()
    assert encoders["b"].weight.grad.any()
    assert not head.weight.grad[:, PLACES["a"]].any()


def test_micro_batches_mask_the_same_classes_and_share_one_mass():
    head, encoders, method = toy()
    method._dependent.copy_(torch.tensor([True, True]))
    parts = [step_of(head, encoders, index=1, seed=seed, samples=samples) for seed, samples in ((1, 2), (2, 6))]
    kept = []
    for step in parts:
        method.objective(step.logits.sum(), step)
        kept.append(method._kept)
    assert torch.equal(*kept)
    masses = []
    for step in parts:
        masked = [u.masked_fill(~kept[0], 0) for u in own_logits(head, step).values()]
        masses.append(torch.cat(masked, 1).softmax(1)[:, :CLASSES].sum(1).mean().item())
    assert method.modulate_(parts[1])["mass"]["a"].item() == pytest.approx((2 * masses[0] + 6 * masses[1]) / 8)


def test_every_step_masks_other_classes():
    head, encoders, method = toy()
    drawn = set()
    for seed in range(20):
        method._dependent.fill_(True)
        step = step_of(head, encoders, index=1, seed=seed)
        method.objective(step.logits.sum(), step)
        drawn.add(tuple(method._kept.tolist()))
        method.modulate_(step)
    assert len(drawn) > 3
    assert {sum(kept) for kept in drawn} == {3}


def test_an_epoch_starts_without_dependence_and_a_checkpoint_has_it():
    head, encoders, method = toy(sigma=0.01)
    step = step_of(head, encoders)
    method.backward(functional.cross_entropy(step.logits, step.target), step)
    assert method.state_dict()["_dependent"].all()
    _, _, other = toy()
    other.load_state_dict(method.state_dict())
    assert other._dependent.all()
    method.start_epoch(2)
    assert not method._dependent.any()


def test_without_blocks_the_logits_change_by_what_is_masked():
    head, encoders, method = toy()
    method._dependent.copy_(torch.tensor([False, True]))
    with_blocks = step_of(head, encoders, index=9)
    own = own_logits(head, with_blocks)
    fused = torch.randn(6, 7).double()
    mixed = nn.Linear(7, CLASSES).double()
    method._head = (mixed,)
    step = Step(
        with_blocks.features, fused, mixed(fused), with_blocks.target, 1, 9,
        rerun=lambda names: own["b" if "a" in names else "a"],
    )  # fmt: skip
    parts = [step.logits - own["b"], own["a"], 0 * own["b"]]
    expected = sum(functional.cross_entropy(logits, step.target) for logits in parts)
    assert method.objective(torch.tensor(0.0), step).item() == pytest.approx(expected.item(), rel=1e-12)


def test_refused():
    head, encoders, method = toy()
    with pytest.raises(ValueError, match=r"sigma is 1, epsilon is 0.3; allowed: sigma in \(0, 1\)"):
        AMCo(Parts(encoders), head, functional.cross_entropy, sigma=1)
    with pytest.raises(ValueError, match="epsilon is 0;"):
        AMCo(Parts(encoders), head, functional.cross_entropy, epsilon=0)
    with pytest.raises(RuntimeError, match="call objective before backward"):
        method.modulate_(step_of(head, encoders))
