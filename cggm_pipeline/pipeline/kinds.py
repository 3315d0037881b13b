"""The code files behind the kinds that an experiment names."""

from __future__ import annotations

from pathlib import Path

from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.spec import Experiment


def network_files(code: Code, experiment: Experiment) -> set[Path]:
    """The kinds that a network is made of, its task, and the transforms that feed it."""
    used = experiment.used().values()
    task = experiment.task
    kinds: set[tuple[str, str]] = {("tasks", task.kind), ("tasks/losses", task.loss.kind)}
    kinds |= {("fills", experiment.fill.kind), ("fusions", experiment.fusion.kind)}
    kinds |= {("encoders", modality.encoder.kind) for modality in used}
    kinds |= {("data/transforms", transform.kind) for modality in used for transform in modality.transforms}
    paths = [getattr(modality.encoder, "path", None) for modality in used]
    custom = [code.custom(path) for path in paths if path is not None]
    return {code.kind(*kind) for kind in kinds} | {file for file in custom if file is not None}


def modulation_files(code: Code, experiment: Experiment) -> set[Path]:
    """The balancing method, and the classifiers where its constructor asks for them."""
    method = code.kind("modulations", experiment.modulation.effective().kind)
    layouts = {modality.encoder.layout for modality in experiment.used().values()}
    asked = "classifiers" in code.arguments(method)
    return {method} | ({code.kind("classifiers", layout) for layout in layouts} if asked else set())


def train_files(code: Code, experiment: Experiment, *starts: Path) -> set[Path]:
    """Every file that training an experiment depends on, from `starts` on: the stage's script, or what it calls."""
    return code.closure([*starts, *network_files(code, experiment), *modulation_files(code, experiment)])
