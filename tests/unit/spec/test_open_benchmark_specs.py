"""The open benchmark's documents: every method of the code stands in its tables, and the tables are alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cggm_pipeline.build.rooms import specs
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.rows import ComposedTable, load_table

NAMES = ("avdigits", "basicmotions", "emoji", "mfeat")
FUSIONS = {"mm_cosine", "mean", "mmtm"}
"""Fusions that are a method, or that a method needs."""


@pytest.fixture(scope="module")
def tables(root: Path) -> Mapping[str, ComposedTable]:
    project = Project(root)
    folder = root / "specs" / "tables" / "open-benchmark"
    return {path.stem: load_table(path, project, tuned=False) for path in sorted(folder.glob("*.yaml"))}


def test_every_method_of_the_code_has_a_row(tables: Mapping[str, ComposedTable]) -> None:
    rows = [row.experiment.spec for row in tables["avdigits"].rows.values()]
    assert {row.modulation.kind for row in rows} == set(specs("modulations"))
    assert {row.schedule.kind for row in rows} == set(specs("schedules")) - {"thinned"}
    assert {row.fusion.kind for row in rows} >= FUSIONS
    presets = {row.modulation.preset for row in rows if row.modulation.kind == "cggm"}
    assert presets == {"paper", "released", "stable"}


@pytest.mark.parametrize("name", NAMES)
def test_all_tables_have_the_same_rows_but_those_that_need_two_modalities(
    name: str, tables: Mapping[str, ComposedTable]
) -> None:
    table = tables[name]
    number = len(table.base.spec.used())
    limits = {
        row.label: specs("modulations")[row.experiment.spec.modulation.kind].max_modalities
        for row in tables["avdigits"].rows.values()
    }
    shared = [row for row in limits if not row.startswith("Unimodal") and number <= (limits[row] or number)]
    unimodal = [f"Unimodal: {modality}" for modality in sorted(table.base.spec.used())]
    assert [row.label for row in table.rows.values()] == [*unimodal, *shared]
    missing = [row for row in limits if row not in shared and not row.startswith("Unimodal")]
    assert all(row in table.spec.description for row in missing)


@pytest.mark.parametrize("name", NAMES)
def test_every_row_tries_as_many_settings_with_ten_seeds_of_its_own(
    name: str, tables: Mapping[str, ComposedTable]
) -> None:
    table = tables[name]
    assert table.spec.tuning is not None
    assert table.spec.seeds == tuple(range(10))
    assert table.spec.tuning.seed not in table.spec.seeds
    assert {row.tried.grid.size for row in table.rows.values() if row.tried} == {table.spec.tuning.budget}
    assert all(row.tried for row in table.rows.values())
    widths = {modality.encoder.features_width for modality in table.base.spec.used().values()}
    assert len(widths) == 1  # what methods that compare features need


def test_the_imbalances_change_one_thing_each(tables: Mapping[str, ComposedTable]) -> None:
    made = {name: table for name, table in tables.items() if name not in NAMES}
    assert all(name.startswith("imbalance-") for name in made)
    assert len({tuple(row.label for row in table.rows.values()) for table in made.values()}) == 1
    plain = tables["avdigits"].base.spec
    for name, table in made.items():
        base = table.base.spec
        same = base.model_copy(
            update={"description": plain.description, "data": plain.data, "schedule": plain.schedule}
        )
        assert same == plain, name
        assert (base.data == plain.data) != (base.schedule == plain.schedule), name


def test_noisy_variants_have_the_split_of_the_clean_digits(root: Path) -> None:
    splits = {path.stem: path.read_text().splitlines() for path in (root / "specs" / "splits").glob("avdigits*.csv")}
    assert len(splits) == 7
    assert all(lines[0] == splits["avdigits"][0] for lines in splits.values())
    assert all(lines[2:] == splits["avdigits"][2:] for lines in splits.values())
