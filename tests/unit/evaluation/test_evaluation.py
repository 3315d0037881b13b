"""Predictions of every sample, probes, calibration, confusion: against what is known or plainly computed."""

from __future__ import annotations

import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cggm_pipeline.data.batches import Batch
from cggm_pipeline.data.input import Input
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.evaluation.calibration import fit_temperature
from cggm_pipeline.evaluation.confusion import confusion
from cggm_pipeline.evaluation.evaluate import evaluate, measure, stream
from cggm_pipeline.evaluation.features import pooled, split_features
from cggm_pipeline.evaluation.predictors.plain import evaluating, fitting, predict
from cggm_pipeline.evaluation.probes import classify, probe_all, regress
from cggm_pipeline.layers.features import Features, Output
from cggm_pipeline.tasks.classification import Classification
from cggm_pipeline.tasks.segmentation import Segmentation


class Samples:
    """Batches of fixed tensors; remembers how many samples were handed out."""

    def __init__(self, values: Tensor, target: Tensor) -> None:
        self.values, self.target, self.taken = values, target, 0
        column = SimpleNamespace(form=Form(tuple(values.shape[1:]), "float32"))
        self.split, self.modalities = SimpleNamespace(columns={"a": column}, groups=None), ["a"]

    def __len__(self) -> int:
        return len(self.values)

    def batches(self, batch_size, *, train=False):
        assert not train
        for start in range(0, len(self), batch_size):
            rows = slice(start, start + batch_size)
            self.taken += len(self.values[rows])
            yield Batch({"a": Input(self.values[rows])}, self.target[rows], torch.arange(len(self))[rows])


class Tiny(nn.Module):
    modalities = ("a",)

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4, 3)

    def forward(self, inputs) -> Output:
        values = self.drop(self.norm(inputs["a"].values))
        return Output({"a": Features(values)}, values, self.head(values))


@pytest.fixture
def samples() -> Samples:
    generator = torch.Generator().manual_seed(0)
    return Samples(torch.randn(23, 4, generator=generator), torch.randint(3, (23,), generator=generator))


@pytest.mark.parametrize("batch_size", [1, 5, 23, 100])
def test_every_sample_is_predicted_once_whatever_the_batch(samples, batch_size):
    network = Tiny()
    found = predict(network, samples, batch_size=batch_size)
    assert samples.taken == 23
    network.eval()
    torch.testing.assert_close(found.logits, network({"a": Input(samples.values)}).logits)
    assert torch.equal(found.target, samples.target)


def test_the_network_is_left_as_it_was(samples):
    network = Tiny().train()
    network.norm.eval()  # a frozen layer stays frozen
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    evaluate(network, Classification(3), samples)
    assert network.training
    assert network.drop.training
    assert not network.norm.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_modes_come_back_after_an_error():
    network = Tiny().train()
    with pytest.raises(RuntimeError), evaluating(network):
        raise RuntimeError
    assert network.drop.training


def test_evaluation_draws_no_random_number(samples):
    state = torch.get_rng_state()
    evaluate(Tiny(), Classification(3), samples)
    fresh = torch.get_rng_state()
    torch.set_rng_state(state)
    Tiny()  # only the network's own initialisation drew
    assert torch.equal(fresh, torch.get_rng_state())


def test_metrics_are_the_tasks_own(samples):
    network, task = Tiny(), Classification(3)
    found = evaluate(network, task, samples)
    logits = predict(network, samples).logits
    assert found["accuracy"] == pytest.approx((logits.argmax(1) == samples.target).float().mean().item())
    assert found["loss"] == pytest.approx(nn.functional.cross_entropy(logits, samples.target).item())


def test_predictions_held_as_a_whole_and_streamed_ones_are_measured_alike(samples):
    network, task = Tiny(), Classification(3)
    streamed = stream(network, task, samples, batch_size=5).result()
    whole = measure(task, predict(network, samples, batch_size=5)).result()
    assert streamed == whole


def test_a_meter_is_told_the_cases_of_the_split(samples):
    samples.split.groups = ["a"] * 20 + ["b"] * 3
    told = []

    class Told(Classification):
        def meter(self, groups=None, *, full=False):
            told.append((groups, full))
            return super().meter(groups, full=full)

    stream(Tiny(), Told(3), samples, full=True)
    assert told == [(samples.split.groups, True)]


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        ([((8, 8), "float32")], 512),
        ([((1, 240, 240), "float16")] * 4, 36),
        ([((None, 768), "float16"), ((None, None), "uint8")], 37),
        ([((), "text")], 167),
        ([((3, 4000, 4000), "float32")], 1),
    ],
)
def test_a_batch_is_as_large_as_its_inputs_allow(forms, expected):
    """32 MiB of float32; a size that varies counts as 224."""
    columns = {str(index): SimpleNamespace(form=Form(*form)) for index, form in enumerate(forms)}
    data = SimpleNamespace(split=SimpleNamespace(columns=columns), modalities=list(columns))
    assert fitting(data) == expected


