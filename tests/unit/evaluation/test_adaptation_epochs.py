"""CASP's two stages on a whole split: what they read, what moves, what they keep, and when they give up."""

from __future__ import annotations

import pytest
import torch
from shifted_problem import batches, cut, layer_normed, samples, small_network, trained_network
from torch import nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.adaptation.contrast import contrast, predictions
from cggm_pipeline.evaluation.adaptation.epochs import DivergedError, adapting
from cggm_pipeline.evaluation.adaptation.losses import nt_xent
from cggm_pipeline.evaluation.adaptation.pseudo import pseudo
from cggm_pipeline.evaluation.adaptation.stability import instability, selected
from cggm_pipeline.evaluation.adaptation.views import drawn, without
from cggm_pipeline.layers.dropout import Dropout
from cggm_pipeline.tasks.classification import Classification

TASK = Classification(4)
SIZE = 16


def target_inputs(number=96, shift=2.0):
    return samples(number, seed=2, shift=shift)[0]


def contrasted(network, inputs, **options):
    given = {"epochs": 2, "every": 1, "lr": 1e-2, **options}
    split = lambda: batches(inputs, SIZE)  # noqa: E731
    return contrast(network, split, lambda epoch: batches(inputs, SIZE), TASK.predict, **given)


def taught(network, inputs, rows, labels, **options):
    def epoch_of(epoch):
        for positions in rows.split(SIZE):
            yield cut(inputs, positions), positions

    return pseudo(network, epoch_of, labels, TASK.loss, **{"epochs": 2, "lr": 1e-2, **options})


def moved(network, before):
    return {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}


def state(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def norm_names(network):
    norms = (name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm1d | nn.LayerNorm))
    return {f"{name}.{part}" for name in norms for part in ("weight", "bias")}


@pytest.mark.parametrize("make", [small_network, layer_normed])
def test_only_scales_and_shifts_of_normalisation_move(make):
    network, inputs = make(), target_inputs()
    before = state(network)
    found = contrasted(network, inputs)
    assert moved(network, before) == norm_names(network)
    before = state(network)
    rows = selected(instability(found.trajectory))
    taught(network, inputs, rows, TASK.label(found.trajectory.mean(0)))
    assert moved(network, before) == norm_names(network)
    graded = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert graded == norm_names(network)


def test_predictions_are_kept_before_and_after_every_so_many_epochs():
    network, inputs = layer_normed(), target_inputs(40)
    first = predictions(network, batches(inputs, SIZE), TASK.predict)
    found = contrasted(network, inputs, epochs=7, every=3)
    assert found.trajectory.shape == (3, 40, 4)
    assert torch.equal(found.trajectory[0], first)
    torch.testing.assert_close(found.trajectory.sum(2), torch.ones(3, 40))
    again = contrasted(layer_normed(), inputs, epochs=6, every=3)
    assert torch.equal(again.trajectory, found.trajectory)
    assert [row["epoch"] for row in found.history] == list(range(7))
    last = predictions(network, batches(inputs, SIZE), TASK.predict)
    assert not torch.equal(last, found.trajectory[-1])  # the seventh epoch came after it


def test_an_epoch_is_a_step_of_the_contrastive_loss_on_each_batch():
    """One batch, one epoch, a step of Adam from its equations."""
    network, inputs = layer_normed().double(), target_inputs(SIZE)
    inputs = {name: type(given)(given.values.double()) for name, given in inputs.items()}
    parameters = [network.fusion.norm.weight, network.fusion.norm.bias]
    (name,) = drawn(network.modalities, 5, 0, 0)
    loss = nt_xent(network(inputs).fused, network(without(inputs, name)).fused, temperature=0.3)
    gradients = torch.autograd.grad(loss, parameters)
    expected = [p - 1e-2 * g / (g.abs() + 1e-8) for p, g in zip(parameters, gradients, strict=True)]
    found = contrasted(network, inputs, epochs=1, temperature=0.3, clip=None, seed=5)
    assert found.history[0]["contrast_loss"] == pytest.approx(loss.item())
    for parameter, value in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.detach(), value.detach())


