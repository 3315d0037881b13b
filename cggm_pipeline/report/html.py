"""The report as one page: no script, no font, no image, no address; everything it shows is in it."""

from __future__ import annotations

from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cggm_pipeline.report import figures
from cggm_pipeline.report.figures import Figure
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.missing import grids
from cggm_pipeline.report.protocol import Protocol, plain
from cggm_pipeline.report.rates import rate_grids
from cggm_pipeline.report.reading import sentences
from cggm_pipeline.report.table import Row, Table
from cggm_pipeline.report.texts import Column, Entry, columns, legend, others, sources
from cggm_pipeline.report.tuned import tuned_values
from cggm_pipeline.report.warnings import warnings


@dataclass(frozen=True)
class Shown:
    """One row of a table on the page: (column, entry) per cell; a row without numbers has its note in their place."""

    label: str
    classes: str
    cells: tuple[tuple[str, Entry], ...]
    note: str
    marks: tuple[str, ...]


def html(table: Table, protocol: Protocol, material: Material) -> str:
    """The text of report.html."""
    environment = Environment(
        loader=PackageLoader("cggm_pipeline.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["plain"] = plain
    drawn = figures.draw(table, material)
    text: str = environment.get_template("report.html.j2").render(
        table=table,
        protocol=protocol,
        style=Markup(_source(environment, "report.css")),
        grids=[_grid(table, shown) for shown in (columns(table), others(table)) if shown],
        reading=sentences(table, material),
        figures=drawn,
        navigation=_navigation(drawn),
        svg=Markup,
        seeds=_seeds(table),
        extra=[*grids(material, table.metric), *rate_grids(material, table.metric), *tuned_values(material)],
        legend=legend(table),
        warnings=warnings(material),
        banners=table.banners,
        sources=sources(table),
    )
    return text


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _grid(table: Table, shown: list[Column]) -> tuple[list[str], list[Shown]]:
    """The names of the columns, and the rows."""
    return [column.name for column in shown], [_shown(table, row, shown) for row in table.rows]


def _shown(table: Table, row: Row, shown: list[Column]) -> Shown:
    classes = ["baseline"] if row is table.base else []
    classes += ["failed"] if row.failed else ["absent"] if not row.ran else []
    cells = tuple((column.name, column.entry(row)) for column in shown) if row.ran else ()
    return Shown(row.label, " ".join(classes), cells, "" if row.ran else row.note, row.marks)


def _navigation(drawn: list[Figure]) -> list[tuple[str, str]]:
    """The sections that the page's head leads to."""
    wanted = {
        "results": "Every seed",
        "rates": "Missing",
        "probes": "Probes",
        "learning": "Curves",
        "B": "Coefficients",
        "confusion": "Confusion",
        "cost": "Cost",
    }
    return [(figure.name, wanted[figure.name]) for figure in drawn if figure.name in wanted]


def _seeds(table: Table) -> tuple[list[int], list[tuple[str, list[str]]]]:
    """All seeds, and per row the metric that heads the table at each."""
    summaries = [(row.label, table.cell(row).summary) for row in table.rows]
    seeds = sorted({seed for _, found in summaries if found is not None for seed in found.values})
    texts = [
        (label, [table.metric.text(found.values[seed]) if seed in found.values else "–" for seed in seeds])
        for label, found in summaries
        if found is not None
    ]
    return seeds, texts