class Scans:
    """200 slices of 128 x 128 in cases of ten, made when they are asked for; notes what is resident meanwhile."""

    modalities, number, side = ("a",), 200, 128

    def __init__(self) -> None:
        self.split = SimpleNamespace(groups=[f"case-{index // 10}" for index in range(self.number)])
        self.handed: list[weakref.ref] = []
        self.resident: list[int] = []

    def batches(self, batch_size, *, train=False):
        for start in range(0, self.number, batch_size):
            rows = torch.arange(start, min(start + batch_size, self.number))
            target = torch.zeros(len(rows), self.side, self.side, dtype=torch.uint8)
            target[:, 40:50, 40:50] = 1
            image = target[:, None] + 0.05 * torch.randn(len(rows), 1, self.side, self.side)
            self.handed += [weakref.ref(image), weakref.ref(target)]
            self.resident.append(resident())
            yield Batch({"a": Input(image)}, target, rows)
            del image, target


def resident() -> int:
    """Bytes of this process in memory."""
    statistics = Path("/proc/self/statm")
    return int(statistics.read_text().split()[1]) * 4096 if sys.platform == "linux" else 0


class Threshold(nn.Module):
    """Logits of 8 classes: above a half is the first."""

    def forward(self, inputs) -> Output:
        image = inputs["a"].values
        logits = torch.cat([0.5 - image, image - 0.5, image.new_full((len(image), 6, *image.shape[2:]), -9.0)], 1)
        return Output({}, image, logits)


@pytest.mark.parametrize("full", [False, True])
def test_a_segmentation_is_measured_in_the_memory_of_a_few_batches(full):
    """105 MB of logits go by."""
    data = Scans()
    task = Segmentation(8, regions={"one": (1,)})
    found = stream(Threshold(), task, data, full=full, batch_size=8).result()
    assert found["dice"] == 1
    assert found.get("hd95_one", 0) == 0
    assert sum(reference() is not None for reference in data.handed) == 0
    assert max(data.resident) - data.resident[3] < 40e6


def test_features_are_pooled_over_what_is_there():
    tokens = torch.tensor([[[1.0], [3.0], [99.0]], [[2.0], [99.0], [99.0]]])
    padding = torch.tensor([[False, False, True], [False, True, True]])
    assert torch.equal(pooled(Features(tokens, padding)), torch.tensor([[2.0], [2.0]]))
    assert torch.equal(pooled(Features(tokens[:, :1])), torch.tensor([[1.0], [2.0]]))
    maps = [torch.ones(2, 3, 4, 4), 2 * torch.ones(2, 5, 2, 2)]
    assert pooled(Features(maps)).tolist() == [[1.0] * 3 + [2.0] * 5] * 2


def test_pyramids_are_pooled_over_the_pixels_of_each_map():
    maps = [torch.arange(16.0).view(1, 1, 4, 4), torch.zeros(1, 0, 2, 2), torch.tensor([[[[3.0]], [[-1.0]]]])]
    assert torch.equal(pooled(Features(maps)), torch.tensor([[7.5, 3.0, -1.0]]))


def test_features_of_a_split_are_in_its_order(samples):
    network = Tiny().eval()
    features, target = split_features(network, samples, batch_size=5)
    expected = network({"a": Input(samples.values)}).features["a"].tensor
    np.testing.assert_allclose(features["a"], expected.detach().numpy(), rtol=1e-6)
    assert np.array_equal(target, samples.target.numpy())


def test_a_probe_reads_what_is_there_and_no_more():
    random = np.random.default_rng(0)
    target = random.integers(0, 3, 400)
    informative = np.eye(3)[target] + 0.1 * random.normal(size=(400, 3))
    noise = random.normal(size=(400, 3))
    train, test = ({"good": informative[rows], "bad": noise[rows]} for rows in (slice(300), slice(300, None)))
    found = probe_all(classify, train, target[:300], test, target[300:])
    assert found["good"]["accuracy"] > 0.98
    assert found["bad"]["accuracy"] < 0.5


def test_a_probe_is_not_upset_by_dead_units_or_scales():
    random = np.random.default_rng(0)
    target = random.integers(0, 2, 200)
    features = np.stack([1e6 * target + random.normal(size=200), np.zeros(200)], 1).astype(np.float32)
    assert classify(features[:150], target[:150], features[150:], target[150:])["accuracy"] == 1


def test_a_probe_of_values():
    random = np.random.default_rng(0)
    features = random.normal(size=(300, 4))
    target = (features @ [1.0, -2.0, 0.0, 0.5])[:, None] + 0.01 * random.normal(size=(300, 1))
    found = regress(features[:200], target[:200], features[200:], target[200:])
    assert found["r2"] > 0.99
    assert found["mae"] < 0.1


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_logits_is_found(true):
    generator = torch.Generator().manual_seed(0)
    honest = 2 * torch.randn(20_000, 4, generator=generator)
    target = torch.multinomial(honest.softmax(1), 1, generator=generator).squeeze(1)
    assert fit_temperature(honest * true, target) == pytest.approx(true, rel=0.05)


def test_a_temperature_stays_in_its_bounds():
    assert 1 / 20 <= fit_temperature(torch.eye(3) * 5, torch.arange(3)) < 0.2  # all right: flat below
    assert 19 < fit_temperature(torch.eye(3) * 5, torch.tensor([1, 2, 0])) <= 20


def test_confusion_counts_true_by_predicted():
    logits = np.eye(3)[[0, 1, 1, 2, 0]]
    assert confusion(logits, np.array([0, 1, 2, 2, 2])).tolist() == [[1, 0, 0], [0, 1, 0], [1, 1, 1]]
