"""Whether an adapter fits the network that it adapts, as far as that is known without building it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cggm_pipeline.spec.adapters import AdapterSpec, Bottleneck, LoRA, Wander
from cggm_pipeline.spec.check_network import one_width
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.encoders import EncoderSpec
from cggm_pipeline.spec.in_use import USE
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.load import Keys
from cggm_pipeline.spec.nearest import listed
from cggm_pipeline.spec.sections import Sections

ADAPTER: Keys = ("adapter", "kind")
WHERE: Keys = ("adapter", "where")
TOKENS: Keys = ("adapter", "tokens")


def check_adapter(sections: Sections, dataset: Dataset | None) -> Iterator[Finding]:
    """Every misfit of the adapter with encoders, fusion and the shapes of the data. `dataset` null: not known."""
    adapter = sections.adapter
    if adapter is None:
        return
    encoders = {name: modality.encoder for name, modality in sections.used().items() if modality is not None}
    yield from _layouts(adapter, encoders)
    yield from _blocks(adapter, encoders, sections)
    if adapter.equal_widths():
        yield from one_width(ADAPTER, adapter.kind, encoders, "give every encoder the same width")
    yield from _frozen(adapter, encoders)
    if isinstance(adapter, Wander):
        yield from _tokens(adapter, encoders, sections, dataset)


def _layouts(adapter: AdapterSpec, encoders: Mapping[str, EncoderSpec]) -> Iterator[Finding]:
    layouts = adapter.layouts()
    for name, encoder in encoders.items():
        if layouts is not None and encoder.layout not in layouts:
            reads = listed(sorted(layouts))
            message = f"{adapter.kind} changes {reads}; the encoder of '{name}' gives {encoder.layout}"
            hint = "use kind: bitfit, or lora with target: [encoders.*]"
            yield Finding(ADAPTER, message, hint=hint, also=(_encoder(name, "output"), USE))


def _blocks(adapter: AdapterSpec, encoders: Mapping[str, EncoderSpec], sections: Sections) -> Iterator[Finding]:
    """`every`: Wander needs blocks in every encoder, a bottleneck somewhere."""
    without = [name for name, encoder in encoders.items() if not encoder.trunk]
    if not adapter.blocks():
        return
    if isinstance(adapter, Bottleneck):
        fusion = sections.fusion
        if encoders and len(without) == len(encoders) and fusion is not None and "tokens" not in fusion.accepts:
            message = "every stands behind Transformer blocks, and neither an encoder nor the fusion has any"
            yield Finding(WHERE, message, "last", "set it", also=(("fusion", "kind"), USE))
        return
    for name in without:
        message = f"every stands behind the blocks of each encoder, and {encoders[name].kind}, of '{name}', has none"
        yield Finding(WHERE, message, "last", "set it", also=(_encoder(name, "kind"), USE))


def _frozen(adapter: AdapterSpec, encoders: Mapping[str, EncoderSpec]) -> Iterator[Finding]:
    """What learns inside an encoder learns nothing where the encoder itself is frozen."""
    inside = adapter.blocks() or (isinstance(adapter, LoRA) and adapter.target is None)
    for name, encoder in encoders.items():
        if inside and getattr(encoder, "freeze", False):
            message = f"the encoder of '{name}' is frozen, and {adapter.kind} learns inside it"
            hint = "remove freeze: the adapter freezes the network by itself"
            yield Finding(_encoder(name, "freeze"), message, "false", hint, also=(ADAPTER, USE))


def _tokens(
    adapter: Wander, encoders: Mapping[str, EncoderSpec], sections: Sections, dataset: Dataset | None
) -> Iterator[Finding]:
    if adapter.tokens is not None:
        if adapter.form == "released":
            message = "form released adds to tokens where they stand, and resamples none"
            yield Finding(TOKENS, message, "null", "remove it", also=(("adapter", "form"),))
        return
    for name, encoder in encoders.items():
        if adapter.where == "every" and encoder.trunk and encoder.layout != "tokens":
            message = f"the number of tokens inside the encoder of '{name}' is not known, whose output is no token"
            also = (WHERE, _encoder(name, "output"))
            yield Finding(TOKENS, message, "a number", "set it, for instance 16", also=also)
        elif dataset is not None and encoder.layout == "tokens" and _varies(name, sections, dataset):
            message = f"the number of tokens of '{name}' varies"
            yield Finding(TOKENS, message, "a number", "set it, for instance 16", also=(ADAPTER, USE, ("data",)))


def _varies(name: str, sections: Sections, dataset: Dataset) -> bool:
    """Whether the dataset and the transforms leave an axis of what the encoder reads open."""
    modality = sections.modalities[name]
    if modality is None or name not in dataset.modalities:
        return False
    shape = dataset.modalities[name].shape
    for transform in modality.transforms:
        if transform.reads == "numbers" and len(shape) not in transform.ranks:
            return False  # told as a fault of the transform
        shape = transform.shape(shape)
    return None in shape


def _encoder(name: str, key: str) -> Keys:
    return ("modalities", name, "encoder", key)
