"""What an experiment must get right beyond its types: its parts must fit one another and its dataset."""

from __future__ import annotations

from collections.abc import Iterator

from cggm_pipeline.spec.check_network import check_network
from cggm_pipeline.spec.dataset import Classes, Dataset
from cggm_pipeline.spec.encoders import EncoderSpec, Shape
from cggm_pipeline.spec.experiment import Modality
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.load import Keys
from cggm_pipeline.spec.nearest import did_you_mean, listed
from cggm_pipeline.spec.sections import Sections
from cggm_pipeline.spec.tasks import CrossEntropy, TaskSpec

FORMS = {1: "(D)", 2: "(T, D)", 3: "(C, H, W)"}


def check_experiment(sections: Sections, dataset: Dataset | None) -> Iterator[Finding]:
    """Every fault of the parts that could be read. `dataset` null: it is missing or wrong itself."""
    yield from _use(sections)
    yield from check_network(sections)
    yield from _selection(sections)
    yield from _repeated(sections.seeds, ("seeds",), "seed")
    if dataset is not None:
        yield from _modalities(sections, dataset)
        yield from _target(sections.task, dataset, sections.data)


def _repeated(values: tuple[object, ...] | None, path: Keys, what: str) -> Iterator[Finding]:
    seen = set()
    for index, value in enumerate(values or ()):
        if value in seen:
            yield Finding((*path, index), f"the {what} {value} stands twice", hint="remove one of them")
        seen.add(value)


def _use(sections: Sections) -> Iterator[Finding]:
    yield from _repeated(sections.use, ("use",), "modality")
    for index, name in enumerate(sections.use or ()):
        if name not in sections.modalities:
            hint, allowed = did_you_mean(name, sections.modalities)
            yield Finding(("use", index), f"there is no modality '{name}'", allowed, hint)


def _selection(sections: Sections) -> Iterator[Finding]:
    task, training = sections.task, sections.training
    if task is None or training is None or training.selection is None:
        return
    chosen, path = training.selection, ("training", "selection")
    if chosen.metric not in task.metrics:
        hint, allowed = did_you_mean(chosen.metric, task.metrics)
        yield Finding(
            (*path, "metric"), f"'{chosen.metric}' is not a metric of {task.kind}", allowed, hint, also=(("task",),)
        )
    elif task.metrics[chosen.metric] != (chosen.mode == "max"):
        right = "max" if task.metrics[chosen.metric] else "min"
        yield Finding(
            (*path, "mode"), f"the best {chosen.metric} is not its {chosen.mode}imum", right, f"write {right}"
        )


def _modalities(sections: Sections, dataset: Dataset) -> Iterator[Finding]:
    for name, modality in sections.modalities.items():
        if name not in dataset.modalities:
            hint, allowed = did_you_mean(name, dataset.modalities)
            message = f"'{sections.data}' has no modality '{name}'"
            yield Finding(("modalities", name), message, allowed, hint, "key", (("data",),))
        elif modality is not None:
            yield from _shape(name, modality, dataset)


def _shape(name: str, modality: Modality, dataset: Dataset) -> Iterator[Finding]:
    form, path = dataset.modalities[name], ("modalities", name)
    shape: Shape = form.shape
    described = "text" if form.dtype == "text" else f"of shape {_shown(shape)}"
    for index, transform in enumerate(modality.transforms):
        where: Keys = (*path, "transforms", index)
        if form.dtype == "text" or len(shape) not in transform.ranks:
            forms = listed(FORMS[rank] for rank in sorted(transform.ranks))
            yield Finding(where, f"{transform.kind} reads {forms}; '{name}' is {described}", also=(("data",),))
            return
        channels = shape[0] if len(shape) == 3 else shape[-1]
        for key, count in transform.per_channel().items():
            if channels is not None and count not in (1, channels):
                message = f"{count} numbers for {channels} channels; '{name}' is {described}"
                yield Finding((*where, key), message, also=(("data",),))
        shape = transform.shape(shape)
    yield from _input(name, modality.encoder, shape, described, (*path, "encoder"))


def _input(name: str, encoder: EncoderSpec, shape: Shape, described: str, path: Keys) -> Iterator[Finding]:
    kind, also = (*path, "kind"), (("data",),)
    if described == "text" or len(shape) not in encoder.ranks:
        forms = listed(FORMS[rank] for rank in sorted(encoder.ranks))
        yield Finding(kind, f"{encoder.kind} reads {forms}; '{name}' is {described}", also=also)
    elif None in encoder.fixed(shape):
        message = f"{encoder.kind} needs fixed sizes; '{name}' is {described}"
        yield Finding(kind, message, hint="resize it, or choose an encoder that reads varying sizes", also=also)
    elif encoder.layout == "pyramid" and len(shape) != 3:
        yield Finding((*path, "output"), f"a pyramid needs images {FORMS[3]}; '{name}' is {described}", also=also)


def _shown(shape: Shape) -> str:
    return "(" + ", ".join("varying" if size is None else str(size) for size in shape) + ")"


def _target(task: TaskSpec | None, dataset: Dataset, data: str | None) -> Iterator[Finding]:
    if task is None:
        return
    target = dataset.target
    if target.kind != task.target:
        message = f"{task.kind} needs {task.target}; the target of '{data}' is {target.kind}"
        yield Finding(("task", "kind"), message, also=(("data",),))
        return
    loss = getattr(task, "loss", None)
    weights = loss.class_weights if isinstance(loss, CrossEntropy) else None
    if isinstance(target, Classes) and isinstance(weights, tuple) and len(weights) != target.number:
        message = f"{len(weights)} weights for {target.number} classes"
        yield Finding(("task", "loss", "class_weights"), message, also=(("data",),))
