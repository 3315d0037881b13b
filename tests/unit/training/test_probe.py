"""Looking at the network between two epochs, and training copies of it, changes nothing of the training itself."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional

from cggm_pipeline.classifiers.vector import VectorClassifier
from cggm_pipeline.modulations import UMT, GBlending, Modulation, NoModulation
from cggm_pipeline.modulations._apart import Apart
from cggm_pipeline.training.fit import fit
from cggm_pipeline.training.machine import forgotten, settled
from cggm_pipeline.training.optimizers import adam, sgd
from cggm_pipeline.training.schedules import cosine, plateau

NAMES = ("lower", "upper")


class Looking(Modulation):
    """Joint training that calls `look(epoch, probe, itself)` before and, where it is asked to, after each epoch."""

    def __init__(self, look, after=False):
        super().__init__()
        self.look, self.after = look, after
        self.register_buffer("seen", torch.zeros(21))

    def start_epoch(self, epoch, probe=None):
        if probe is not None:
            self.look(epoch, probe, self)

    def end_epoch(self, epoch, probe=None):
        if self.after:
            self.look(epoch, probe, self)


def looking(one, look, **options):
    return replace(one, modulation=Looking(look, **options))


def trained(one):
    """The run's history and the network after its last step; fit gives back the best epoch's."""
    last = {}
    fitted = fit(*one.arguments(), progress=lambda moment: last.update(copied(one.network)))
    return fitted.history, last


def copied(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def classifiers(names=NAMES):
    """The same for the same name, without touching the random state of a run."""
    found = {}
    with torch.random.fork_rng():
        for name in names:
            torch.manual_seed(NAMES.index(name))
            found[name] = VectorClassifier(16, 12, 10)
    return found


def test_looking_and_rehearsing_leave_every_bit_of_a_run(problem):
    """Weights, running statistics, dropout's random numbers, the optimiser's moments: another would end elsewhere."""

    def look(epoch, probe, method):
        before = copied(method)
        for split in ("train", "valid"):
            assert sum(step.count for step in probe.steps(split)) == {"train": 200, "valid": 60}[split]
        rehearsal = probe.rehearse(Apart(classifiers(), functional.cross_entropy), 1)
        list(rehearsal.probe.steps("valid"))
        probe.rehearse(method, 1)
        assert same(copied(method), before)

    options = {
        "epochs": 2,
        "batch_norm": True,
        "accumulate": 2,
        "scheduler": lambda o, epochs: cosine(o, epochs, warmup=1),
    }
    history, last = trained(looking(problem(**options), look, after=True))
    plain_history, plain = trained(problem(**options))
    assert same(last, plain)
    assert history == plain_history


def test_a_rehearsal_is_the_training_that_it_rehearses(problem):
    """From the first weights and the same random state, bit for bit, to the last epoch; and the schedule's rates."""
    found = {}

    def look(epoch, probe, method):
        if epoch == 0:
            assert probe.epochs == 3
            rehearsal = probe.rehearse(NoModulation(), probe.epochs)
            found.update(copied(rehearsal.probe._network))
            assert set(rehearsal.encoders) == set(NAMES)
            for name, encoder in rehearsal.encoders.items():
                for key, value in encoder.state_dict().items():
                    assert torch.equal(value, found[f"encoders.{name}.{key}"])

    one = looking(problem(batch_norm=True, scheduler=lambda o, epochs: cosine(o, epochs, warmup=1)), look)
    assert same(trained(one)[1], found)


def test_a_rehearsal_begins_where_the_network_is(problem):
    now = {}

    def look(epoch, probe, method):
        network = probe._network
        now[epoch] = copied(network)
        rehearsed = copied(probe.rehearse(NoModulation(), 1).probe._network)
        assert not same(rehearsed, now[epoch])
        assert same(copied(network), now[epoch])
        assert all(parameter.grad is None for parameter in network.parameters()) or epoch

    trained(looking(problem(scheduler=lambda o, epochs: plateau(o, epochs)), look))
    assert not same(now[0], now[1])


def test_what_method_and_network_share_stays_shared_in_the_copies(problem):
    class Holding(NoModulation):
        def __init__(self, head):
            super().__init__()
            self.held = (head,)

    def look(epoch, probe, method):
        holding = Holding(probe._network.head)
        rehearsal = probe.rehearse(holding, 1)
        assert rehearsal.method is not holding
        assert rehearsal.method.held[0] is rehearsal.probe._network.head
        assert holding.held[0] is probe._network.head
        with pytest.raises(RuntimeError, match="cannot rehearse"):
            rehearsal.probe.rehearse(NoModulation(), 1)

    trained(looking(problem(epochs=1), look))


