"""What a step and a training of every balancing method cost against joint training on the same network: time, memory.

python benchmarks/method_costs.py [--repetitions N] [--epochs N] [--device cpu|cuda] [--kinds KIND ...]

Three modalities of 256 numbers, an MLP each, z their concatenation (or the only fusion that a method works with, then
against joint training with that one); batches of 64, one thread. Repetitions are interleaved; ratios are medians.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from cggm_pipeline.build import build_network
from cggm_pipeline.build.modulation import build_schedule
from cggm_pipeline.build.rooms import specs
from cggm_pipeline.build.training import build_options
from cggm_pipeline.data.batches import Batch, Resident
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sources.base import Raw
from cggm_pipeline.data.writing import Content, write
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.training.fit import fit

NAMES, SIZE, WIDTH, CLASSES, BATCH = ("a", "b", "c"), 256, 256, 10, 64
SAMPLES = {"train": 16 * BATCH, "valid": 4 * BATCH, "test": BATCH}
OPTIONS: dict[str, dict[str, Any]] = {"cggm": {"preset": "paper"}, "smv": {"warmup": 0}}
"""What is not a default: what has none, and what would let a method begin after the few epochs here."""
Method = tuple[str, str, int]
"""The kind (none: joint training), the fusion and the number of modalities."""


class Made(Raw):
    """Random numbers."""

    def __init__(self) -> None:
        number = sum(SAMPLES.values())
        draw = np.random.default_rng(0)
        self.values = {name: draw.standard_normal((number, SIZE), dtype=np.float32) for name in NAMES}
        self.target = np.arange(number) % CLASSES
        self.ids = [f"{index:05d}" for index in range(number)]
        self.labels = [str(label) for label in self.target]
        self.files = {}

    def sample(self, index: int, members: Any) -> dict[str, np.ndarray]:
        return {name: values[index] for name, values in self.values.items()}


class Timed(Resident):
    """Batches that remember when training asked for each."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.asked: list[float] = []

    def batches(self, *arguments: Any, **keywords: Any) -> Iterator[Batch]:
        for batch in super().batches(*arguments, **keywords):
            if keywords.get("train"):
                if self.device.type == "cuda":
                    torch.cuda.synchronize()
                self.asked.append(time.perf_counter())
            yield batch


def prepared(folder: Path) -> Prepared:
    splits = [name for name, number in SAMPLES.items() for _ in range(number)]
    forms = {name: Form((SIZE,), "float32") for name in NAMES}
    raw = Made()
    write(folder, Content("made", raw, forms, raw.target.astype(np.int64), [str(k) for k in range(CLASSES)], splits))
    return Prepared.open(folder)


def methods() -> dict[str, Method]:
    """By kind: the method, and the fusion it is measured with."""
    found = {}
    for room in ("modulations", "schedules"):
        for kind, spec in specs(room).items():
            named = sorted(getattr(spec, "fusions", None) or ["concat"])
            if kind not in ("none", "everything") and "classification" in spec.tasks and required(spec, kind):
                found[kind] = (kind, named[0], min(len(NAMES), getattr(spec, "max_modalities", None) or len(NAMES)))
    return found


def required(spec: Any, kind: str) -> bool:
    """Whether the kind can be built from its defaults and OPTIONS; a condition with a modality of its own cannot."""
    return all(
        name == "kind" or name in OPTIONS.get(kind, {}) or not field.is_required()
        for name, field in spec.model_fields.items()
    )


def experiment(method: Method, epochs: int) -> tuple[Experiment, Dataset]:
    kind, fusion, number = method
    room = "schedules" if kind in specs("schedules") else "modulations"
    spec = specs(room)[kind]
    sections: dict[str, Any] = {room.removesuffix("s"): {"kind": kind, **OPTIONS.get(kind, {})}}
    if getattr(spec, "schedule", None):
        sections["schedule"] = {"kind": spec.schedule}
    document = {
        "version": 1,
        "kind": "experiment",
        "data": "made",
        "modalities": {name: {"encoder": {"kind": "mlp", "hidden": [WIDTH, WIDTH]}} for name in NAMES[:number]},
        "fusion": {"kind": fusion},
        "task": {"kind": "classification"},
        "training": {"epochs": epochs, "batch_size": BATCH},
        **sections,
    }
    data = {
        "version": 1,
        "kind": "dataset",
        "source": {"kind": "digits_two_view"},
        "split": {"kind": "random"},
        "modalities": {name: {"shape": [SIZE]} for name in NAMES},
        "target": {"kind": "classes", "number": CLASSES},
    }
    return Experiment.model_validate(document), Dataset.model_validate(data)


def trained(method: Method, data: Prepared, epochs: int, device: str) -> tuple[float, float]:
    """Seconds of a batch's steps, their median, and of the whole training."""
    spec, dataset = experiment(method, epochs)
    made = build_network(spec, dataset, seed=0, device=device)
    train = Timed(data.split("train"), modalities=made.network.modalities, device=device)
    valid = Resident(data.split("valid"), modalities=made.network.modalities, device=device)
    options = build_options(spec, made.task, seed=0, device=device)
    start = time.perf_counter()
    fit(
        *(made.network, made.task, made.modulation, train, valid, options),
        schedule=build_schedule(spec, made.network),
    )
    end = time.perf_counter()
    return median(np.diff(train.asked[-SAMPLES["train"] // BATCH :])), end - start


def peak(method: Method, data: Prepared, device: str) -> int:
    """The most bytes that tensors of a training of one epoch take at once."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        trained(method, data, 1, device)
        return torch.cuda.max_memory_allocated()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        trained(method, data, 1, device)
    events = profile.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return int(np.cumsum([size for _, size in changes]).max())


def joint(method: Method) -> Method:
    """Joint training of the same network."""
    return ("none", *method[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--kinds", nargs="+", default=sorted(methods()))
    chosen = parser.parse_args()
    with TemporaryDirectory() as folder:
        report(chosen, prepared(Path(folder) / "made"))


def report(chosen: argparse.Namespace, data: Prepared) -> None:
    asked = [methods()[kind] for kind in chosen.kinds]
    everything = sorted({*asked, *map(joint, asked)})
    times: dict[Method, list[tuple[float, float]]] = {method: [] for method in everything}
    shuffle = random.Random(0).shuffle
    for repetition in range(-1, chosen.repetitions):  # one to warm up
        shuffle(everything)
        for method in everything:
            seconds = trained(method, data, chosen.epochs, chosen.device)
            if repetition >= 0:
                times[method].append(seconds)
    memory = {method: peak(method, data, chosen.device) for method in everything}
    print(f"{chosen.repetitions} repetitions of {chosen.epochs} epochs on {chosen.device}, torch {torch.__version__}\n")
    print("| method | fusion | M | step, ms | step, x joint | training, x joint | memory, MiB | memory, x joint |")
    print("|---|---|---|---|---|---|---|---|")
    for method in sorted(times, key=lambda entry: (entry[0] != "none", entry)):
        print(f"| {' | '.join(row(method, times, memory))} |")


def row(method: Method, times: dict[Method, list[tuple[float, float]]], memory: dict[Method, int]) -> Iterator[str]:
    base = joint(method)
    yield from map(str, method)
    yield f"{1e3 * median(step for step, _ in times[method]):.2f}"
    for part in (0, 1):
        pairs = zip(times[method], times[base], strict=True)
        yield f"{median(one[part] / other[part] for one, other in pairs):.2f}"
    yield f"{memory[method] / 2**20:.1f}"
    yield f"{memory[method] / memory[base]:.2f}"


if __name__ == "__main__":
    main()
