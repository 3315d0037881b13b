"""figures: what the report draws, as SVG elements that stand in the page itself. Drawn without a display, the same each time."""

from cggm_pipeline.report.figures.page import draw
from cggm_pipeline.report.figures.style import Figure, Look, Panel

__all__ = ["Figure", "Look", "Panel", "draw"]
