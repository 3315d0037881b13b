"""Whether a modality's transforms and encoder fit the data that they read; for experiments and datasets of features."""

from __future__ import annotations

from collections.abc import Iterator

from cggm_pipeline.spec.dataset import Shape as Form
from cggm_pipeline.spec.encoders import EncoderSpec, Shape
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.load import Keys
from cggm_pipeline.spec.modality import Modality
from cggm_pipeline.spec.nearest import listed
from cggm_pipeline.spec.transforms import TransformSpec

FORMS = {1: "(D)", 2: "(T, D)", 3: "(C, H, W)"}


def check_modality(name: str, modality: Modality, form: Form, path: Keys, data: Keys) -> Iterator[Finding]:
    """Every fault of the modality at `path`; `data` is the key that names the dataset, whose modality is `form`."""
    shape: Shape = form.shape
    what = "text" if form.dtype == "text" else "ids" if form.dtype == "int64" and len(shape) == 1 else "numbers"
    for index, transform in enumerate(modality.transforms):
        where: Keys = (*path, "transforms", index)
        fault = _unread(transform, what, shape, index)
        if fault is not None:
            message, hint = fault
            yield Finding(where, f"{message}; '{name}' is {_described(what, form.shape)}", hint=hint, also=(data,))
            return
        channels = shape[0] if len(shape) == 3 else shape[-1] if shape else None
        for key, count in transform.per_channel().items():
            if channels is not None and count not in (1, channels):
                message = f"{count} numbers for {channels} channels; '{name}' is {_described(what, form.shape)}"
                yield Finding((*where, key), message, also=(data,))
        misfit = transform.fault()
        if misfit is not None:
            yield Finding((*where, misfit[0]), misfit[1])
        shape, what = transform.shape(shape), transform.gives
    yield from _input(name, modality.encoder, shape, what, _described(what, form.shape), (*path, "encoder"), data)
    yield from _ids(modality, path)


def _unread(transform: TransformSpec, what: str, shape: Shape, index: int) -> tuple[str, str] | None:
    """Why a transform cannot stand where it does, and what to do; null where it can."""
    if transform.front_end and index:
        return f"{transform.kind} stands first, before all other transforms", ""
    if transform.reads == "text" and what != "text":
        return f"{transform.kind} reads text", ""
    forms = listed(FORMS[rank] for rank in sorted(transform.ranks))
    if transform.reads == "numbers" and (what == "text" or len(shape) not in transform.ranks):
        return f"{transform.kind} reads {forms}", ""
    if transform.reads == "numbers" and index and what == "ids":
        return f"{transform.kind} reads numbers, and token ids stand before it", "take one of them out"
    return None


def _input(
    name: str, encoder: EncoderSpec, shape: Shape, what: str, described: str, path: Keys, data: Keys
) -> Iterator[Finding]:
    kind, also = (*path, "kind"), (data,)
    if what == "text" or len(shape) not in encoder.ranks:
        forms = "token ids (T)" if encoder.reads_ids else listed(FORMS[rank] for rank in sorted(encoder.ranks))
        hint = "put a tokenise or hash_words first into its transforms" if encoder.reads_ids else ""
        yield Finding(kind, f"{encoder.kind} reads {forms}; '{name}' is {described}", hint=hint, also=also)
    elif encoder.reads_ids and what != "ids":
        message = f"{encoder.kind} reads token ids (T); '{name}' is {described}, of numbers"
        yield Finding(kind, message, hint="its dtype must be int64, or text with a tokenise or hash_words", also=also)
    elif None in encoder.fixed(shape):
        message = f"{encoder.kind} needs fixed sizes; '{name}' is {described}"
        yield Finding(kind, message, hint="resize it, or choose an encoder that reads varying sizes", also=also)
    elif encoder.layout == "pyramid" and len(shape) != 3:
        yield Finding((*path, "output"), f"a pyramid needs images {FORMS[3]}; '{name}' is {described}", also=also)


def _ids(modality: Modality, path: Keys) -> Iterator[Finding]:
    """The encoder knows every id that the transforms give, where both say how many there are."""
    given, known = modality.transforms[-1].ids() if modality.transforms else None, modality.encoder.ids()
    if given is not None and known is not None and given > known:
        message = f"{given} ids come from {modality.transforms[-1].kind}, {modality.encoder.kind} knows {known}"
        also = ((*path, "transforms", len(modality.transforms) - 1),)
        yield Finding((*path, "encoder"), message, hint=f"write vocabulary: {given}", also=also)


def _described(what: str, shape: Shape) -> str:
    return "text" if what == "text" or not shape else f"of shape {shown(shape)}"


def shown(shape: Shape) -> str:
    """A shape for people."""
    return "(" + ", ".join("varying" if size is None else str(size) for size in shape) + ")"