def apart(probe, names=NAMES):
    return probe.rehearse(Apart(classifiers(names), functional.cross_entropy), 2)


def both_ways(problem, **options):
    """One rehearsal of both unimodal networks, and one of each: what becomes of encoders and classifiers."""
    found = []

    def look(epoch, probe, method):
        together = apart(probe)
        for name in NAMES:
            alone = apart(probe, (name,))
            for first, second in (
                (together.encoders[name], alone.encoders[name]),
                (together.method.classifiers[name], alone.method.classifiers[name]),
            ):
                pairs = zip(first.parameters(), second.parameters(), strict=True)
                found.append(max((a - b).abs().max().item() for a, b in pairs))

    trained(looking(problem(epochs=1, dropout=0.0, **options), look))
    return found


@pytest.mark.parametrize(
    "optimizer", [lambda groups: adam(groups, lr=5e-3), lambda groups: sgd(groups, lr=0.1, momentum=0.9)]
)
def test_one_rehearsal_trains_all_unimodal_networks_as_if_one_by_one(problem, optimizer):
    assert both_ways(problem, optimizer=optimizer, clip=None) == [0.0] * 4


def test_a_bound_on_the_joint_norm_couples_them(problem):
    assert min(both_ways(problem, optimizer=lambda groups: sgd(groups, lr=0.1, momentum=0.0), clip=0.01)) > 1e-4


def test_steps_are_in_eval_mode_and_without_a_graph(problem):
    def look(epoch, probe, method):
        network = probe._network
        network.train()
        network.encoders["lower"].eval()
        modes = [module.training for module in network.modules()]
        for step in probe.steps("train"):
            assert [module.training for module in network.modules()] == modes
            assert torch.is_grad_enabled()
            again = step.rerun(["upper"])
            assert not any(each.requires_grad for each in (step.logits, step.fused, again))
            assert torch.equal(step.rerun([]), step.logits)
            assert not torch.equal(again, step.logits)
            assert (step.epoch, set(step.features)) == (epoch, set(NAMES))
        first, second = (torch.cat([step.logits for step in probe.steps("valid")]) for _ in range(2))
        assert torch.equal(first, second)
        for _ in probe.steps("train"):
            break
        assert [module.training for module in network.modules()] == modes

    trained(looking(problem(dropout=0.5, epochs=2), look))


def drawn(epoch, probe, method):
    """What a share of the samples is in this epoch, and what copies come to, in a buffer."""
    share = torch.cat([step.inputs["lower"].values.sum(1) for step in probe.steps("train", 0.1)])
    assert len(share) == 20
    assert torch.equal(share, torch.cat([step.inputs["lower"].values.sum(1) for step in probe.steps("train", 0.1)]))
    assert sum(step.count for step in probe.steps("valid", 1e-9)) == 1
    loss = torch.stack([functional.cross_entropy(s.logits, s.target) for s in apart(probe).probe.steps("valid")])
    method.seen = torch.cat([share, loss])


def test_a_share_of_the_samples_is_drawn_anew_in_each_epoch(problem):
    shares = {}

    def look(epoch, probe, method):
        drawn(epoch, probe, method)
        shares[epoch] = method.seen[:20]

    one = looking(problem(), look)
    trained(one)
    assert not torch.equal(shares[0], shares[1])
    assert not torch.equal(shares[1], shares[2])
    everything = torch.cat([batch.inputs["lower"].values.sum(1) for batch in one.train.batches(64, train=False)])
    for share in shares.values():
        assert torch.isin(share, everything).all()


class Stopped(BaseException):
    pass


def test_a_run_that_goes_on_sees_and_rehearses_the_same(problem, tmp_path):
    seen = []

    def look(epoch, probe, method):
        drawn(epoch, probe, method)
        seen.append((epoch, method.seen.clone()))

    def run(stop=None):
        seen.clear()
        one = looking(problem(checkpoint_steps=1), look)

        def told(moment):
            if stop is not None and moment.epoch >= stop and not moment.note:
                raise Stopped

        if stop is None:
            fit(*one.arguments(), state=tmp_path / "whole", key="k")
        else:
            with pytest.raises(Stopped):
                fit(*one.arguments(), state=tmp_path / "cut", key="k", progress=told)
            seen.clear()
            one = looking(problem(checkpoint_steps=1), look)
            fit(*one.arguments(), state=tmp_path / "cut", key="k")
        return list(seen)

    whole, rest = run(), run(stop=1)
    assert [epoch for epoch, _ in whole] == [0, 1, 2]
    assert 0 < len(rest) < 3
    for (epoch, value), (right, expected) in zip(rest, whole[-len(rest) :], strict=True):
        assert epoch == right
        assert torch.equal(value, expected)


