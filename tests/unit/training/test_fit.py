"""The loop: what it selects, when it stops, what it logs, and that cutting a batch into pieces changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from cggm_pipeline.errors import TrainingError
from cggm_pipeline.evaluation.evaluate import evaluate
from cggm_pipeline.modulations.base import Modulation
from cggm_pipeline.training.fit import fit
from cggm_pipeline.training.moment import Moment
from cggm_pipeline.training.optimizers import sgd
from cggm_pipeline.training.schedules import step
from cggm_pipeline.training.watch import NotFiniteError


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_it_learns(problem):
    one = problem(epochs=15, dropout=0.0)
    before = evaluate(one.network, one.task, one.test)["accuracy"]
    fitted = fit(*one.arguments())
    assert evaluate(fitted.network, one.task, one.test)["accuracy"] > max(before + 0.3, 0.6)
    assert fitted.history[-1]["train_loss"] < 0.6 * fitted.history[0]["train_loss"]


def test_the_same_seed_gives_the_same_bits(problem):
    first, second = problem(), problem()
    a, b = fit(*first.arguments()), fit(*second.arguments())
    assert same(weights(a.network), weights(b.network))
    assert a.history == b.history


def test_another_seed_gives_others(problem):
    a, b = (fit(*problem(seed=seed, dropout=0.0).arguments()) for seed in (0, 1))
    assert not same(weights(a.network), weights(b.network))


def test_the_best_validation_epoch_is_selected(problem):
    """A rate that explodes after the second epoch: the weights of the first epochs must come back."""
    wild = lambda optimizer, epochs: step(optimizer, epochs, every=2, factor=300.0)  # noqa: E731
    one = problem(epochs=4, scheduler=wild, dropout=0.0)
    fitted = fit(*one.arguments())
    values = [row["valid_accuracy"] for row in fitted.history]
    assert fitted.selected == values.index(max(values)) < 2
    found = evaluate(fitted.network, one.task, one.valid)
    assert found["accuracy"] == values[fitted.selected] > values[-1]


def test_a_metric_that_is_better_when_less(problem):
    fitted = fit(*problem(metric="loss", mode="min", epochs=4).arguments())
    losses = [row["valid_loss"] for row in fitted.history]
    assert fitted.selected == losses.index(min(losses))


def test_early_stopping_counts_epochs_without_a_better_one(problem):
    fitted = fit(*problem(epochs=30, patience=2, optimizer=lambda groups: sgd(groups, lr=1e-12)).arguments())
    assert (len(fitted.history), fitted.selected) == (3, 0)


def test_an_unknown_metric_is_named(problem):
    with pytest.raises(TrainingError, match=r"'roc'.*accuracy"):
        fit(*problem(metric="roc").arguments())


@pytest.mark.parametrize("pieces", [2, 3, 7])
def test_accumulation_equals_the_whole_batch(problem, pieces):
    whole, cut = problem(dropout=0.0), problem(dropout=0.0, accumulate=pieces)
    for one in (whole, cut):
        one.network.double()
    reference, pieced = (fit(*with_doubles(one).arguments()) for one in (whole, cut))
    for name, tensor in reference.network.state_dict().items():
        torch.testing.assert_close(pieced.network.state_dict()[name], tensor, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("batch_size", "accumulate"),
    [(199, 1), (199, 4), (66, 1), (66, 2), (66, 3)],  # of 200 samples, 1 or 2 are left over
)
def test_batch_normalisation_never_meets_a_single_sample(problem, batch_size, accumulate):
    one = problem("cggm-stable", batch_norm=True, batch_size=batch_size, accumulate=accumulate, epochs=2)
    fitted = fit(*one.arguments())
    assert len(fitted.history) == 2
    assert fitted.steps == 2 * (1 if batch_size == 199 else 4)


def with_doubles(one):
    for data in (one.train, one.valid):
        for name, given in list(data._stores.items()):
            given.values = given.values.double()
            data.transforms[name] = []
    return one


def test_more_pieces_than_samples_is_refused(problem):
    with pytest.raises(TrainingError, match="at most batch_size"):
        problem(accumulate=33)


def test_clipping_bounds_the_network_and_not_the_classifiers(problem):
    seen = []

    class Spy(Modulation):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def penalty(self, step):
            return self.inner.penalty(step)

        def modulate_(self, step):
            return self.inner.modulate_(step)

    one = problem("unimodal_losses", clip=1e-3)
    spy = Spy(one.modulation)
    classifiers = list(one.modulation.parameters())

    class Recorder(torch.optim.SGD):
        def step(self, closure=None):
            def norm(parameters):
                return torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in parameters])).item()

            seen.append((norm(list(one.network.parameters())), norm(classifiers)))
            return super().step(closure)

    fit(*replace(one.options_with(optimizer=lambda groups: Recorder(groups, lr=1e-3)), modulation=spy).arguments())
    assert all(network <= 1.001e-3 < own for network, own in seen)


def test_rates_act_on_one_modality_alone(problem):
    class Slow(Modulation):
        def rates(self):
            return {"upper": torch.tensor(0.0)}

    one = replace(problem(), modulation=Slow())
    before = weights(one.network)
    after = weights(fit(*one.arguments()).network)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith("encoders") and "upper" in name for name in changed)
    assert any(name.startswith("encoders") and "lower" in name for name in changed)


def test_a_mask_changes_what_is_fused(problem):
    class Deaf(Modulation):
        def mask(self, features):
            return {name: value.map(torch.zeros_like) for name, value in features.items()}

    one = replace(problem(epochs=1), modulation=Deaf())
    before = weights(one.network)
    after = weights(fit(*one.arguments()).network)
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("encoders"))


def test_start_and_end_of_epochs_are_told(problem):
    told = []

    class Listener(Modulation):
        def start_epoch(self, epoch, probe=None):
            told.append(("start", epoch))

        def end_epoch(self, epoch, probe=None):
            told.append(("end", epoch))

    fit(*replace(problem(epochs=2), modulation=Listener()).arguments())
    assert told == [("start", 0), ("end", 0), ("start", 1), ("end", 1)]


def test_history_has_the_records_of_every_epoch(problem):
    fitted = fit(*problem("cggm-paper").arguments())
    assert [row["epoch"] for row in fitted.history] == [0, 1, 2]
    columns = set(fitted.history[0])
    assert {"train_loss", "valid_loss", "valid_accuracy", "B_negative", "l_gm"} <= columns
    for name in ("B", "cos", "eps", "grad_norm"):
        assert {f"{name}_lower", f"{name}_upper"} <= columns
    assert next(iter(fitted.history[0])) == "epoch"
    assert all(0 <= row["B_negative"] <= 1 for row in fitted.history)


def test_progress_is_told(problem):
    moments: list[Moment] = []
    fit(*problem(epochs=2).arguments(), progress=moments.append)
    assert moments[-1].share == 1
    assert moments[-1].row["epoch"] == 1
    assert [m.share for m in moments] == sorted(m.share for m in moments)


def test_settings_of_the_machine_are_restored(problem):
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    fit(*problem(epochs=1, threads=1 + before[0] % 2).arguments())
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_float16_on_a_cpu_is_refused(problem):
    with pytest.raises(TrainingError, match=r"float16.*CPU.*bfloat16"):
        fit(*problem(precision="float16").arguments())


@pytest.mark.parametrize("modulation", ["none", "ogm_ge", "cggm-paper", "cggm-stable"])
def test_bfloat16_trains_and_leaves_a_float32_network(problem, modulation):
    one = problem(modulation, precision="bfloat16", epochs=2)
    fitted = fit(*one.arguments())
    assert all(
        tensor.dtype == torch.float32 for tensor in fitted.network.state_dict().values() if tensor.is_floating_point()
    )
    assert "forward" not in fitted.network.__dict__
    assert fitted.history[-1]["train_loss"] < 2.4


def test_empty_splits_are_named(problem):
    one = problem()
    empty = replace(one, valid=Empty())
    with pytest.raises(TrainingError, match="valid split has no samples"):
        fit(*empty.arguments())


class Empty:
    def __len__(self) -> int:
        return 0


class Poison(Modulation):
    """Makes one gradient NaN at a step of its own."""

    def __init__(self, network, when: int, where: str):
        super().__init__()
        self.parameters_of = (network,)
        self.when, self.where, self.seen = when, where, 0

    def modulate_(self, step):
        if self.seen == self.when:
            dict(self.parameters_of[0].named_parameters())[self.where].grad.view(-1)[0] = float("nan")
        self.seen += 1
        return {}


def test_nan_names_step_tensor_and_modality(problem):
    one = problem()
    where = next(name for name, _ in one.network.named_parameters() if "upper" in name)
    poisoned = replace(one, modulation=Poison(one.network, 9, where))
    with pytest.raises(NotFiniteError) as caught:
        fit(*poisoned.arguments())
    error = caught.value
    assert (error.step, error.epoch, error.modality) == (9, 1, "upper")
    assert error.tensor == f"gradient of {where}"
    assert "step 9" in str(error)
    assert "upper" in str(error)
    assert len(error.history) == 1


def test_nan_in_the_loss_is_told_before_its_gradients(problem):
    class Broken(Modulation):
        seen = 0

        def penalty(self, step):
            self.seen += 1
            return step.logits.sum() * float("inf") if self.seen == 4 else 0.0

    with pytest.raises(NotFiniteError, match="the modulation's objective is not finite at step 3") as caught:
        fit(*replace(problem(watch_every=1000), modulation=Broken()).arguments())
    assert caught.value.modality is None


def test_the_classifiers_have_a_rate_of_their_own(problem):
    one = problem("unimodal_losses", classifiers={"lr": 0.0, "weight_decay": 0.0})
    before = weights(one.modulation)
    fit(*one.arguments())
    assert same(before, weights(one.modulation))
