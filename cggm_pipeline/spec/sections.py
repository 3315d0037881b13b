"""The sections of an experiment, one by one: where one is wrong, the others are still read and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cggm_pipeline.spec.adaptation import AdaptationSpec
from cggm_pipeline.spec.adapters import AdapterSpec
from cggm_pipeline.spec.base import Spec
from cggm_pipeline.spec.describe import annotations_of
from cggm_pipeline.spec.evaluation import Evaluation
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.fills import FillSpec
from cggm_pipeline.spec.fusions import FusionSpec
from cggm_pipeline.spec.modality import Modality
from cggm_pipeline.spec.modulations import Classifiers, ModulationSpec
from cggm_pipeline.spec.patterns import Missing
from cggm_pipeline.spec.predictors import PredictorSpec
from cggm_pipeline.spec.schedules import ScheduleSpec
from cggm_pipeline.spec.tasks import TaskSpec
from cggm_pipeline.spec.training import Training
from cggm_pipeline.spec.transforms import Augmentation
from cggm_pipeline.spec.weights import Weights

NAMES = (
    "data",
    "use",
    "augment",
    "missing",
    "fill",
    "fusion",
    "task",
    "weights",
    "adapter",
    "modulation",
    "schedule",
    "classifiers",
    "training",
    "adaptation",
    "prediction",
    "evaluation",
    "seeds",
)


@dataclass
class Sections:
    """An experiment's sections, each null where it is missing or its own types are wrong."""

    data: str | None = None
    modalities: dict[str, Modality | None] = field(default_factory=dict)
    use: tuple[str, ...] | None = None
    augment: tuple[Augmentation, ...] | None = None
    missing: Missing | None = None
    fill: FillSpec | None = None
    fusion: FusionSpec | None = None
    task: TaskSpec | None = None
    weights: Weights | None = None
    adapter: AdapterSpec | None = None
    modulation: ModulationSpec | None = None
    schedule: ScheduleSpec | None = None
    classifiers: Classifiers | None = None
    training: Training | None = None
    adaptation: AdaptationSpec | None = None
    prediction: PredictorSpec | None = None
    evaluation: Evaluation | None = None
    seeds: tuple[int, ...] | None = None

    @classmethod
    def of(cls, spec: Experiment) -> Sections:
        """All sections of a spec whose types are right."""
        return cls(modalities=dict(spec.modalities), **{name: getattr(spec, name) for name in NAMES})

    @classmethod
    def partly(cls, data: Any) -> Sections:
        """Those sections of a document that can be read by themselves."""
        if not isinstance(data, dict):
            return cls()
        named = data.get("modalities")
        modalities = {
            name: _read(Modality, value) for name, value in (named if isinstance(named, dict) else {}).items()
        }
        read = readable(Experiment, data)
        return cls(modalities=modalities, **{name: read[name] for name in NAMES if name in read})

    def used(self) -> dict[str, Modality | None]:
        """The modalities that take part."""
        return {name: part for name, part in self.modalities.items() if self.use is None or name in self.use}


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def readable(model: type[Spec], data: dict[str, Any]) -> dict[str, Any]:
    """Those fields of `model` whose values in `data` are right by themselves."""
    fields = {name: annotation for name, annotation in annotations_of(model).items() if name in data}
    return {name: value for name in fields if (value := _read(fields[name], data[name])) is not None}


def _read(annotation: Any, value: Any) -> Any:
    try:
        return _adapter(annotation).validate_python(value)
    except ValidationError:  # told to the user with the whole document
        return None