def test_the_loss_falls_and_a_shift_is_beaten():
    network, (inputs, target) = trained_network(), samples(320, seed=2, shift=2.0)

    def accuracy():
        return (predictions(network, batches(inputs, SIZE), TASK.predict).argmax(1) == target).double().mean().item()

    source_only = accuracy()
    found = contrasted(network, inputs, epochs=6, every=2)
    losses = [row["contrast_loss"] for row in found.history]
    assert losses[-1] < losses[0]
    between = accuracy()
    assert between > source_only + 0.05
    rows = selected(instability(found.trajectory))
    history = taught(network, inputs, rows, TASK.label(found.trajectory.mean(0)), epochs=5)
    assert history[-1]["pseudo_loss"] < history[0]["pseudo_loss"]
    assert accuracy() > source_only + 0.05


def test_draws_follow_the_seed_and_dropout_the_generator():
    inputs = target_inputs(48)

    def trajectory(seed=0, torch_seed=0, dropout=0.0):
        network = layer_normed()
        network.encoders["a"].layers.append(Dropout(dropout))
        with torch.random.fork_rng():
            torch.manual_seed(torch_seed)
            return contrasted(network, inputs, seed=seed).trajectory

    assert torch.equal(trajectory(), trajectory(torch_seed=1))
    assert not torch.equal(trajectory(), trajectory(seed=1))
    assert torch.equal(trajectory(dropout=0.3), trajectory(dropout=0.3))
    assert not torch.equal(trajectory(dropout=0.3), trajectory(dropout=0.3, torch_seed=1))


def test_batch_normalisation_keeps_its_statistics_a_fill_draws_nothing_and_modes_come_back():
    network = small_network()
    network.encoders["a"].layers.append(Dropout(0.5))
    with adapting(network):
        kinds = {type(module): module.training for module in network.modules()}
        assert kinds[Dropout]
        assert not kinds[nn.BatchNorm1d]
        assert not network.fill.training
        assert torch.is_grad_enabled()
    assert all(module.training for module in network.modules())


def test_labels_are_looked_up_by_position():
    """Only the samples that are handed over are learnt from, and each by its own label."""
    network, inputs = layer_normed(), target_inputs(32)
    labels = torch.arange(32) % 4
    other = layer_normed()
    rows = torch.tensor([3, 9, 27, 14])
    taught(network, inputs, rows, labels)
    changed = labels.clone()
    changed[[0, 1, 2]] = 3
    taught(other, inputs, rows, changed)
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in network.state_dict().items())
    changed[9] = (changed[9] + 1) % 4
    third = layer_normed()
    taught(third, inputs, rows, changed)
    assert moved(third, state(network))


def test_a_loss_that_is_not_finite_stops_the_stage_and_says_where():
    network, inputs = layer_normed(), target_inputs(32)
    with torch.no_grad():
        network.fusion.norm.weight.fill_(float("nan"))
    with pytest.raises(DivergedError, match=r"stage contrast is not finite in epoch 0.*adaptation.lr") as caught:
        contrasted(network, inputs)
    assert caught.value.history == []
    with pytest.raises(DivergedError, match="stage pseudo"):
        taught(network, inputs, torch.arange(32), torch.zeros(32, dtype=torch.long))


def test_every_epoch_is_told():
    rows = []
    found = contrasted(layer_normed(), target_inputs(32), tell=rows.append)
    assert rows == found.history
    taught(layer_normed(), target_inputs(32), torch.arange(32), torch.zeros(32, dtype=torch.long), tell=rows.append)
    assert [sorted(row) for row in rows[2:]] == [["epoch", "pseudo_loss"]] * 2


def test_what_cannot_be_adapted_is_refused():
    inputs = target_inputs(32)
    with pytest.raises(BuildError, match="casp moves"):
        contrasted(small_network(batch_norm=False), inputs)
    with pytest.raises(BuildError, match="every 3, epochs 2"):
        contrasted(layer_normed(), inputs, every=3)
    with pytest.raises(BuildError, match="found 1 modalities"):
        contrasted(layer_normed(names=("a",)), inputs)
    with pytest.raises(BuildError, match="casp moves"):
        taught(small_network(batch_norm=False), inputs, torch.arange(4), torch.zeros(32, dtype=torch.long))
