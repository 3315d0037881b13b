"""BraTS at its real size: preparation at constant memory, slices per second of the loader, one step of four ResNet-101.

python benchmarks/brats_scale.py [--cases N] [--size H W S] [--crop N] [--batch N] [--steps N] [--folder F]

Targets: the memory of preparation does not grow with the number of cases; the loader is never slower than the step.
The step is that of specs/experiments/brats/joint.yaml: four encoders with ASPP, one decoder, joint training. On a GPU
it is also measured in bfloat16, with channels_last, and with torch.compile.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import _brats_cases as made
import yaml
from _brats_step import measure_steps

from cggm_pipeline.spec.dataset import Dataset

SPECS = Path(__file__).parent.parent / "specs"


def dataset(size: list[int]) -> Dataset:
    """specs/datasets/brats.yaml with these shapes, every slice, and a fifth of the cases in each of valid and test."""
    document = yaml.safe_load((SPECS / "datasets" / "brats.yaml").read_text(encoding="utf-8"))
    for modality in document["modalities"].values():
        modality["shape"] = [1, *size[:2]]
    document["target"]["shape"] = size[:2]
    document["split"] |= {"valid": 0.2, "test": 0.2}
    document["source"]["only_tumour"] = []
    return Dataset.model_validate(document)


def alone(job: str, *arguments: object) -> dict[str, float]:
    """One of the jobs of _brats_jobs.py in a process of its own, so that its peak of memory is its own."""
    script = Path(__file__).with_name("_brats_jobs.py")
    result = subprocess.run(
        [sys.executable, str(script), job, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return found


def project(folder: Path, raw: Path, cases: int) -> Path:
    """A project whose raw data are the first cases of `raw`, hard-linked."""
    for case in sorted(raw.iterdir())[:cases]:
        target = folder / "data" / "raw" / "brats" / case.name
        target.mkdir(parents=True)
        for file in case.iterdir():
            os.link(file, target / file.name)
    return folder


def report_preparation(root: Path, raw: Path, cases: int, document: Path) -> Path:
    """Peak memory with few cases, with half and with all of them; returns the project with all."""
    peaks = {}
    for number in sorted({max(cases // 4, 5), max(cases // 2, 5), cases}):
        folder = project(root / f"with{number}", raw, number)
        found = alone("prepare", folder, document)
        peaks[number] = found["peak"]
        speed = found["samples"] / found["seconds"]
        print(
            f"  prepare {number:3d} cases   {found['seconds']:6.1f} s   {speed:6.0f} slices/s   peak "
            f"{found['peak']:6.0f} MiB (before: {found['before']:.0f})   {found['gigabytes']:.2f} GB written"
        )
    half, most = max(cases // 2, 5), max(peaks)  # a few cases do not keep all threads busy at once
    print(f"  peak with {most} cases / with {half}   {peaks[most] / peaks[half]:.2f}   target at most 1.10")
    return root / f"with{cases}"


def report_loader(folder: Path, batch: int) -> float:
    found = alone("load", folder, batch)
    print(
        f"  loader, batches of {found['batch']:.0f} in random order, {found['threads']:.0f} threads   "
        f"{found['warm']:6.0f} slices/s ({found['gigabytes']:.2f} GB/s); {found['cold']:.0f} from the disk itself"
    )
    return min(found["warm"], found["cold"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20, help="at least 5")
    parser.add_argument("--size", type=int, nargs=3, default=list(made.REAL), help="of a volume: H W S")
    parser.add_argument("--crop", type=int, default=160, help="side of the crop that a step sees")
    parser.add_argument("--batch", type=int, default=2, help="of the step on a CPU; the paper's 64 takes minutes")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="where 4 GB can be written for a while")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        root = Path(temporary)
        document = root / "dataset.json"
        document.write_text(dataset(options.size).model_dump_json(), encoding="utf-8")
        made.write(root / "raw", options.cases, options.size)
        size = sum(file.stat().st_size for file in (root / "raw").rglob("*.gz"))
        print(
            f"{options.cases} cases of 4 x {' x '.join(map(str, options.size))} int16, {size / 1e9:.2f} GB of .nii.gz"
        )
        folder = report_preparation(root, root / "raw", options.cases, document)
        loaded = report_loader(folder, 64)
        stepped = measure_steps(dataset(options.size), SPECS, options.crop, options.batch, options.steps)
        print(f"  loader / step on this machine   {loaded / stepped:.1f}   target at least 1")


if __name__ == "__main__":
    main()
