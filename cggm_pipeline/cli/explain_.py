"""cggm explain: one kind, from its spec class."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

import click

from cggm_pipeline.errors import CggmError

if TYPE_CHECKING:
    from cggm_pipeline.spec.base import Spec

WIDTH = 110
ADDED = ("forwards", "backwards", "parameters")
"""What a method adds to a step of joint training, by the class variables that say it."""


@click.command("explain")
@click.argument("kind")
def command(kind: str) -> None:
    """Explain a KIND: what it does, equation, parameters, cost, source. Where two rooms have it: ROOM/KIND for one.

    KIND may also be a document or one of its sections: experiment, dataset, table, ranking, tuning, modality, ...
    """
    found = find(kind)
    click.echo("\n\n".join("\n".join(explanation(room, name, spec)) for room, name, spec in found))


SECTIONS = {
    "documents": (
        *("experiment:Experiment", "dataset:Dataset", "table:Table", "claims:Claims"),
        *("ranking:Ranking", "tuned:Tuned"),
    ),
    "sections": (
        *("experiment:Modality", "modulations:Classifiers", "training:Training", "training:Selection"),
        *("training:EarlyStopping", "table:Claimed", "table:Tuning", "sources:Column", "dataset:Shape"),
    ),
}
"""What is no kind and has parameters too: classes of cggm_pipeline.spec."""


def _sections() -> Iterator[tuple[str, str, type[Spec]]]:
    from cggm_pipeline.build.tables import implementation

    for room, places in SECTIONS.items():
        for place in places:
            spec = implementation(f"cggm_pipeline.spec.{place}")
            yield room, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", spec.__name__).lower(), spec


def find(asked: str) -> list[tuple[str, str, type[Spec]]]:
    """Every (room, kind, spec class) that `kind` or `room/kind` names; none is a CggmError with the nearest names."""
    from cggm_pipeline.build.rooms import UNIONS, specs
    from cggm_pipeline.spec.nearest import did_you_mean
    from cggm_pipeline.spec.text import short

    everything: list[tuple[str, str, type[Spec]]] = [*_sections()]
    everything[:0] = [(room, name, spec) for room in UNIONS for name, spec in specs(room).items()]
    found = [entry for entry in everything if asked in (entry[1], f"{entry[0]}/{entry[1]}")]
    if not found:
        names = dict.fromkeys(name for pair in ((f"{r}/{k}", k) for r, k, _ in everything) for name in pair)
        near, _ = did_you_mean(asked, [name for name in names if ("/" in name) == ("/" in asked)])
        raise CggmError(
            f"error: nothing is called '{short(asked)}'; {near + '  ' if near else ''}`cggm list ROOM` lists names"
        )
    return found


def explanation(room: str, name: str, spec: type[Spec]) -> Iterator[str]:
    """The lines that explain one kind."""
    title, *rest = inspect.cleandoc(spec.__doc__ or "").split("\n", 1)
    yield " · ".join(part for part in (name, room, title) if part)
    for paragraph in filter(None, "".join(rest).strip().split("\n\n")):
        yield from textwrap.wrap(" ".join(paragraph.split()), WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield from (f"      {line}" for line in _said(spec, "equation").split("\n") if line)
    yield from _parameters(spec)
    for label, text in _facts(spec).items():
        if text:
            head = f"  {label:<13}"
            yield textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))


def _parameters(spec: type[Spec]) -> Iterator[str]:
    """A line for each parameter: its name, its default, what may stand in it, what it is."""
    rows = [(field, *_parameter(spec, field)) for field in spec.model_fields if field != "kind"]
    if not rows:
        yield "  parameters   none"
        return
    sizes = [max(len(row[column]) for row in rows) for column in range(2)]
    for number, (field, default, allowed) in enumerate(rows):
        head = f"  {'parameters' if number == 0 else '':<13}{field:<{sizes[0]}}  {default:<{sizes[1]}}  "
        yield textwrap.fill(allowed, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))


def _facts(spec: type[Spec]) -> dict[str, str]:
    """What the class variables say; empty where they say nothing."""
    modalities, metrics = getattr(spec, "min_modalities", None), getattr(spec, "metrics", {})
    names = ", ".join(getattr(spec, "names", None) or ())
    shapes = getattr(spec, "shapes", None) or {}
    return {
        "family": _said(spec, "family"),
        "hooks": ", ".join(getattr(spec, "hooks", None) or ()),
        "cost": _said(spec, "cost"),
        "adds": "; ".join(f"{name}: {_said(spec, name)}" for name in ADDED if _said(spec, name)),
        "off": ", ".join(f"{name}: {_shown(value)}" for name, value in (getattr(spec, "off", None) or {}).items()),
        "batches": _said(spec, "per_micro_batch"),
        "processes": _said(spec, "per_process"),
        "tasks": ", ".join(sorted(getattr(spec, "tasks", None) or ())),
        "modalities": _number(modalities, getattr(spec, "max_modalities", None)) if modalities else names,
        "fusions": _fusions(spec),
        "schedule": _said(spec, "schedule") or "",
        "reads": _reads(spec),
        "accepts": " or ".join(sorted(getattr(spec, "accepts", ()))) + " features" * hasattr(spec, "accepts"),
        "widths": "features of all modalities equally wide" if getattr(spec, "equal_widths", False) is True else "",
        "gives": ", ".join(f"{name} {shape}" for name, shape in shapes.items()),
        "metrics": ", ".join(f"{name} ({'more' if more else 'less'} is better)" for name, more in metrics.items()),
        "source": _said(spec, "source"),
        "published": _said(spec, "home"),
        "terms": _said(spec, "licence"),
        "page": f"docs/data/{get_args(spec.model_fields['kind'].annotation)[0]}.md" if _said(spec, "home") else "",
        "known": _said(spec, "known"),
    }


def _number(least: int, most: int | None) -> str:
    """How many modalities."""
    return f"{least} or more" if most is None else f"{least}" if least == most else f"{least} to {most}"


def _fusions(spec: type[Spec]) -> str:
    """The kinds of fusion that a method works with, where not with all."""
    named = getattr(spec, "fusions", None)
    blocks = "those that concatenate features" if getattr(spec, "reads_blocks", False) else ""
    return ", ".join(sorted(named)) if named else blocks


def _reads(spec: type[Spec]) -> str:
    if getattr(spec, "reads", "") == "text":
        return "text"
    if getattr(spec, "reads_ids", False):
        return "token ids (T)"
    forms = {1: "(D)", 2: "(T, D)", 3: "(C, H, W)"}
    return ", ".join(forms[rank] for rank in sorted(getattr(spec, "ranks", ())))


def _said(spec: type[Spec], name: str) -> str:
    """A class variable of kinds; a field of that name, as in documents, is none."""
    return "" if name in spec.model_fields else getattr(spec, name, "")


def _parameter(spec: type[Spec], field: str) -> tuple[str, str]:
    """A field's default ("required" without one) and what may stand in it."""
    from cggm_pipeline.spec.describe import annotations_of, describe

    info = spec.model_fields[field]
    default = "required" if info.is_required() else _shown(info.get_default(call_default_factory=True))
    allowed = describe(annotations_of(spec)[field])
    return default, f"{allowed} · {info.description}" if info.description else allowed


def _shown(value: Any) -> str:
    """A default as one would write it in YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple | list):
        return f"[{', '.join(_shown(item) for item in value)}]"
    if hasattr(value, "kind"):
        return f"{{kind: {value.kind}}}"
    if hasattr(value, "model_fields_set"):
        return "{}"
    return str(value) or "''"
