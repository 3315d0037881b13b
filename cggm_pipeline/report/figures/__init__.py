"""figures: what the report draws, as SVG elements in the page itself; without a display, the same bytes each time."""

from cggm_pipeline.report.figures.page import draw
from cggm_pipeline.report.figures.style import Figure, Look, Panel

__all__ = ["Figure", "Look", "Panel", "draw"]
