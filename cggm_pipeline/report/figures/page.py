"""The figures of a report, in the order of the page."""

from __future__ import annotations

from cggm_pipeline.report.figures.confusion import confusion
from cggm_pipeline.report.figures.cost import cost
from cggm_pipeline.report.figures.curves import learning, modalities
from cggm_pipeline.report.figures.forest import results
from cggm_pipeline.report.figures.probes import probes
from cggm_pipeline.report.figures.rates import missing_rates
from cggm_pipeline.report.figures.style import Figure, looks
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.table import Table


def draw(table: Table, material: Material) -> list[Figure]:
    """Every figure that the material allows; none is drawn empty."""
    look = looks([row.slug for row in table.rows], [row.label for row in table.rows], table.baseline)
    found = [
        results(table, look),
        missing_rates(material, look, table.metric),
        probes(material, look),
        learning(material, look, table.metric.name),
        *modalities(material, look),
        confusion(table, material),
        cost(table, look),
    ]
    return [figure for figure in found if figure is not None]
