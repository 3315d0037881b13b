"""report: runs, specs and published numbers become a table in four formats and one self-contained page.

Torch-free. `write(table, root)` is the whole room; `statistics` and `verdict` can be used alone.
"""

from cggm_pipeline.report.write import write

__all__ = ["write"]
