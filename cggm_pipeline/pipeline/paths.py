"""Where everything of a pipeline lies, relative to the project's root; and what a stage is called."""

from __future__ import annotations

FETCHED = "data/"
"""What lies below this folder is git-ignored, so a person has to fetch it; what lies elsewhere is committed."""

VERSION = "specs/resolved/package.yaml"
"""Stands for the code in a project that uses the installed package."""


def dataset_file(name: str) -> str:
    """The resolved dataset document."""
    return f"specs/resolved/datasets/{name}.yaml"


def table_file(table: str) -> str:
    """The resolved table: its title, metric, baseline, seeds, data, and the rows in order."""
    return f"specs/resolved/tables/{table}.yaml"


def ranking_file(ranking: str) -> str:
    """The resolved ranking: its title, its tables with their metrics, and the rows that are ranked."""
    return f"specs/resolved/rankings/{ranking}.yaml"


def row_file(table: str, row: str) -> str:
    """The resolved experiment of one row."""
    return f"specs/resolved/{table}/{row}.yaml"


def claims_file(name: str) -> str:
    """The published numbers that a row can cite."""
    return f"specs/claims/{name}.yaml"


def split_file(dataset: str) -> str:
    """The pinned split of a dataset."""
    return f"specs/splits/{dataset}.csv"


def prepared_folder(dataset: str) -> str:
    """The prepared form of a dataset."""
    return f"data/prepared/{dataset}"


def run_folder(table: str, row: str = "") -> str:
    """What a table's stages write, or one row's."""
    return f"runs/{table}/{row}".rstrip("/")


def ranking_folder(ranking: str) -> str:
    """What a ranking's stage writes."""
    return f"runs/rankings/{ranking}"


def stage_name(verb: str, *names: str) -> str:
    """A name that DVC accepts; `--` cannot stand inside a slug, so no two stages share one."""
    return f"{verb}-{'--'.join(names)}".replace("/", "--")
