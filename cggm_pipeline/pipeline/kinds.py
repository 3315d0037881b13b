"""The code files behind the kinds that an experiment names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.paths import FETCHED
from cggm_pipeline.spec import Experiment
from cggm_pipeline.spec.modality import Modality


def network_files(code: Code, experiment: Experiment) -> set[Path]:
    """The kinds that a network is made of, its task, its predictor, and the transforms and patterns that feed it."""
    task = experiment.task
    kinds: set[tuple[str, str]] = {("tasks", task.kind), ("tasks/losses", task.loss.kind)}
    kinds |= {("fills", experiment.fill.kind), ("fusions", experiment.fusion.kind)}
    kinds |= {("evaluation/predictors", experiment.prediction.kind), ("adapters", experiment.adapter.kind)}
    missing = experiment.missing
    kinds |= {("data/patterns", pattern.kind) for pattern in (missing.train, missing.valid, missing.test)}
    return {code.kind(*kind) for kind in kinds} | modality_files(code, experiment.used().values())


def modality_files(code: Code, modalities: Iterable[Modality]) -> set[Path]:
    """The kinds of encoders and of the transforms that feed them."""
    used = list(modalities)
    kinds: set[tuple[str, str]] = {("encoders", modality.encoder.kind) for modality in used}
    kinds |= {("data/transforms", transform.kind) for modality in used for transform in modality.transforms}
    paths = [getattr(modality.encoder, "path", None) for modality in used]
    custom = [code.custom(path) for path in paths if path is not None]
    return {code.kind(*kind) for kind in kinds} | {file for file in custom if file is not None}


def weight_paths(root: Path, named: Iterable[str]) -> set[str]:
    """Of the names that encoders and transforms may read, those of files and folders of the project.

    These are names below data/, there already or not, and what exists elsewhere; every other name is one of a hub.
    """
    return {path for path in named if path.startswith(FETCHED) or (root / path).exists()}


def weights_of(root: Path, experiment: Experiment) -> set[str]:
    """The weights and tokenizers of an experiment that lie in the project, and the run that it starts from."""
    start = set() if experiment.weights is None else {experiment.weights.folder}
    return start | weight_paths(root, (path for modality in experiment.used().values() for path in modality.files()))


def modulation_files(code: Code, experiment: Experiment) -> set[Path]:
    """The balancing method, and the classifiers where its constructor asks for them."""
    method = code.kind("modulations", experiment.modulation.effective().kind)
    own = {modality.encoder.layout for modality in experiment.used().values()}
    layouts = {"map"} if experiment.fusion.layout == "map" else own
    asked = "classifiers" in code.arguments(method)
    return {method} | ({code.kind("classifiers", layout) for layout in layouts} if asked else set())


def train_files(code: Code, experiment: Experiment, *starts: Path) -> set[Path]:
    """Every file that training an experiment depends on, from `starts` on: the stage's script, or what it calls."""
    augmentations = [code.kind("data/augmentations", step.kind) for step in experiment.augment]
    schedule = code.kind("schedules", experiment.schedule.kind)
    kinds = [*network_files(code, experiment), *modulation_files(code, experiment), schedule, *augmentations]
    return code.closure([*starts, *kinds])
