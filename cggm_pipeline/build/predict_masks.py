"""Predicted masks as an npz file, written sample by sample: no split of masks need fit into memory."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch

from cggm_pipeline.build.trained import Trained
from cggm_pipeline.data.batches import Batches
from cggm_pipeline.errors import OutputError
from cggm_pipeline.evaluation.predictors.plain import evaluating, fitting
from cggm_pipeline.spec.dataset import Mask
from cggm_pipeline.tasks.segmentation import enlarged


def write_masks(trained: Trained, batches: Batches, out: Path, device: torch.device) -> None:
    """`masks` (N, H, W) uint8, `ids` (N,) and, where samples belong to cases, `groups` (N,): read with numpy.load.

    A pixel's class is the most probable one after averaging the probabilities over the seeds, whose networks are all
    held in memory. OutputError where `out` cannot be written; what stood there before is unchanged then.
    """
    target = trained.dataset.target
    assert isinstance(target, Mask)  # build/predict.py calls this for masks alone
    names = {"ids": batches.split.ids, "groups": batches.split.groups}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
            temporary = Path(folder) / out.name
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, values in names.items():
                    if values is not None:
                        with archive.open(f"{name}.npy", "w") as file:
                            np.lib.format.write_array(file, np.array(values), allow_pickle=False)
                _write(archive, _masks(trained, batches, target.shape, device), (len(batches), *target.shape))
            os.replace(temporary, out)
    except OSError as error:
        raise OutputError(f"{out}: could not be written ({error.strerror or error}); free some space") from error


def _write(archive: zipfile.ZipFile, masks: Iterator[np.ndarray], shape: tuple[int, int, int]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with archive.open("masks.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for mask in masks:
            file.write(mask.tobytes())


def _masks(trained: Trained, batches: Batches, size: tuple[int, int], device: torch.device) -> Iterator[np.ndarray]:
    """Classes (B, H, W) uint8 of every batch."""
    built = [trained.network(seed, device) for seed in trained.seeds]
    with ExitStack() as stack:
        for one in built:
            stack.enter_context(evaluating(one.network))
        asks = [one.predictor.open(one.network) for one in built]
        for batch in batches.batches(fitting(batches, built[0].predictor), train=False):
            logits = [enlarged(ask(batch.inputs), size) for ask in asks]
            found = [one.task.predict(each) for one, each in zip(built, logits, strict=True)]
            yield torch.stack(found).mean(0).max(1).indices.to(torch.uint8).cpu().numpy()
