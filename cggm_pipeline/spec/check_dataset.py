"""What a dataset document must get right beyond its types."""

from __future__ import annotations

from collections.abc import Iterator

from cggm_pipeline.spec.dataset import Classes, Dataset, Mask, Shape, Values
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.nearest import did_you_mean, listed
from cggm_pipeline.spec.sources import Column, Published, Stratified, Table

_RANKS = {"image": {3}, "audio": {1, 2}, "numbers": {1}, "npy": {1, 2, 3, 4}}

RESERVED = ("id", "target", "group")


def check_dataset(dataset: Dataset) -> Iterator[Finding]:
    """Every fault of one dataset document."""
    yield from _split(dataset)
    yield from _target(dataset)
    for name, shape in dataset.modalities.items():
        yield from _shape(name, shape)
    yield from _known(dataset)
    if isinstance(dataset.source, Table):
        yield from _columns(dataset, dataset.source)


def _split(dataset: Dataset) -> Iterator[Finding]:
    split = dataset.split
    if isinstance(split, Published):
        if not dataset.source.splits():
            hint = "name the column: source.split, or use kind: stratified"
            yield Finding(("split", "kind"), f"{dataset.source.kind} carries no split of its own", hint=hint)
        return
    if split.valid + split.test >= 1:
        message = f"valid {split.valid:g} and test {split.test:g} leave nothing to train on"
        yield Finding(("split", "test"), message, "together less than 1", also=(("split", "valid"),))
    if isinstance(split, Stratified) and not isinstance(dataset.target, Classes):
        yield Finding(
            ("split", "kind"), "stratified needs classes", hint="use kind: random", also=(("target", "kind"),)
        )


def _target(dataset: Dataset) -> Iterator[Finding]:
    target = dataset.target
    if dataset.source.classes is not None and (
        not isinstance(target, Classes) or target.number != dataset.source.classes
    ):
        path = ("target", "number") if isinstance(target, Classes) else ("target", "kind")
        yield Finding(path, f"{dataset.source.kind} has {dataset.source.classes} classes")
    yield from _masks(dataset)
    if isinstance(target, Values) or target.names is None:
        return
    if len(target.names) != target.number:
        yield Finding(("target", "names"), f"{len(target.names)} names for {target.number} classes")
    for index, name in enumerate(target.names):
        if name in target.names[:index]:
            yield Finding(("target", "names", index), f"the class '{name}' stands twice")


def _masks(dataset: Dataset) -> Iterator[Finding]:
    source, mask = dataset.source, isinstance(dataset.target, Mask)
    if source.masks is not None and source.masks != mask:
        message = f"{source.kind} has no masks" if mask else f"the target of {source.kind} is a mask"
        yield Finding(("target", "kind"), message, "" if mask else "mask", also=(("source", "kind"),))


def _shape(name: str, shape: Shape) -> Iterator[Finding]:
    path = ("modalities", name, "shape")
    if name in RESERVED:
        message = f"a modality cannot be called '{name}', as a column of the prepared form is"
        yield Finding(("modalities", name), message, hint="give it another name", on="key")
    if shape.dtype == "text" and shape.shape:
        yield Finding(path, "text has no shape", "[]", also=(("modalities", name, "dtype"),))
    if shape.dtype != "text" and not shape.shape:
        yield Finding(path, "an array needs a shape", "[D], [T, D] or [C, H, W]")


def _known(dataset: Dataset) -> Iterator[Finding]:
    """The modalities are those of a source that knows its own; so are the shapes, where it knows them too."""
    source, shapes = dataset.source, dataset.source.shapes or {}
    names = source.names or tuple(shapes)
    for name, shape in dataset.modalities.items() if names else ():
        if name not in names:
            hint, allowed = did_you_mean(name, names)
            yield Finding(("modalities", name), f"{source.kind} has no modality '{name}'", allowed, hint, "key")
        elif shape.shape != shapes.get(name, shape.shape):
            message = f"{list(shape.shape)} is not the shape that {source.kind} has"
            yield Finding(("modalities", name, "shape"), message, str(list(shapes[name])))
    for name in (name for name in names if name not in dataset.modalities):
        hint = f"add {name}: (an experiment takes some of them with `use`)"
        yield Finding(("modalities",), f"'{name}' of {source.kind} is missing", hint=hint, on="key")


def _columns(dataset: Dataset, source: Table) -> Iterator[Finding]:
    for name, column in source.columns.items():
        if name not in dataset.modalities:
            hint, allowed = did_you_mean(name, dataset.modalities)
            message = f"the column '{name}' is not among the modalities"
            yield Finding(("source", "columns", name), message, allowed, hint, "key")
        else:
            yield from _column(name, column, dataset.modalities[name], source.target)
    for name in dataset.modalities:
        if name not in source.columns:
            hint, allowed = did_you_mean(name, source.columns)
            yield Finding(("modalities", name), f"source.columns has no '{name}'", allowed, hint, "key")


def _column(name: str, column: Column, shape: Shape, target: str) -> Iterator[Finding]:
    path = ("source", "columns", name)
    if target in column.columns:
        message = f"'{target}' is the target: a network that reads it has nothing to learn"
        yield Finding((*path, "columns", column.columns.index(target)), message, also=(("source", "target"),))
    if (column.type == "text") != (shape.dtype == "text"):
        message = f"a column of type {column.type}, but the modality's dtype is {shape.dtype}"
        yield Finding((*path, "type"), message, also=(("modalities", name, "dtype"),))
    elif column.type != "text" and shape.shape and len(shape.shape) not in _RANKS[column.type]:
        forms = {1: "[D]", 2: "[T, D]", 3: "[C, H, W]", 4: "[T, C, H, W]"}
        allowed = listed(forms[rank] for rank in sorted(_RANKS[column.type]))
        yield Finding(("modalities", name, "shape"), f"{list(shape.shape)} is no shape of type {column.type}", allowed)
    if column.type == "numbers":
        if shape.shape and shape.shape[0] != len(column.columns):
            message = f"{len(column.columns)} columns of numbers for the shape {list(shape.shape)}"
            yield Finding((*path, "columns"), message, also=(("modalities", name, "shape"),))
    elif len(column.columns) != 1:
        yield Finding((*path, "columns"), f"{len(column.columns)} columns of type {column.type}", "one column")
