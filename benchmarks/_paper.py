"""The paper's four experiments at their real sizes on made-up values: prepared data, the network, and steps of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from accelerate import Accelerator

from cggm_pipeline.build import Run, batches, build
from cggm_pipeline.build.documents import prepared_folder
from cggm_pipeline.data.batches import Batch
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.sources.base import Raw
from cggm_pipeline.data.writing import Content, write
from cggm_pipeline.spec import Dataset, Experiment, Project, load_dataset, load_table
from cggm_pipeline.spec.dataset import Mask, Values
from cggm_pipeline.training.step import Stepper

ROOT = Path(__file__).resolve().parents[1]
TABLES = ("food101", "mosi", "iemocap", "brats")
STEPS: Mapping[tuple[str, str], int] = {
    ("food101", "text"): 50,
    ("iemocap", "audio"): 350,
    ("iemocap", "text"): 22,
    ("iemocap", "video"): 50,
}
"""Lengths of what varies: the longest that the released code keeps."""
MOSI_STEPS = 50


class MadeUp(Raw):
    """Random values of the declared shapes, every sample at its full length."""

    def __init__(self, table: str, forms: Mapping[str, Form], number: int, mask: tuple[int, int] | None) -> None:
        self.ids = [f"{index:06d}" for index in range(number)]
        self.labels = ["0"] * number
        self.files = {}
        self._table, self._forms, self._mask = table, forms, mask

    def sample(self, index: int, members: np.ndarray) -> dict[str, np.ndarray]:
        random = np.random.default_rng(index)
        return {
            name: random.standard_normal(self._shape(name), np.float32).astype(form.dtype)
            for name, form in self._forms.items()
        }

    def mask(self, index: int) -> np.ndarray:
        return np.random.default_rng(index).integers(0, 4, self._mask, np.uint8)

    def _shape(self, name: str) -> tuple[int, ...]:
        free = STEPS.get((self._table, name), MOSI_STEPS)
        return tuple(free if size is None else size for size in self._forms[name].shape)


def documents(table: str, row: str) -> tuple[Experiment, Dataset]:
    """The experiment of a table's row, and its dataset, as the specs have them."""
    project = Project(ROOT)
    experiment = load_table(table, project).rows[row].experiment.spec
    return experiment, load_dataset(experiment.data, project).spec


@contextmanager
def prepared(table: str, dataset: Dataset, name: str, number: int) -> Iterator[Path]:
    """A project whose dataset `name` is prepared: `number` training samples, two in the other splits."""
    with TemporaryDirectory(prefix="paper-") as folder:
        root = Path(folder)
        splits = ["train"] * number + ["valid"] * 2 + ["test"] * 2
        forms = {key: Form(shape.shape, shape.dtype) for key, shape in dataset.modalities.items()}
        target = dataset.target
        mask = target.shape if isinstance(target, Mask) else None
        raw = MadeUp(table, forms, len(splits), mask)
        classes = [] if isinstance(target, Values) else [str(index) for index in range(target.number)]
        values: np.ndarray | None = np.arange(len(splits)) % max(len(classes), 1)
        if isinstance(target, Values):
            values = np.linspace(-3, 3, len(splits), dtype=np.float32)[:, None]
        write(prepared_folder(name, root), Content(name, raw, forms, None if mask else values, classes, splits, mask))
        yield root


def run_of(experiment: Experiment, dataset: Dataset, root: Path, device: str = "cpu") -> Run:
    """Everything of one seed; the data are streamed from disk, as data of the real number of samples are."""
    batches.RESIDENT_BYTES = 0
    return build(experiment, project=root, dataset=dataset, device=device)


class Steps:
    """Training steps of a run, as `fit` makes them."""

    def __init__(self, run: Run, device: str = "cpu") -> None:
        self._stepper = Stepper(
            Accelerator(cpu=device == "cpu"), run.built.network, run.built.task, run.built.modulation, run.options
        )
        run.built.network.train()
        run.built.modulation.train()

    def __call__(self, batch: Batch, index: int) -> None:
        self._stepper(batch, 0, index)
