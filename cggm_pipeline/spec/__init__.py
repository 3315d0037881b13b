"""What a YAML file may say: the documents (dataset, experiment, table, claims), read with places, composed and checked.

Torch-free. `load_*` raise `SpecError` with every problem of every file that was read.
"""

from cggm_pipeline.spec.compose import Composed, load_dataset, load_experiment
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.layers import Place
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.resolved import dump, load_resolved
from cggm_pipeline.spec.rows import ComposedTable, Row, load_table
from cggm_pipeline.spec.table import Table

__all__ = [
    "Composed",
    "ComposedTable",
    "Dataset",
    "Experiment",
    "Place",
    "Project",
    "Row",
    "Table",
    "dump",
    "load_dataset",
    "load_experiment",
    "load_resolved",
    "load_table",
]
