"""Whether the run that an experiment starts from is one of this project."""

from __future__ import annotations

from collections.abc import Iterator

from cggm_pipeline.errors import SpecError
from cggm_pipeline.spec.in_use import not_in_use
from cggm_pipeline.spec.labels import slug_of
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.sections import Sections


def check_weights(sections: Sections, project: Project) -> Iterator[Finding]:
    """A run that no table and no experiment makes, and a training of no epochs that starts from nothing."""
    weights, training = sections.weights, sections.training
    if weights is None:
        if training is not None and training.epochs == 0:
            message, hint = "no epochs and no weights to start from", "add weights: {experiment: TABLE/ROW}"
            yield Finding(("training", "epochs"), message, "1 or more", hint, also=(("weights",),))
        return
    for name in weights.modalities:
        if name not in sections.used():
            yield not_in_use(("weights", "modalities", name), name, sections.used(), on="key")
    table, _, row = weights.experiment.rpartition("/")
    if row in _rows(table, project):
        return
    known = [f"{name}/{slug}" for name in project.names("tables") for slug in _rows(name, project)]
    known += [f"{name}/{name.rpartition('/')[2]}" for name in project.names("experiments")]
    hint, allowed = did_you_mean(weights.experiment, known)
    yield Finding(("weights", "experiment"), f"no run is called '{weights.experiment}'", allowed, hint)


def _rows(table: str, project: Project) -> list[str]:
    """The rows of a table as they are written (swept ones have no fixed names); or of an experiment by itself."""
    path = project.specs / "tables" / f"{table}.yaml"
    if path.is_file():
        try:
            rows = project.document(path).data.get("rows")
        except (SpecError, AttributeError):
            return []  # told with that document
        return [slug_of(label) for label in rows if isinstance(label, str)] if isinstance(rows, dict) else []
    alone = (project.specs / "experiments" / f"{table}.yaml").is_file()
    return [table.rpartition("/")[2]] if alone else []
