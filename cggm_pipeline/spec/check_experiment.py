"""What an experiment must get right beyond its types: its parts must fit one another and its dataset."""

from __future__ import annotations

from collections.abc import Iterator

from cggm_pipeline.spec.check_adapter import check_adapter
from cggm_pipeline.spec.check_fill import check_fill
from cggm_pipeline.spec.check_missing import check_missing
from cggm_pipeline.spec.check_modality import check_modality
from cggm_pipeline.spec.check_network import check_network
from cggm_pipeline.spec.check_sampling import check_sampling
from cggm_pipeline.spec.dataset import Classes, Dataset, Mask
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.nearest import did_you_mean, listed
from cggm_pipeline.spec.repeated import repeated
from cggm_pipeline.spec.sections import Sections
from cggm_pipeline.spec.tasks import CrossEntropy, CrossEntropyDice, Segmentation, TaskSpec


def check_experiment(sections: Sections, dataset: Dataset | None) -> Iterator[Finding]:
    """Every fault of the parts that could be read. `dataset` null: it is missing or wrong itself."""
    yield from _use(sections)
    yield from check_network(sections)
    yield from check_fill(sections)
    yield from check_adapter(sections, dataset)
    yield from check_missing(sections)
    yield from _selection(sections)
    yield from repeated(sections.seeds, ("seeds",), "seed")
    if dataset is not None:
        yield from _modalities(sections, dataset)
        yield from check_sampling(sections, dataset)
        yield from _target(sections.task, dataset, sections.data)


def _use(sections: Sections) -> Iterator[Finding]:
    yield from repeated(sections.use, ("use",), "modality")
    for index, name in enumerate(sections.use or ()):
        if name not in sections.modalities:
            hint, allowed = did_you_mean(name, sections.modalities)
            yield Finding(("use", index), f"there is no modality '{name}'", allowed, hint)


def _selection(sections: Sections) -> Iterator[Finding]:
    task, training = sections.task, sections.training
    if task is None or training is None or training.selection is None:
        return
    chosen, path = training.selection, ("training", "selection")
    measured = task.measured()
    if chosen.metric not in measured:
        hint, allowed = did_you_mean(chosen.metric, measured)
        yield Finding(
            (*path, "metric"), f"'{chosen.metric}' is not a metric of {task.kind}", allowed, hint, also=(("task",),)
        )
    elif measured[chosen.metric] != (chosen.mode == "max"):
        right = "max" if measured[chosen.metric] else "min"
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
            yield from check_modality(name, modality, dataset.modalities[name], ("modalities", name), ("data",))


def _target(task: TaskSpec | None, dataset: Dataset, data: str | None) -> Iterator[Finding]:
    if task is None:
        return
    target = dataset.target
    if target.kind != task.target:
        message = f"{task.kind} needs {task.target}; the target of '{data}' is {target.kind}"
        yield Finding(("task", "kind"), message, also=(("data",),))
        return
    if isinstance(target, Classes | Mask):
        yield from _classes(task, target.number)


def _classes(task: TaskSpec, number: int) -> Iterator[Finding]:
    """One weight per class, and no region of a class that the data have not."""
    loss = getattr(task, "loss", None)
    weights = loss.class_weights if isinstance(loss, CrossEntropy | CrossEntropyDice) else None
    if isinstance(weights, tuple) and len(weights) != number:
        message = f"{len(weights)} weights for {number} classes"
        yield Finding(("task", "loss", "class_weights"), message, also=(("data",),))
    regions = task.regions if isinstance(task, Segmentation) else None
    for name, members in (regions or {}).items():
        beyond = [index for index in members if index >= number]
        if beyond:
            message = f"there is no class {listed(beyond)}; the data have {number}, the background included"
            yield Finding(("task", "regions", name), message, f"1 to {number - 1}", also=(("data",),))
