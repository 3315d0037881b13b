"""A table's report: four files beside the runs, and the table on the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from cggm_pipeline.report import protocol as protocols
from cggm_pipeline.report import table as tables
from cggm_pipeline.report.delimited import delimited
from cggm_pipeline.report.html import html
from cggm_pipeline.report.latex import latex
from cggm_pipeline.report.lines import cells, studied
from cggm_pipeline.report.markdown import markdown
from cggm_pipeline.report.material import gather
from cggm_pipeline.report.missing import grids
from cggm_pipeline.report.rates import rate_cells, rate_grids
from cggm_pipeline.report.specs import read_table
from cggm_pipeline.report.terminal import show
from cggm_pipeline.report.tuned import tuned_values
from cggm_pipeline.whole import write_whole


def write(table: str, root: Path, console: Console | None = None) -> Path:
    """Write runs/TABLE/{report.html, table.md, table.csv, table.tex} and print the table; returns the report's path.

    Reads specs/resolved/, specs/claims/ and runs/TABLE/ below `root`. SpecError and DataError say what is wrong where;
    a row that failed or was not run is no error: its cells say so.
    """
    material = gather(read_table(table, root), root)
    made = tables.make(material)
    protocol = protocols.make(material, made.metrics)
    missing = [*grids(material, made.metric), *rate_grids(material, made.metric)]
    beyond = studied(material)  # a table that is about missing modalities has them in its files for programs and paper
    cases = [*cells(material, made.metric), *rate_cells(material, made.metric)] if beyond else []
    texts = {
        "table.md": markdown(made, protocol, [*missing, *tuned_values(material)]),
        "table.csv": delimited(made, protocol, cases),
        "table.tex": latex(made, protocol, missing if beyond else []),
        "report.html": html(made, protocol, material),
    }
    for name, text in texts.items():
        write_whole(material.folder / name, text)
    show(made, protocol, console)
    path = material.folder / "report.html"
    (console or Console()).print(f"open {_shown(path, root)}", highlight=False, markup=False, soft_wrap=True)
    return path


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
