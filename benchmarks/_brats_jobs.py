"""What brats_scale.py runs in processes of their own; each prints one line of JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from time import perf_counter

from cggm_pipeline.build.data import prepare
from cggm_pipeline.spec.dataset import Dataset

NAME = "brats"


def peak() -> float:
    """The most memory that this process has had resident, in MiB (Linux: since its program was started)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("no VmHWM in /proc/self/status: the peak of memory is measured on Linux alone")


def prepared(root: Path, document: Path) -> dict[str, float]:
    """Prepare the raw data of a project."""
    dataset = Dataset.model_validate_json(document.read_text(encoding="utf-8"))
    before, start = peak(), perf_counter()
    folder = prepare(dataset, NAME, root)
    seconds, counts = perf_counter() - start, json.loads((folder / "manifest.json").read_text())["counts"]
    size = sum(file.stat().st_size for file in folder.iterdir())
    return {
        "seconds": seconds,
        "before": before,
        "peak": peak(),
        "samples": sum(counts.values()),
        "gigabytes": size / 1e9,
    }


def loaded(root: Path, batch: int) -> dict[str, float]:
    """Read the training split as batches in random order, from the disk and then from the page cache."""
    import torch

    from cggm_pipeline.data.prepared import Prepared
    from cggm_pipeline.data.sampling import order
    from cggm_pipeline.data.streamed import Streamed

    folder = root / "data" / "prepared" / NAME
    drop(folder / "train.arrow")
    split = Prepared.open(folder).split("train")
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    data = Streamed(split, workers=threads)
    speeds = {}
    for epoch, name in enumerate(("cold", "warm", "warm")):
        start = perf_counter()
        for given in data.batches(batch, order=order(len(split), 0, epoch), seed=0, epoch=epoch, train=True):
            assert given.target.shape[1:] == next(iter(given.inputs.values())).values.shape[2:]
        speeds[name] = len(split) / (perf_counter() - start)
    on_disk = (folder / "train.arrow").stat().st_size / len(split)
    return {
        **speeds,
        "batch": min(batch, len(split)),
        "threads": threads,
        "gigabytes": speeds["warm"] * on_disk / 1e9,
    }


def drop(path: Path) -> None:
    """Take a file out of the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    job, root, argument = sys.argv[1:]
    result = prepared(Path(root), Path(argument)) if job == "prepare" else loaded(Path(root), int(argument))
    print(json.dumps(result))
