"""Predictions of a trained run for new data: calibrated probabilities, values or masks."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pyarrow import csv, parquet
from torch import Tensor

from cggm_pipeline.build.batches import build_batches
from cggm_pipeline.build.narration import say
from cggm_pipeline.build.predict_masks import write_masks
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.build.trained import Trained, find_trained
from cggm_pipeline.data.batches import Batches
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.writing import Content, write
from cggm_pipeline.errors import BuildError, DataError
from cggm_pipeline.evaluation.predictors.plain import predict as forward
from cggm_pipeline.spec.sources import Table
from cggm_pipeline.training.machine import chosen_device
from cggm_pipeline.whole import write_whole

SPLIT = "test"
"""The split that a CSV's rows become; they are only predicted."""


def predict(
    run: Path, data: Path, out: Path, *, split: str = SPLIT, device: str | None = None
) -> tuple[int, tuple[Path, ...]]:
    """Write the predictions of `run` for `data` to `out`; return the number of samples and the averaged seeds' folders.

    `run`: a row's folder (the mean over its seeds) or one seed's. `data`: a prepared folder, of which `split` is taken,
    or a CSV with the columns of the table source the run was trained on (no target needed). `out`: .csv or .parquet,
    with id, prediction and, for classes, one column `p_CLASS` of probabilities calibrated on the validation split; for
    masks .npz, see `write_masks`. Says on stderr where run or data were made by `cggm twin`.
    """
    trained = find_trained(run)
    formats, write_out = OUTPUTS[trained.dataset.target.kind]
    if out.suffix not in formats:
        raise BuildError(f"{out}: error: {out.suffix or 'no suffix'!r} is no format (allowed: {', '.join(formats)})")
    where = chosen_device(device)
    with _opened(trained, data) as prepared:
        for banner in sorted({trained.manifest.banner, prepared.manifest.banner} - {""}):
            say(banner)
        number = len(prepared.split(split).ids)
        if not number:
            raise DataError(f"{data}: error: split {split!r} has no samples")
        batches = build_batches(trained.experiment, prepared, split, device=where, statistics=trained.statistics)
        write_out(trained, batches, out, where)
    return number, trained.seeds


def _write_table(trained: Trained, batches: Batches, out: Path, device: torch.device) -> None:
    """A row per sample: the mean over the seeds."""
    values = torch.stack([_values(trained, seed, batches, device) for seed in trained.seeds]).mean(0)
    columns = COLUMNS[trained.dataset.target.kind](values.numpy(), trained)
    write_whole(out, FORMATS[out.suffix](pa.table({"id": batches.split.ids, **columns})))


def _values(trained: Trained, seed: Path, batches: Batches, device: torch.device) -> Tensor:
    """Probabilities (N, C) or values (N, K) of one seed."""
    built = trained.network(seed, device)
    found = forward(built.network, batches, predictor=built.predictor)
    return built.task.predict(found.logits / trained.temperature(seed)).cpu()


@contextmanager
def _opened(trained: Trained, data: Path) -> Iterator[Prepared]:
    """The data in the prepared form; a CSV is prepared in a temporary folder first."""
    if not data.is_file():
        prepared = Prepared.open(data)
        _check(trained, prepared, data)
        yield prepared
        return
    folder = Path(tempfile.mkdtemp(prefix="cggm-predict-"))
    try:
        yield _prepare(trained, data, folder / "data")
    finally:
        shutil.rmtree(folder)


def _check(trained: Trained, prepared: Prepared, data: Path) -> None:
    for name in trained.experiment.used():
        expected, found = trained.manifest.modalities[name], prepared.manifest.modalities.get(name)
        if found != expected:
            raise DataError(
                f"{data}: error: modality {name} is {found or 'missing'}, but the run was trained on {expected}"
            )


def _prepare(trained: Trained, data: Path, folder: Path) -> Prepared:
    source = trained.dataset.source
    if not isinstance(source, Table):
        raise DataError(
            f"{data}: error: this run was trained on source {source.kind}, which reads no CSV\n"
            "  Give a prepared folder (data/prepared/NAME); only runs on a table source predict from a CSV"
        )
    used = list(trained.experiment.used())
    forms = {name: Form(shape.shape, shape.dtype) for name, shape in trained.dataset.modalities.items() if name in used}
    columns = {name: source.columns[name] for name in used}
    reader = implementation(TABLES["sources"][source.kind])(
        path=data.name,
        columns=columns,
        target=columns[used[0]].columns[0],  # it has to name some column; what stands there is not taken as a target
        id=source.id if source.id in _header(data, source.delimiter) else None,
        delimiter=source.delimiter,
    )
    problems = Problems()
    raw = reader.read(data.resolve().parent, forms, problems)
    problems.check()
    manifest, number = trained.manifest, len(raw.ids)
    target = np.zeros(number, np.int64) if manifest.classes else np.zeros((number, manifest.width), np.float32)
    write(folder, Content(data.stem, raw, forms, target, manifest.classes, [SPLIT] * number))
    return Prepared.open(folder)


def _header(data: Path, delimiter: str) -> list[str]:
    with data.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return [cell.strip().strip('"') for cell in file.readline().split(delimiter)]


Columns = Mapping[str, Sequence[str] | np.ndarray]


def _classes(values: np.ndarray, trained: Trained) -> Columns:
    names = trained.manifest.classes
    return {
        "prediction": [names[index] for index in values.argmax(1)],
        **{f"p_{name}": values[:, index] for index, name in enumerate(names)},
    }


def _real(values: np.ndarray, trained: Trained) -> Columns:
    width = values.shape[1]
    return {"prediction" if width == 1 else f"prediction_{k}": values[:, k] for k in range(width)}


COLUMNS: dict[str, Callable[[np.ndarray, Trained], Columns]] = {"classes": _classes, "values": _real}
"""Kind of target -> the columns beside the id."""


def _csv(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    csv.write_csv(table, buffer)
    return buffer.getvalue()


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


FORMATS: dict[str, Callable[[pa.Table], bytes]] = {".csv": _csv, ".parquet": _parquet}

Writer = Callable[[Trained, Batches, Path, torch.device], None]
OUTPUTS: dict[str, tuple[Sequence[str], Writer]] = {
    "classes": (tuple(FORMATS), _write_table),
    "values": (tuple(FORMATS), _write_table),
    "mask": ((".npz",), write_masks),
}
"""Kind of target -> the suffixes that OUT may have, and what writes it."""
