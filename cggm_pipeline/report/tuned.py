"""The values that `cggm tune` chose for every row, as a plain grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cggm_pipeline.report.material import Material
from cggm_pipeline.report.missing import Grid
from cggm_pipeline.spec.labels import value_label


def tuned_values(material: Material) -> list[Grid]:
    """One grid with the chosen values of every row; none where no row was tuned."""
    tuned = [(row.label, row.tuned) for row in material.spec.rows if row.tuned is not None and row.tuned.values]
    if not tuned:
        return []
    rows = tuple((label, (_listed(one.values or {}),)) for label, one in tuned)
    budget = tuned[0][1].budget
    caption = (
        f"The best of {budget} combinations for each row, by the selection metric on the validation split with a seed "
        "that is none of the table's. specs/tuned/ has every trial."
    )
    return [Grid("tuned", "Tuned values", caption, ("values",), rows)]


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value_label(value)}" for key, value in values.items())
