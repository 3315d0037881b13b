"""Labels of rows, as free as a paper's, and the names of their files, as strict as a path."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from cggm_pipeline.spec.advice import slugified
from cggm_pipeline.spec.base import SLUG_PATTERN, SLUG_RULE

RESERVED = frozenset({"evaluation", "report", "metrics", "cost", "table", "tables", "datasets", "data", "rankings"})
"""Names of files and folders that stand beside the rows' own in runs/TABLE/ and specs/resolved/."""


def slug_of(label: str) -> str:
    """The name of a row's files: `CGGM (paper)` is `cggm-paper`."""
    plain = unicodedata.normalize("NFKD", label)
    return slugified("".join(character for character in plain if not unicodedata.combining(character)))


def label_fault(label: str, taken: Mapping[str, str]) -> tuple[str, str] | None:
    """Why a label cannot be a row's, and what is allowed. `taken`: the other rows' labels by slug."""
    slug = slug_of(label)
    if not label.isprintable() or not re.fullmatch(SLUG_PATTERN, slug) or len(slug) > 64:
        return f"the label gives no name for its files ('{slug[:80]}')", SLUG_RULE
    if slug in RESERVED:
        return f"'{slug}' is the name of a file of every table", "any other label"
    if slug in taken:
        return f"shares the files '{slug}' with '{taken[slug]}'", "labels that differ in a letter or digit"
    return None


def short_names(dotted: list[str]) -> dict[str, str]:
    """Dotted keys to their last part, where that tells them apart."""
    last = [name.rpartition(".")[2] for name in dotted]
    return {name: short if last.count(short) == 1 else name for name, short in zip(dotted, last, strict=True)}


def value_label(value: Any) -> str:
    """A swept value in a label: `1.3`, `null`, `concat`, `16 32`."""
    if isinstance(value, dict) and set(value) == {"kind"}:
        return str(value["kind"])
    if isinstance(value, dict):
        return " ".join(f"{key} {value_label(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(value_label, value))
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
