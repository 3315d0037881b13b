"""Samples per second that the loader reads, against what a training step of the paper's network consumes on this CPU.

python benchmarks/loaders.py [NAME ...]     target: the loader is never the slower one (a ratio above 1)

Made-up values at the real shapes, streamed from files that lie in the page cache; steps of CGGM on all cores.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch
from _paper import TABLES, Steps, documents, prepared, run_of

from cggm_pipeline.build import Run
from cggm_pipeline.data.batches import order

SAMPLES = {"food101": 512, "mosi": 1024, "iemocap": 512, "brats": 128}
STEP_BATCH = {"food101": 16, "mosi": 64, "iemocap": 16, "brats": 2}
"""Samples in a timed step; per sample a larger batch is hardly faster on a CPU."""
REPEATS, STEPS = 3, 2


def loaded(run: Run, number: int) -> float:
    """Samples per second of whole epochs in the experiment's own batches, the median."""
    rates = []
    for epoch in range(REPEATS):
        start = time.perf_counter()
        for batch in run.data["train"].batches(
            run.experiment.training.batch_size, order=order(number, 0, epoch), epoch=epoch, train=True
        ):
            del batch
        rates.append(number / (time.perf_counter() - start))
    return statistics.median(rates)


def consumed(run: Run, size: int) -> float:
    """Samples per second of training steps on batches that are there already, the median."""
    steps = Steps(run)
    batch = next(iter(run.data["train"].batches(size, train=True)))
    seconds = []
    for index in range(STEPS + 1):
        start = time.perf_counter()
        steps(batch, index)
        seconds.append(time.perf_counter() - start)
    return size / statistics.median(seconds[1:])


def main(names: list[str]) -> None:
    print(f"{torch.get_num_threads()} threads; medians of {REPEATS} epochs read and {STEPS} steps made")
    slower = []
    for name in names or TABLES:
        experiment, dataset = documents(name, "cggm-released")
        with prepared(name, dataset, experiment.data, SAMPLES[name]) as root:
            run = run_of(experiment, dataset, root)
            read, used = loaded(run, SAMPLES[name]), consumed(run, STEP_BATCH[name])
        print(f"{name:10s} loader {read:9,.0f} samples/s   step {used:8.3g} samples/s   ratio {read / used:7,.0f}")
        slower += [name] if read <= used else []
    if slower:
        sys.exit(f"the loader is the slower one: {', '.join(slower)}")


if __name__ == "__main__":
    main(sys.argv[1:])
