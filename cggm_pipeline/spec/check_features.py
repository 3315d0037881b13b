"""What a dataset of features must get right: its encoders fit the data they read, and it says what they give."""

from __future__ import annotations

from collections.abc import Iterator

from cggm_pipeline.spec.check_modality import check_modality, shown
from cggm_pipeline.spec.dataset import Dataset, Shape
from cggm_pipeline.spec.features import Features
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.load import Keys
from cggm_pipeline.spec.modality import Modality
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.sources import Published

DATA: Keys = ("source", "data")
SOURCE: Keys = ("source", "modalities")
FORMS = {"vector": "[D]", "tokens": "[T, D]"}


def check_features(dataset: Dataset, source: Features, upstream: Dataset | None) -> Iterator[Finding]:
    """Every fault of a dataset of features; `upstream`: the dataset that it reads, null where that is wrong itself."""
    yield from split_of_upstream(dataset, source.data, "features have")
    for name in dataset.modalities:
        if name not in source.modalities:
            hint, allowed = did_you_mean(name, source.modalities)
            yield Finding(("modalities", name), f"source.modalities has no '{name}'", allowed, hint, "key")
    for name, modality in source.modalities.items():
        yield from _modality(name, modality, dataset, upstream, source.data)
    if upstream is not None and dataset.target != upstream.target:
        hint = f"copy the target of '{source.data}'"
        yield Finding(("target",), f"it is not that of '{source.data}'", hint=hint, on="key", also=(DATA,))


def split_of_upstream(dataset: Dataset, upstream: str, whose: str) -> Iterator[Finding]:
    """A dataset that is computed from another has that one's split."""
    split = dataset.split
    if not isinstance(split, Published) or split.valid is not None:
        yield Finding(("split",), f"{whose} the split of '{upstream}'", "{kind: published}", on="key")


def _modality(
    name: str, modality: Modality, dataset: Dataset, upstream: Dataset | None, data: str
) -> Iterator[Finding]:
    path: Keys = (*SOURCE, name)
    for index, transform in enumerate(modality.transforms):
        if transform.augments:
            message = f"{transform.kind} is an augmentation: features that are computed once would keep one draw of it"
            yield Finding((*path, "transforms", index), message, hint="take it out")
    if name not in dataset.modalities:
        hint, allowed = did_you_mean(name, dataset.modalities)
        yield Finding(path, f"modalities does not say the shape of '{name}'", allowed, hint, "key")
        return
    yield from _declared(name, modality, dataset.modalities[name])
    if upstream is None:
        return
    if name not in upstream.modalities:
        hint, allowed = did_you_mean(name, upstream.modalities)
        yield Finding(path, f"'{data}' has no modality '{name}'", allowed, hint, "key", (DATA,))
        return
    faults = list(check_modality(name, modality, upstream.modalities[name], path, DATA))
    yield from faults or _length(name, modality, dataset.modalities[name], upstream.modalities[name])


def _declared(name: str, modality: Modality, form: Shape) -> Iterator[Finding]:
    """The declared shape and dtype against what the encoder says of itself."""
    encoder, here = modality.encoder, ("modalities", name)
    also: tuple[Keys, ...] = ((*SOURCE, name, "encoder"),)
    if encoder.layout not in FORMS:
        message = f"{encoder.kind} gives {encoder.layout} features, which cannot be stored"
        yield Finding((*SOURCE, name, "encoder"), message, "vector, tokens", on="key")
        return
    if form.dtype not in ("float16", "float32"):
        yield Finding((*here, "dtype"), f"features are no {form.dtype}", "float16, float32")
    elif len(form.shape) != {"vector": 1, "tokens": 2}[encoder.layout]:
        message = f"{shown(form.shape)}, but {encoder.kind} gives {encoder.layout}"
        yield Finding((*here, "shape"), message, FORMS[encoder.layout], also=also)
    elif encoder.features_width not in (None, form.shape[-1]):
        message = f"{shown(form.shape)}, but the features of {encoder.kind} are {encoder.features_width} wide"
        yield Finding((*here, "shape"), message, also=also)


def _length(name: str, modality: Modality, form: Shape, read: Shape) -> Iterator[Finding]:
    """Sequences that vary in length have features that do, and no others."""
    shape: tuple[int | None, ...] = read.shape
    for transform in modality.transforms:
        shape = transform.shape(shape)
    varies = shape[0] is None
    if len(form.shape) == 2 and (form.shape[0] is None) != varies:
        allowed = f"[null, {form.shape[1]}]" if varies else f"a number of tokens: [T, {form.shape[1]}]"
        message = f"{shown(form.shape)}, but what the encoder reads {'varies' if varies else 'does not vary'} in length"
        yield Finding(("modalities", name, "shape"), message, allowed, also=(DATA,))
