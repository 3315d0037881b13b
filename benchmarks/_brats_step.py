"""One training step of the paper's BraTS network, from its spec: on the CPU, and on a GPU in the ways it can be run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
import yaml

from cggm_pipeline.build import build_network
from cggm_pipeline.build.network import Built
from cggm_pipeline.layers.features import Input
from cggm_pipeline.modulations import Step
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment

GPU_BATCH = 64


def measure_steps(dataset: Dataset, specs: Path, crop: int, batch: int, steps: int) -> float:
    """Print what a step takes; returns the slices per second of the fastest way on this machine."""
    document = yaml.safe_load((specs / "experiments" / "brats" / "joint.yaml").read_text(encoding="utf-8"))
    document.pop("seeds", None)
    experiment = Experiment.model_validate(document)
    if not torch.cuda.is_available():
        print("  no CUDA device here: bfloat16, channels_last and torch.compile were not measured")
        return _report(f"step on the CPU, batch {batch}", _Training(experiment, dataset, "cpu", crop, batch), steps)
    return max(
        _report(
            f"step on {torch.cuda.get_device_name()}, batch {GPU_BATCH}"
            f"{', bfloat16' * half}{', channels_last' * last}{', compiled' * compiled}",
            _Training(experiment, dataset, "cuda", crop, GPU_BATCH, half=half, last=last, compiled=compiled),
            steps,
        )
        for half, last, compiled in product((False, True), repeat=3)
    )


class _Training:
    """The network of an experiment, its loss, SGD, and a batch of noise with masks; called, it does one step."""

    def __init__(
        self,
        experiment: Experiment,
        dataset: Dataset,
        device: str,
        crop: int,
        batch: int,
        *,
        half: bool = False,
        last: bool = False,
        compiled: bool = False,
    ) -> None:
        self.built: Built = build_network(experiment, dataset, seed=0, device=device)
        self.device, self.half, self.batch = device, half, batch
        layout = torch.channels_last if last else torch.contiguous_format
        network = self.built.network.to(memory_format=layout).train()
        if compiled:
            for module in (*(encoder for _, encoder in network.encoders.items()), network.fusion):
                module.compile()
        shape = (batch, 1, crop, crop)
        self.inputs = {
            name: Input(torch.randn(shape, device=device).contiguous(memory_format=layout))
            for name in network.modalities
        }
        self.target = torch.randint(0, 4, (batch, crop, crop), device=device)
        self.optimizer = torch.optim.SGD(network.parameters(), lr=1e-2, momentum=0.9, weight_decay=3e-4)

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        with torch.autocast(self.device, torch.bfloat16, enabled=self.half):
            out = self.built.network(self.inputs)
            loss = self.built.task.loss(out.logits, self.target)
        step = Step(out.features, out.fused, out.logits, self.target, blocks=out.blocks, rerun=out.rerun)
        self.built.modulation.backward(loss, step)
        self.optimizer.step()


def _report(name: str, train: _Training, steps: int) -> float:
    if train.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds = _seconds(train, train.device, steps)
    memory = f"   {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if train.device == "cuda" else ""
    print(f"  {name}   {seconds:8.3f} s   {train.batch / seconds:8.2f} slices/s{memory}")
    return train.batch / seconds


def _seconds(step: Callable[[], None], device: str, steps: int) -> float:
    """The median over `steps`, after one to warm up (three on a GPU, where code is compiled)."""
    times = []
    warm = 3 if device == "cuda" else 1
    for number in range(-warm, steps):
        start = perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        if number >= 0:
            times.append(perf_counter() - start)
    return median(times)
