"""Which files a document is made of: the chain of `extends`, heads, names, and nothing out of the project."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.spec.advice import slugified
from cggm_pipeline.spec.base import SLUG_PATTERN, SLUG_RULE
from cggm_pipeline.spec.layers import Layer
from cggm_pipeline.spec.load import Document
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.text import printable

KINDS = ("experiment", "dataset", "table", "claims", "ranking", "tuned")
NESTED = frozenset({"experiments", "tables", "rankings", "tuned"})
"""Rooms of specs/ that may have folders: a name there is several names with slashes."""


def chain(path: Path, kind: str, project: Project) -> list[Layer]:
    """The layers of a file: the file it extends first, itself last. Raises SpecError on a cycle or a path out."""
    layers: list[Layer] = []
    here: Path | None = path
    while here is not None:
        document = project.document(here)
        check_head(document, kind)
        layers.insert(0, Layer(document))
        here = _extended(document, layers, project) if "extends" in document.data else None
    return layers


def _extended(document: Document, layers: list[Layer], project: Project) -> Path:
    target = resolve(document, ("extends",), project)
    seen = [os.path.realpath(layer.document.path) for layer in reversed(layers)]
    if os.path.realpath(target) in seen:
        names = " -> ".join(project.file(name) for name in (*seen, os.path.realpath(target)))
        raise SpecError(
            [document.problem(("extends",), f"a cycle: {names}", hint="break it: one of them must stand alone")]
        )
    try:
        data = project.document(target).data
    except SpecError:
        return target  # told with its own place, when the chain gets there
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind in KINDS and kind != document.data["kind"]:
        message = f"{project.file(target)} is of kind {kind}, not {document.data['kind']}"
        raise SpecError([document.problem(("extends",), message, hint="extend a file of the same kind")])
    return target


def resolve(document: Document, keys: tuple[str, ...], project: Project) -> Path:
    """The file that a key names: relative to the document's folder, or else below specs/. Raises SpecError."""
    text = document.data
    for key in keys:
        text = text[key]
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise SpecError([document.problem(keys, f"{document.written(keys)} is not the path of a YAML file")])
    candidates = [document.path.parent / text, project.specs / text]
    if os.path.isabs(text) or not all(project.holds(os.path.normpath(path)) for path in candidates[:1]):
        raise SpecError([document.problem(keys, f"'{text}' leads out of the project", hint="name a file below specs/")])
    for path in candidates:
        if os.path.isfile(path) and project.holds(os.path.normpath(path)):
            return Path(os.path.normpath(path))
    if any(os.path.lexists(path) for path in candidates):
        raise SpecError([document.problem(keys, f"'{text}' is not a file", hint="name a YAML file below specs/")])
    names = [f"{room}/{name}.yaml" for room in ("experiments", "datasets") for name in project.names(room)]
    near = sorted({*names, *(path.name for path in document.path.parent.glob("*.yaml"))} - {document.path.name})
    hint, _ = did_you_mean(text, near)
    message = f"there is no file '{text}' beside this one or below {project.file(project.specs)}/"
    raise SpecError([document.problem(keys, message, hint=hint)])


def check_head(document: Document, kind: str) -> list[Problem]:
    """A missing `version`. SpecError where the document is of another kind or version: its keys cannot be judged."""
    data = document.data
    if not isinstance(data, dict):
        raise SpecError(
            [document.problem((), f"{document.written(())} is not a mapping", hint="start with `version: 1`")]
        )
    found, written = data.get("kind"), document.written(("kind",))
    if "kind" not in data:
        raise SpecError([document.problem((), "'kind' is missing", hint=f"add kind: {kind}"), *document.problems])
    if found not in KINDS:
        hint, allowed = did_you_mean(str(found), KINDS)
        problem = document.problem(("kind",), f"{written} is not a kind of document", allowed=allowed, hint=hint)
        raise SpecError([problem, *document.problems])
    if found != kind:
        raise SpecError([document.problem(("kind",), f"a document of kind {found} where {kind} is expected")])
    if "version" not in data:
        return [*document.problems, document.problem((), "'version' is missing", hint="add version: 1")]
    if data["version"] != 1 or isinstance(data["version"], bool | float):
        message = f"{document.written(('version',))} is not a known version"
        raise SpecError([*document.problems, document.problem(("version",), message, allowed="1")])
    return list(document.problems)


def check_name(document: Document, room: str, project: Project) -> list[Problem]:
    """Problems with the file's name, which is the document's name: safe in a path, a shell and a column header."""
    name = project.name(room, document.path)
    parts = name.split("/") if room in NESTED else [name]
    bad = [part for part in parts if not re.fullmatch(SLUG_PATTERN, part) or len(part) > 64]
    if document.path.suffix != ".yaml":
        return [Problem(document.file, 1, 1, "", f"the suffix '{document.path.suffix}'", ".yaml", "rename the file")]
    if not bad:
        return []
    hint = "rename the file" + (f", for example {slugified(bad[-1])}" if slugified(bad[-1]) else "")
    return [Problem(document.file, 1, 1, "", f"'{printable(part)}' is not a name", SLUG_RULE, hint) for part in bad]