def test_the_accelerator_keeps_nothing(problem):
    kept = []

    def look(epoch, probe, method):
        accelerator = probe._rehearse.__self__._accelerator
        before = list(accelerator._models), list(accelerator._optimizers)
        apart(probe)
        kept.append((before, (accelerator._models, accelerator._optimizers)))

    trained(looking(problem(), look))
    assert len(kept) == 3
    for before, after in kept:
        assert [len(each) for each in before] == [1, 1]
        assert all(
            a is b for ours, theirs in zip(before, after, strict=True) for a, b in zip(ours, theirs, strict=True)
        )


@pytest.mark.parametrize("fails", [False, True])
def test_the_scale_of_half_precision_stays_as_it_was(fails):
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(torch.ones(()))
    accelerator = SimpleNamespace(_models=[1], _optimizers=[2], scaler=scaler)
    before = scaler.state_dict()
    try:
        with forgotten(accelerator):
            accelerator._models.append(3)
            accelerator._optimizers.append(4)
            scaler.update(2.0)
            assert scaler.get_scale() == 2.0
            if fails:
                raise Stopped
    except Stopped:
        assert fails
    assert (accelerator._models, accelerator._optimizers) == ([1], [2])
    assert scaler.get_scale() == 8.0
    assert scaler.state_dict() == before


def test_random_state_comes_back_from_a_rehearsal_that_fails(problem):
    class Failing(NoModulation):
        def objective(self, loss, step):
            torch.rand(9)
            raise Stopped

    def look(epoch, probe, method):
        state = torch.get_rng_state()
        with pytest.raises(Stopped):
            probe.rehearse(Failing(), 1)
        assert torch.equal(torch.get_rng_state(), state)

    trained(looking(problem(epochs=1), look))


def test_gradient_blending_in_a_run(problem):
    one = problem(epochs=4)
    method = GBlending(classifiers(), functional.cross_entropy, super_epoch=2)
    history, _ = trained(replace(one, modulation=method))
    weights = torch.tensor([[row[f"weight_{n}"] for n in NAMES] + [row["joint_weight"]] for row in history])
    torch.testing.assert_close(weights.sum(1), torch.ones(4))
    assert (weights > 0).all()
    assert not torch.equal(weights[0], torch.full((3,), 1 / 3))
    torch.testing.assert_close(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])


def test_teachers_in_a_run(problem):
    one = problem(epochs=2, dropout=0.0)
    first = copied(one.network)
    method = UMT(dict(one.network.encoders.items()), classifiers(), functional.cross_entropy, epochs=20)
    history, last = trained(replace(one, modulation=method))
    teachers = {f"encoders.{name}": value for name, value in copied(method.teachers).items()}
    assert all(
        not torch.equal(value, first[name]) and not torch.equal(value, last[name]) for name, value in teachers.items()
    )
    assert all(history[0][f"teacher_distance_{name}"] > history[-1][f"teacher_distance_{name}"] for name in NAMES)
    with torch.no_grad():  # what a teacher knows: its own classifier's copy is gone, a new one reads more from it
        assert teacher_reads(method.teachers["upper"], one) > teacher_reads(one_more(first, problem), one) + 0.05


def one_more(first, problem):
    fresh = problem().network
    fresh.load_state_dict(first)
    return fresh.encoders["upper"].eval()


def teacher_reads(encoder, one):
    """How much of the validation split the nearest class mean in the features gets right."""
    (train,), (valid,) = ([*data.batches(400, train=False)] for data in (one.train, one.valid))
    own, other = (encoder(batch.inputs["upper"]).tensor for batch in (train, valid))
    means = torch.stack([own[train.target == label].mean(0) for label in range(10)])
    return (torch.cdist(other, means).argmin(1) == valid.target).float().mean().item()


def test_settled_machines_hold_no_scaler_on_the_cpu(problem):
    with settled(problem().options) as accelerator:
        assert accelerator.scaler is None
        with forgotten(accelerator):
            accelerator.prepare_model(nn.Linear(2, 2))
        assert not accelerator._models
