"""Segmentation networks from specs: shapes, seeds, classifiers, statistics, refusals; and the paper's four counts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from test_network_build import dataset
from torch import Tensor, nn

from cggm_pipeline.build import build_network, check_build
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Input
from cggm_pipeline.modulations import Step
from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.kinds import train_files
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

import parameter_counts  # type: ignore[import-not-found]

NAMES = ("flair", "t1", "t2")
TINY = {"kind": "conv", "channels": [2, 3, 4, 5], "output": "pyramid"}
DEEPLAB = {"kind": "deeplab", "width": 6, "low_width": 3, "low_level": 1}
FUSIONS = {
    "deeplab": DEEPLAB,
    "unet": {"kind": "smp_decoder", "decoder": "unet", "channels": [8, 6, 4]},
    "unetplusplus": {"kind": "smp_decoder", "decoder": "unetplusplus", "channels": [8, 6, 4]},
    "fpn": {"kind": "smp_decoder", "decoder": "fpn", "width": 32},
    "deeplabv3plus": {"kind": "smp_decoder", "decoder": "deeplabv3plus", "width": 8},
    "segformer": {"kind": "smp_decoder", "decoder": "segformer", "width": 8},
}


def scans(side: int = 16, names: tuple[str, ...] = NAMES) -> Dataset:
    return dataset(
        modalities={name: {"shape": [1, side, side]} for name in names},
        target={"kind": "mask", "number": 4, "shape": [side, side]},
    )


def segmenter(names: tuple[str, ...] = NAMES, encoder: dict[str, Any] | None = None, **changes: Any) -> Experiment:
    document = {
        "version": 1,
        "kind": "experiment",
        "data": "toy",
        "modalities": {name: {"encoder": encoder or TINY} for name in names},
        "fusion": DEEPLAB,
        "task": {"kind": "segmentation"},
        "training": {"epochs": 1},
    }
    return Experiment.model_validate(document | changes)


def inputs(side: int = 16, batch: int = 3) -> dict[str, Input]:
    generator = torch.Generator().manual_seed(0)
    return {name: Input(torch.randn(batch, 1, side, side, generator=generator)) for name in NAMES}


def masks(side: int = 16, batch: int = 3) -> Tensor:
    return torch.randint(4, (batch, side, side), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_logits_are_a_map_that_a_1x1_convolution_makes(fusion: str) -> None:
    spec = segmenter(fusion=FUSIONS[fusion], modulation={"kind": "cggm", "preset": "paper"})
    made, report = build_network(spec, scans(), seed=0), check_build(spec, scans())
    out = made.network(inputs())
    assert isinstance(made.network.head, nn.Conv2d)
    assert out.logits.shape == (3, 4, *out.fused.shape[2:])
    assert out.fused.shape[1] == made.network.fusion.width
    assert report.network == made.network.parameter_counts()
    assert sum(report.classifiers.values()) == sum(p.numel() for p in made.modulation.parameters())
    for classifier in made.modulation.classifiers.heads().values():  # type: ignore[union-attr]
        assert classifier.weight.shape == made.network.head.weight.shape


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize(
    "modulation",
    [{"kind": "cggm", "preset": preset} for preset in ("paper", "released", "stable")]
    + [{"kind": "unimodal_losses"}, {"kind": "ogm_ge"}],
    ids=lambda spec: "-".join(spec.values()),
)
def test_every_method_trains_every_decoder(fusion: str, modulation: dict[str, Any]) -> None:
    torch.manual_seed(0)
    made = build_network(segmenter(fusion=FUSIONS[fusion], modulation=modulation), scans(), seed=0)
    target = masks()
    for index in range(2):
        out = made.network(inputs())
        step = Step(out.features, out.fused, out.logits, target, 0, index, out.blocks, out.rerun)
        made.network.zero_grad()
        made.modulation.backward(made.task.loss(out.logits, target), step)
        gradients = [p.grad for p in made.network.encoders.parameters() if p.grad is not None]
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert any(gradient.any() for gradient in gradients)


def test_the_weights_depend_on_the_seed_and_on_nothing_around() -> None:
    cggm = {"kind": "cggm", "preset": "paper"}
    first, second, other = (
        build_network(segmenter(names, modulation=cggm), scans(), seed=seed)
        for names, seed in ((NAMES, 4), (NAMES[::-1], 4), (NAMES, 5))
    )
    plain = build_network(segmenter(), scans(), seed=4).network.state_dict()
    for module, twin in ((first.network, second.network), (first.modulation, second.modulation)):
        assert module.state_dict().keys() == twin.state_dict().keys()
        assert all(torch.equal(value, twin.state_dict()[name]) for name, value in module.state_dict().items())
    assert all(torch.equal(value, first.network.state_dict()[name]) for name, value in plain.items())
    assert not torch.equal(first.network.head.weight, other.network.head.weight)


def test_running_again_without_a_modality_leaves_running_statistics_alone() -> None:
    made = build_network(segmenter(), scans(), seed=0).network
    out = made(inputs())
    before = {name: value.clone() for name, value in made.state_dict().items()}
    assert out.rerun is not None
    assert not torch.equal(out.rerun(["t1"]), out.logits)
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    made.eval()
    again = made(inputs())
    torch.testing.assert_close(again.rerun([]), again.logits)


def test_a_row_depends_on_the_decoder_and_on_the_classifier_for_maps(root: Path) -> None:
    cggm = segmenter(modulation={"kind": "cggm", "preset": "paper"})
    code = Code.of(root)
    found = {str(file.relative_to(root / "cggm_pipeline")) for file in train_files(code, cggm)}
    assert {"fusions/deeplab.py", "classifiers/map.py", "encoders/conv.py", "modulations/cggm.py"} <= found
    assert not {"classifiers/vector.py", "classifiers/tokens.py", "fusions/smp_decoder.py"} & found
    plain = {str(file.relative_to(root / "cggm_pipeline")) for file in train_files(code, segmenter())}
    assert "classifiers/map.py" not in plain


def test_a_network_for_crops_reads_whole_images() -> None:
    made = build_network(segmenter(), scans(), seed=0).network.eval()
    assert made(inputs(side=8)).logits.shape == (3, 4, 4, 4)
    assert made(inputs(side=24)).logits.shape == (3, 4, 12, 12)


def test_smp_encoders_come_with_their_aspp() -> None:
    encoder = {"kind": "smp", "model": "tu-test_resnet", "output_stride": 16, "aspp": 8}
    spec = segmenter(("flair", "t1"), encoder, fusion={"kind": "deeplab", "width": 6, "low_width": 3})
    made = build_network(spec, scans(32), seed=0)
    given = {name: value for name, value in inputs(32).items() if name != "t2"}
    assert made.network(given).logits.shape == (3, 4, 8, 8)
    assert check_build(spec, scans(32)).total == sum(p.numel() for p in made.network.parameters())


@pytest.mark.parametrize(
    ("changes", "side", "message"),
    [
        (
            {"encoder": {"kind": "smp", "model": "resnet81"}},
            32,
            r"flair\.encoder: model: smp has no 'resnet81'; did you mean 'resnet18'",
        ),
        (
            {"encoder": {"kind": "smp", "model": "tu-resnet81"}},
            32,
            r"encoder: model: timm has no 'resnet81'; did you mean",
        ),
        ({"encoder": {"kind": "smp", "model": "resnet18", "weights": "w.pth"}}, 32, r"weights: w\.pth does not exist"),
        ({"fusion": {**DEEPLAB, "low_level": 3}}, 16, r"fusion: low_level: 3 is not before the last of 4 maps"),
        ({"fusion": {**FUSIONS["unet"], "channels": [4, 4]}}, 16, r"fusion: channels: 2 numbers for 3 blocks"),
        ({"fusion": FUSIONS["fpn"]}, 20, r"fusion: decoder: fpn doubles each map, but after \(5, 5\) comes \(3, 3\)"),
        (
            {"fusion": FUSIONS["fpn"], "augment": [{"kind": "crop", "size": [12, 12]}]},
            16,
            r"augment: fusion: decoder: fpn doubles each map, but after \(3, 3\) comes \(2, 2\)",
        ),
        (
            {"fusion": {"kind": "concat"}, "task": {"kind": "classification"}},
            16,
            "needs a dataset with target kind 'classes'",
        ),
    ],
)
def test_what_cannot_be_built_is_told_with_its_key(changes: dict[str, Any], side: int, message: str) -> None:
    with pytest.raises(BuildError, match=message):
        check_build(segmenter(**changes), scans(side))


def test_modalities_of_different_sizes_are_told() -> None:
    shapes = {"flair": {"shape": [1, 16, 16]}, "t1": {"shape": [1, 16, 16]}, "t2": {"shape": [1, 24, 24]}}
    data = dataset(modalities=shapes, target={"kind": "mask", "number": 4, "shape": [16, 16]})
    with pytest.raises(BuildError, match="fusion: the shapes do not meet"):
        check_build(segmenter(), data)


@pytest.mark.parametrize("name", parameter_counts.RELEASED)
def test_the_released_counts_are_the_sums_of_their_layers(name: str) -> None:
    """That our networks have them is in test_paper_networks.py; here is what each of them consists of."""
    found = parameter_counts.layers(name)
    assert found.totals == parameter_counts.RELEASED[name]
    assert bool(found.lacking) == (name != "brats")


def test_the_account_of_a_network_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert parameter_counts.show("mosi")
    told = capsys.readouterr().out
    assert all(number in told for number in ("371,721", "123,603", "118,683", "-4,920"))


def test_classifiers_read_whole_pyramids_cut_from_the_graph() -> None:
    """No level of the released preset's classifiers reaches an encoder; in `stable` each reaches its own."""
    reached = {}
    for preset in ("released", "stable"):
        made = build_network(segmenter(modulation={"kind": "cggm", "preset": preset}), scans(), seed=0)
        for _ in range(2):  # `stable` lets nothing through before it has seen a score
            out = made.network(inputs())
            step = Step(out.features, out.fused, out.logits, masks())
            penalty = made.modulation.penalty(step)
            assert isinstance(penalty, Tensor)
            made.network.zero_grad()
            penalty.backward()
            made.modulation.modulate_(step)
        parameters = list(made.network.encoders.parameters())
        reached[preset] = [p.grad is not None and bool(p.grad.any()) for p in parameters]
    assert not any(reached["released"])
    assert sum(reached["stable"]) > 0.5 * len(reached["stable"])


def test_classifiers_of_one_shape_start_apart() -> None:
    made = build_network(segmenter(modulation={"kind": "cggm", "preset": "released"}), scans(), seed=0)
    heads = [head.weight for head in made.modulation.classifiers.heads().values()]  # type: ignore[union-attr]
    assert not torch.equal(heads[0], heads[1])
    again = build_network(segmenter(modulation={"kind": "cggm", "preset": "released"}), scans(), seed=0)
    found = again.modulation.classifiers.heads().values()  # type: ignore[union-attr]
    assert all(torch.equal(one.weight, other) for one, other in zip(found, heads, strict=True))
