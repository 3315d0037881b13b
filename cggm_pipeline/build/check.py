"""Does a spec become a network? Checked on the meta device: shapes and names, no data, no memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from cggm_pipeline.build.classifiers import build_classifiers
from cggm_pipeline.build.encoders import encoded_shape
from cggm_pipeline.build.modulation import positional
from cggm_pipeline.build.network import Built, build_network
from cggm_pipeline.build.place import at
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Features, Input
from cggm_pipeline.spec.dataset import Dataset, Shape, Values
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.modality import Modality

FREE = 64
"""The size that stands in for an axis that the dataset leaves open."""

BATCH = 2


@dataclass(frozen=True)
class BuildReport:
    """Numbers of parameters by module (`encoders.<modality>`, `fusion`, `head`), and of each modality's classifier.

    `classifiers` is empty where the modulation trains none. `trainable` counts the network's parameters that learn.
    """

    network: Mapping[str, int]
    classifiers: Mapping[str, int]
    trainable: int

    @property
    def total(self) -> int:
        """All parameters of the network; classifiers are dropped at inference and not counted."""
        return sum(self.network.values())

    def __str__(self) -> str:
        rows = [*self.network.items(), ("network", self.total)]
        rows += [(f"classifiers.{name}", count) for name, count in self.classifiers.items()]
        wide = max(len(name) for name, _ in rows)
        lines = [f"{name:<{wide}}  {count:>13,}" for name, count in rows if count]
        frozen = self.total - self.trainable
        share = f"{self.trainable / self.total:.2%}" if self.total else ""
        return "\n".join([*lines, *([f"{'frozen':<{wide}}  {frozen:>13,}   {share} learn"] if frozen else [])])


def check_build(experiment: Experiment, dataset: Dataset) -> BuildReport:
    """Build the experiment on the meta device and pass one fake batch through encoders, fusion, head and classifiers.

    Raises BuildError with the spec key that has to change. Weight files must exist but are not read; hub weights are
    not fetched.
    """
    counts = None if isinstance(dataset.target, Values) else [1] * dataset.target.number
    with shapes_meet():
        built = build_network(experiment, dataset, seed=0, device="meta", class_counts=counts)
    inputs = {name: fake(experiment.modalities[name], dataset.modalities[name]) for name in built.network.modalities}
    features = {name: _encoded(built, name, given) for name, given in inputs.items()}
    _fuse(built, features)
    _whole(built, inputs)
    if experiment.augment:
        cropped = {name: _cropped(given, experiment) for name, given in inputs.items()}
        with at("augment"):
            _fuse(built, {name: _encoded(built, name, given) for name, given in cropped.items()})
            _whole(built, cropped)
    classifiers = _classifiers(experiment, built)
    for name, classifier in classifiers.items():
        with at(f"classifiers ({name})"), shapes_meet():
            classifier(features[name])
    counted = {name: _count(classifier) for name, classifier in classifiers.items()}
    return BuildReport(built.network.parameter_counts(), counted, _count(built.network, trainable=True))


def _classifiers(experiment: Experiment, built: Built) -> dict[str, nn.Module]:
    kind = implementation(TABLES["modulations"][experiment.modulation.effective().kind])
    if "classifiers" not in positional(kind):
        return {}
    return build_classifiers(experiment, built.network, built.task, seed=0, device="meta")


def _count(module: nn.Module, *, trainable: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def fake(modality: Modality, form: Shape) -> Input:
    """A batch of what the encoder of a modality reads, on the meta device; `form` is that of the data."""
    shape = encoded_shape(modality, form.shape)
    sizes = [FREE if size is None else size for size in shape]
    ids = form.dtype in ("text", "int64")  # of tokens, once a transform has read the text
    values = torch.empty(BATCH, *sizes, dtype=torch.int64 if ids else torch.float32, device="meta")
    masked = len(sizes) == 2 or shape[0] is None
    mask = torch.zeros(BATCH, sizes[0], dtype=torch.bool, device="meta") if masked else None
    return Input(values, mask, torch.ones(BATCH, dtype=torch.bool, device="meta"))


def _cropped(given: Input, experiment: Experiment) -> Input:
    """What the network reads in training, where crops are smaller than the data."""
    values = given.values
    for crop in experiment.augment:
        height, width = getattr(crop, "size", values.shape[-2:])
        values = values[..., :height, :width]
    return Input(values, given.mask, given.present)


def _fuse(built: Built, features: Mapping[str, Features]) -> None:
    network = built.network
    with at("fusion"), shapes_meet():
        filled = network.fill(features, dict.fromkeys(features))
        logits = network.head(network.fusion(filled).tensor)
    places = ("H", "W") if network.fusion.dense else ()
    if logits.shape[:2] != (BATCH, built.task.out_features) or logits.dim() != 2 + len(places):
        expected = ", ".join(str(size) for size in (BATCH, built.task.out_features, *places))
        raise BuildError(f"fusion: logits have shape {tuple(logits.shape)}, not ({expected})")


def _whole(built: Built, inputs: Mapping[str, Input]) -> None:
    """The forward pass as it is: its parts have been passed by themselves, so that only the adapter can be wrong."""
    with at("adapter"), shapes_meet():
        built.network(inputs)


def _encoded(built: Built, name: str, given: Input) -> Features:
    encoder = built.network.encoders[name]
    with at(f"modalities.{name}.encoder"), shapes_meet():
        features: Features = encoder(given)
    values = features.values if isinstance(features.values, list) else [features.values]
    axis = -1 if encoder.layout == "tokens" else 1
    found = tuple(value.shape[axis] for value in values)
    if found != tuple(encoder.widths):
        raise BuildError(f"modalities.{name}.encoder: says widths {tuple(encoder.widths)}, but gives {found}")
    return features


class shapes_meet:  # noqa: N801 - reads as a word in a with statement
    """Torch's complaint about shapes as a BuildError: at this point only shapes can be wrong."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (RuntimeError, ValueError, AssertionError, IndexError, TypeError)):
            reason = str(error).strip().split("\n")[0]
            raise BuildError(f"the shapes do not meet: {reason}") from error
