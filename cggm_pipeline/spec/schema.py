"""JSON Schema of all documents, for editors: as they are written, before `extends` and rows are composed."""

from __future__ import annotations

import copy
import json
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from cggm_pipeline.spec.claims import Claims
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.plans import SHARED
from cggm_pipeline.spec.ranking import Ranking
from cggm_pipeline.spec.table import Claimed, Table
from cggm_pipeline.spec.tuned import Tuned

Schema = dict[str, Any]

EXTENDS: Schema = {
    "type": "string",
    "description": "The file that this one changes: a path from here, or from specs/. Mappings merge, lists replace.",
}
TUNE: Schema = {
    "type": "object",
    "description": "What `cggm tune` tries: dotted keys of the experiment to lists of values, in all combinations.",
    "additionalProperties": {"type": "array", "minItems": 1},
}
OVERLAY = "Overlay"
MODELS = (Experiment, Dataset, Table, Claims, Ranking, Tuned)


def schema() -> Schema:
    """The schema of a file below specs/: one of the documents, by `kind`."""
    definitions = _definitions()
    overlays = {OVERLAY + name: _overlay(entry) for name, entry in definitions.items()}
    for name in ("Experiment", "Dataset"):
        overlays[OVERLAY + name] = _extending(overlays[OVERLAY + name])
    definitions["Table"]["properties"]["rows"]["additionalProperties"] = {"$ref": "#/$defs/Row"}
    every = {**definitions, **overlays, "Row": _row(overlays[f"{OVERLAY}Experiment"])}
    documents = [*(model.__name__ for model in MODELS), f"{OVERLAY}Experiment", f"{OVERLAY}Dataset"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "written by `cggm schema --write`; do not edit",
        "title": "cggm_pipeline documents",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in documents],
        "$defs": _reachable(every, documents),
    }


def text() -> str:
    """The schema as the text of specs/schema.json."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _definitions() -> Schema:
    """Every class by its name; where two rooms share one (Transformer, Table), the room stands before it."""
    models: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        (model, "validation") for model in (*MODELS, Claimed)
    ]
    references, whole = models_json_schema(models, ref_template="#/$defs/{model}")
    plain = {reference["$ref"].rpartition("/")[2]: model.__name__ for (model, _), reference in references.items()}
    text = json.dumps(_tidy(whole["$defs"]))
    for name in sorted(whole["$defs"], key=len, reverse=True):
        short = plain.get(name) or "_".join(name.split("__")[-2:])
        text = text.replace(f'"{name}"', f'"{short}"').replace(f'/{name}"', f'/{short}"')
    definitions: Schema = json.loads(text)
    return definitions


def _tidy(entry: Any) -> Any:
    """Without the titles that pydantic derives from names."""
    if isinstance(entry, list):
        return [_tidy(item) for item in entry]
    if not isinstance(entry, dict):
        return entry
    return {key: _tidy(value) for key, value in entry.items() if key != "title" or not isinstance(value, str)}


def _overlay(entry: Any) -> Any:
    """The same where every key may be missing, because another file sets it."""
    if isinstance(entry, list):
        return [_overlay(item) for item in entry]
    if not isinstance(entry, dict):
        return entry
    changed: Schema = {}
    for key, value in entry.items():
        if key == "$ref":
            changed[key] = value.replace("#/$defs/", f"#/$defs/{OVERLAY}")
        elif key not in ("required", "discriminator", "default") or not isinstance(
            entry.get("properties", entry), dict
        ):
            changed["anyOf" if key == "oneOf" else key] = _overlay(value)
    return changed


def _extending(entry: Schema) -> Schema:
    changed = copy.deepcopy(entry)
    changed["properties"] = {"extends": EXTENDS, **changed["properties"]}
    return changed | {"required": ["version", "kind", "extends"]}


def _row(experiment: Schema) -> Schema:
    """A row of a table: overrides of the base experiment, and where a paper's number for it stands."""
    properties = {key: value for key, value in experiment["properties"].items() if key not in SHARED}
    published = {"$ref": "#/$defs/Claimed"}
    own = {"published": published, "tune": TUNE}
    return {"type": "object", "additionalProperties": False, "properties": {**properties, **own}}


def _reachable(definitions: Schema, documents: list[str]) -> Schema:
    """The definitions that the documents use."""
    found: Schema = {}
    rest = list(documents)
    while rest:
        name = rest.pop()
        if name not in found:
            found[name] = definitions[name]
            rest += _references(definitions[name])
    return dict(sorted(found.items()))


def _references(entry: Any) -> list[str]:
    if isinstance(entry, list):
        return [name for item in entry for name in _references(item)]
    if not isinstance(entry, dict):
        return []
    own = [entry["$ref"].removeprefix("#/$defs/")] if isinstance(entry.get("$ref"), str) else []
    return own + [name for value in entry.values() for name in _references(value)]
