"""Whether what adapts to target data fits the task and the modalities: `prediction`, and `adaptation`."""

from __future__ import annotations

from collections.abc import Iterator

from cggm_pipeline.spec.adaptation import AdaptationSpec, OfflineCASP
from cggm_pipeline.spec.in_use import MODALITIES, USE, not_in_use
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.nearest import listed
from cggm_pipeline.spec.predictors import PredictorSpec
from cggm_pipeline.spec.sections import Sections


def check_adaptation(sections: Sections) -> Iterator[Finding]:
    """Misfits of what reads target data: `prediction`, and `adaptation`."""
    if sections.prediction is not None:
        yield from _fit(sections, sections.prediction, "prediction", "plain")
    spec = sections.adaptation
    if spec is not None:
        yield from _fit(sections, spec, "adaptation", "none")
    if isinstance(spec, OfflineCASP) and spec.every > spec.epochs:
        message = f"a prediction every {spec.every} epochs, but adaptation has {spec.epochs}: nothing is compared"
        yield Finding(("adaptation", "every"), message, f"1 to {spec.epochs}", also=(("adaptation", "epochs"),))


def _fit(sections: Sections, spec: PredictorSpec | AdaptationSpec, section: str, without: str) -> Iterator[Finding]:
    """`without`: the kind that always fits."""
    task, used, path = sections.task, sections.used(), (section, "kind")
    if task is not None and task.kind not in spec.tasks:
        message = f"{spec.kind} is not defined for {task.kind}"
        yield Finding(path, message, listed(sorted(spec.tasks)), also=(("task", "kind"),))
    if used and len(used) < spec.min_modalities:
        message = f"{spec.kind} needs {spec.min_modalities} modalities, and one is in use"
        yield Finding(path, message, hint=f"use kind: {without}", also=(USE, MODALITIES))
    for name in sorted(set(getattr(spec, "drop", None) or ()) - set(used)) if used else ():
        yield not_in_use((section, "drop", name), name, used)
