"""MMCosine against the sum of cosines, and its head wherever a head goes."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from cggm_pipeline.build import build_network
from cggm_pipeline.errors import BuildError
from cggm_pipeline.fills.zeros import Zeros
from cggm_pipeline.fusions.concat import Concat
from cggm_pipeline.fusions.mm_cosine import MMCosine
from cggm_pipeline.layers.features import Features, Input
from cggm_pipeline.modulations import CGGM, OGMGE, Parts, Step, accuracy
from cggm_pipeline.modulations._unimodal import unimodal_logits
from cggm_pipeline.spec.check_network import check_network
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.sections import Sections

WIDTHS = {"c": 4, "a": 2, "b": 3}


def made(scale: float = 10.0) -> tuple[MMCosine, nn.Module]:
    torch.manual_seed(0)
    fusion = MMCosine(WIDTHS, scale=scale)
    return fusion, fusion.head(5)


def given(rows: int = 6, factor: float = 1.0) -> dict[str, Features]:
    generator = torch.Generator().manual_seed(1)
    return {n: Features(factor * torch.randn(rows, width, generator=generator)) for n, width in WIDTHS.items()}


def cosines(fusion: MMCosine, head: nn.Module, features: dict[str, Features], scale: float) -> Tensor:
    learnt = head.parametrizations.weight.original
    assert fusion.blocks is not None
    total = torch.zeros(len(features["a"].tensor), 5)
    for name, place in fusion.blocks.items():
        for k in range(5):
            total[:, k] += scale * functional.cosine_similarity(features[name].tensor, learnt[k : k + 1, place], dim=1)
    return total


@pytest.mark.parametrize("scale", [10.0, 15.0])
def test_logits_are_the_scaled_sum_of_cosines(scale: float) -> None:
    fusion, head = made(scale)
    logits = head(fusion(given()).tensor)
    torch.testing.assert_close(logits, cosines(fusion, head, given(), scale))
    assert logits.abs().max() <= 3 * scale
    assert head.bias is None


def test_lengths_of_features_and_weights_say_nothing() -> None:
    fusion, head = made()
    logits = head(fusion(given()).tensor)
    with torch.no_grad():
        head.parametrizations.weight.original[:, :2] *= 7
    torch.testing.assert_close(head(fusion(given(factor=100.0)).tensor), logits)


def test_each_modalitys_own_logits_are_its_cosines() -> None:
    """What OGM-GE and others read: u_m = W_m z_m, with the weight that is really multiplied."""
    fusion, head = made()
    features, z = given(), fusion(given()).tensor
    step = Step(features, z, head(z), torch.zeros(6, dtype=torch.long), blocks=fusion.blocks)
    for name, own in zip("abc", unimodal_logits(head, ["a", "b", "c"], step), strict=True):
        alone = {other: value if other == name else value.map(torch.zeros_like) for other, value in features.items()}
        torch.testing.assert_close(own, head(fusion(alone).tensor))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_an_absent_modality_and_extreme_lengths_are_finite(dtype: torch.dtype) -> None:
    """1e-4 squared is zero in float16, 300 squared infinite."""
    fusion, _ = made()
    for factor in (1e-4, 1.0, 300.0):
        values = {n: Features((factor * f.tensor).to(dtype).requires_grad_()) for n, f in given().items()}
        filled = Zeros({})(values, {"a": torch.tensor([True, False] * 3)})
        z = fusion(filled).tensor
        assert z.dtype == dtype
        assert not z[1, fusion.blocks["a"]].any()
        torch.testing.assert_close(z[0].float().square().sum(), torch.tensor(3.0), rtol=0.02, atol=0)
        z.float().cos().sum().backward()
        assert all(f.tensor.grad.isfinite().all() for f in values.values())
        assert not values["a"].tensor.grad[1].any()


def test_the_head_is_a_linear_layer_that_can_be_copied_saved_and_measured(tmp_path: Path) -> None:
    fusion, head = made()
    z = fusion(given()).tensor
    assert isinstance(head, nn.Linear)
    save_file(head.state_dict(), tmp_path / "head.safetensors")
    _, other = made()
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    duplicate = copy.deepcopy(head)
    other.load_state_dict(load_file(tmp_path / "head.safetensors"))
    for each in (duplicate, other):
        assert torch.equal(each(z), head(z))
    with torch.no_grad():
        next(duplicate.parameters()).add_(1.0)
    assert not torch.equal(duplicate(z), head(z))
    assert [p.numel() for p in head.parameters()] == [9 * 5]
    with torch.device("meta"):
        shapes = MMCosine(WIDTHS)
        assert shapes.head(5)(torch.empty(6, 9)).shape == (6, 5)


def test_other_fusions_heads_are_as_they_were() -> None:
    torch.manual_seed(0)
    head = Concat(WIDTHS).head(5)
    torch.manual_seed(0)
    plain = nn.Linear(9, 5)
    assert type(head) is nn.Linear
    assert torch.equal(head.weight, plain.weight)
    assert torch.equal(head.bias, plain.bias)


def experiment(task: str) -> Experiment:
    document = {
        "version": 1,
        "kind": "experiment",
        "data": "toy",
        "modalities": {name: {"encoder": {"kind": "mlp", "hidden": [3]}} for name in "ab"},
        "fusion": {"kind": "mm_cosine"},
        "task": {"kind": task},
        "training": {"epochs": 1},
    }
    return Experiment.model_validate(document)


def test_it_is_for_classification_alone() -> None:
    (finding,) = check_network(Sections.of(experiment("regression")))
    assert finding.message == "mm_cosine is not defined for regression"
    assert finding.allowed == "classification"
    assert not list(check_network(Sections.of(experiment("classification"))))
    dataset = Dataset.model_validate(
        {
            "version": 1,
            "kind": "dataset",
            "source": {"kind": "digits_two_view"},
            "split": {"kind": "random"},
            "modalities": {name: {"shape": [4]} for name in "ab"},
            "target": {"kind": "values", "width": 2},
        }
    )
    with pytest.raises(
        BuildError, match=r"fusion: mm_cosine is not defined for regression \(allowed: classification\)"
    ):
        build_network(experiment("regression"), dataset, seed=0)


def test_it_is_built_from_its_spec_with_its_own_head() -> None:
    dataset = Dataset.model_validate(
        {
            "version": 1,
            "kind": "dataset",
            "source": {"kind": "digits_two_view"},
            "split": {"kind": "random"},
            "modalities": {name: {"shape": [4]} for name in "ab"},
            "target": {"kind": "classes", "number": 5},
        }
    )
    network = build_network(experiment("classification"), dataset, seed=0).network
    other = build_network(experiment("classification"), dataset, seed=1).network
    inputs = {name: Input(torch.randn(2, 4), None, None) for name in "ab"}
    other.load_state_dict(network.state_dict())
    assert torch.equal(network.predict(inputs), other.predict(inputs))
    assert network.predict(inputs).abs().max() <= 20
    assert network.parameter_counts()["head"] == 6 * 5
    own = network(inputs).rerun(["a"]) + network(inputs).rerun(["b"])
    torch.testing.assert_close(own, network(inputs).logits)


@pytest.mark.parametrize("method", ["ogm_ge", "cggm-paper", "cggm-released", "cggm-stable"])
def test_methods_that_read_the_head_train_on_it(method: str) -> None:
    fusion, head = made()
    encoders = {name: nn.Linear(3, width) for name, width in WIDTHS.items()}
    classifiers = {name: nn.Sequential() for name in WIDTHS}
    for name, width in WIDTHS.items():
        classifiers[name].head = nn.Linear(width, 5)
    parts, preset = Parts(encoders), method.removeprefix("cggm-")
    if method == "ogm_ge":
        made_method = OGMGE(parts, head)
    else:
        made_method = CGGM(parts, classifiers, head, functional.cross_entropy, accuracy, preset=preset)
    parameters = [p for module in (*encoders.values(), head) for p in module.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    before = [p.detach().clone() for p in parameters]
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        features = {n: encoder(torch.randn(8, 3, generator=generator)) for n, encoder in encoders.items()}
        z = fusion({n: Features(values) for n, values in features.items()}).tensor
        logits, target = head(z), torch.randint(5, (8,), generator=generator)
        optimizer.zero_grad()
        step = Step(features, z, logits, target, blocks=fusion.blocks)
        made_method.backward(functional.cross_entropy(logits, target), step)
        optimizer.step()
    assert all(p.isfinite().all() and not torch.equal(p, b) for p, b in zip(parameters, before, strict=True))
