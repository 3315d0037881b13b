"""Parameters of the paper's four networks: ours, from the specs on the meta device, beside the released code's.

The released numbers are counted in the authors' code, zrguo/CGGM, run on a CPU. Every one is built up below from its
layers, and so is every difference. Target: the networks are the same. Run: python benchmarks/parameter_counts.py
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cggm_pipeline.build import check_build
from cggm_pipeline.spec import Dataset, Experiment, Project, load_dataset, load_experiment
from cggm_pipeline.spec.modulations import CGGM

ROOT = Path(__file__).resolve().parents[1]
RELEASED = {
    "food101": (266_381, 90_602),
    "mosi": (371_721, 123_603),
    "iemocap": (339_804, 123_972),
    "brats": (235_226_980, 5_218_704),
}
"""Parameters of the network and of all its classifiers."""

Lines = list[tuple[str, int]]


@dataclass(frozen=True)
class Layers:
    """The released code's network and classifiers, layer by layer; `lacking` are those that ours has not."""

    network: Lines
    classifiers: Lines
    lacking: Lines

    @property
    def totals(self) -> tuple[int, int]:
        """Parameters of network and classifiers."""
        return sum(number for _, number in self.network), sum(number for _, number in self.classifiers)

    @property
    def ours(self) -> tuple[int, int]:
        """What our network and classifiers must have, if the lacking layers are the only difference."""
        network, classifiers = self.totals
        return network, classifiers - sum(number for _, number in self.lacking)


def documents(name: str) -> tuple[Experiment, Dataset]:
    """specs/experiments/NAME/joint.yaml, and its data."""
    project = Project(ROOT)
    experiment = load_experiment(ROOT / "specs" / "experiments" / name / "joint.yaml", project).spec
    return experiment, load_dataset(experiment.data, project).spec


def counted(name: str) -> tuple[int, int]:
    """Parameters of our network and of its classifiers under CGGM, built on the meta device."""
    experiment, dataset = documents(name)
    report = check_build(experiment.model_copy(update={"modulation": CGGM(kind="cggm", preset="paper")}), dataset)
    return report.total, sum(report.classifiers.values())


def layers(name: str) -> Layers:
    """The layers of the released code."""
    experiment, dataset = documents(name)
    return segmentation(experiment, dataset) if name == "brats" else sequences(experiment, dataset)


def sequences(experiment: Experiment, dataset: Dataset) -> Layers:
    """Transformers over sequences (models/foodmodel.py, models/msamodel.py)."""
    modalities = experiment.used()
    encoder: Any = next(iter(modalities.values())).encoder
    fusion: Any = experiment.fusion
    width, count, out = encoder.width, len(modalities), getattr(dataset.target, "number", 1)
    sizes = [int(dataset.modalities[each].shape[-1] or 0) for each in sorted(modalities)]
    square = width * width + width
    network = [
        (f"projections of {sizes} to {width}, with biases", sum(sizes) * width + count * width),
        (f"{count} encoders of {encoder.layers} blocks and a norm", count * transformer(width, encoder.layers)),
        (f"fusion of {fusion.layers} blocks and a norm", transformer(width, fusion.layers)),
        (f"residual layers, 2 x {width} x {width} and biases", 2 * square),
        (f"head, {width} x {out} and biases", width * out + out),
    ]
    classifiers = [
        (f"{count} times 2 blocks and a norm", count * transformer(width, 2)),
        (f"{count} times proj1, {width} x {width} and biases", count * square),
        (f"{count} times a head, {width} x {out} and biases", count * (width * out + out)),
    ]
    lacking = [(f"proj1, a linear layer that is applied twice (msamodel.py:91-92), {count} times", count * square)]
    return Layers(network, classifiers, lacking)


def transformer(width: int, layers: int) -> int:
    """Blocks (attention 4 w^2 + 4 w, two layers 8 w^2 + 5 w, two norms 4 w) and a last norm 2 w."""
    return layers * (12 * width * width + 13 * width) + 2 * width


def segmentation(experiment: Experiment, dataset: Dataset) -> Layers:
    """ResNet-101 with ASPP and DeepLabv3+ decoders (models/segmodel.py)."""
    count, classes = len(experiment.used()), getattr(dataset.target, "number", 0)
    network = [
        (f"{count} times ResNet-101 for 1 channel, without its classifier", count * resnet((3, 4, 23, 3), 1)),
        (f"{count} times ASPP, 2048 to 256", count * aspp(2048, 256)),
        *decoder(count, classes),
    ]
    return Layers(network, [(f"{count} times {text}", count * number) for text, number in decoder(1, classes)], [])


def convolution(width: int, channels: int, side: int) -> int:
    """Without bias, and its batch norm."""
    return side * side * width * channels + 2 * channels


def resnet(stages: tuple[int, ...], channels: int) -> int:
    """Bottleneck blocks: 1x1, 3x3, 1x1 to four times the width; a 1x1 shortcut in the first of a stage."""
    total, width = convolution(channels, 64, 7), 64
    for blocks, inner in zip(stages, (64, 128, 256, 512), strict=True):
        for block in range(blocks):
            total += convolution(width, inner, 1) + convolution(inner, inner, 3) + convolution(inner, 4 * inner, 1)
            total += 0 if block else convolution(width, 4 * inner, 1)
            width = 4 * inner
    return total


def aspp(width: int, channels: int) -> int:
    """1x1, three 3x3, pooling with 1x1, and the projection of all five."""
    branches = 2 * convolution(width, channels, 1) + 3 * convolution(width, channels, 3)
    return branches + convolution(5 * channels, channels, 1)


def decoder(maps: int, classes: int) -> Lines:
    """DeepLabv3+ over `maps` coarsest and `maps` low-level maps of 256 channels each."""
    low = 256 * maps
    return [
        (f"low-level maps, {low} to 48", convolution(low, 48, 1)),
        (f"3x3 convolution, {low} + 48 to 256", convolution(low + 48, 256, 3)),
        ("3x3 convolution, 256 to 256", convolution(256, 256, 3)),
        (f"head, 256 x {classes} and biases", 256 * classes + classes),
    ]


def show(name: str) -> bool:
    """Print one network's account; whether every difference is explained."""
    found, ours, released = layers(name), counted(name), RELEASED[name]
    parts = (("network", found.network, []), ("classifiers", found.classifiers, found.lacking))
    for (part, lines, lacking), own, theirs in zip(parts, ours, released, strict=True):
        rows = [(f"{name}: {part}, released", theirs), *((f"  {text}", number) for text, number in lines)]
        rows += [(f"{part}, ours", own), ("difference", own - theirs)]
        rows += [(f"  without {text}", -number) for text, number in lacking]
        print("\n".join(f"{text:<88}{number:>12,}" for text, number in rows))
    return found.totals == released and found.ours == ours


def main() -> int:
    """Print all four; 1 where a difference is left unexplained."""
    left = [name for name in RELEASED if not show(name)]
    print(f"not explained: {', '.join(left)}" if left else "every difference is explained")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
