"""Food-101: a training step on cached features against the same step that runs BERT-base and ViT-B/16 every time.

python benchmarks/cached_features.py [--repetitions N]     also: the size on disk, what the loader reads

The released code runs both frozen models in every step. Random weights and made-up values at the real sizes (197 x 768
and 50 x 768 features, both models with 12 layers); joint training of the paper's network; batch 16, because the code's
128 would take a core minutes a step.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from time import perf_counter, process_time

import torch
from _paper import Steps, documents, prepared, run_of

from cggm_pipeline.data.batches import Batch, order
from cggm_pipeline.encoders.base import Encoder
from cggm_pipeline.encoders.text import Text
from cggm_pipeline.encoders.timm import Timm
from cggm_pipeline.layers.features import Input

BATCH, SAMPLES, REAL = 16, 512, 90_704
"""Samples in a step, in the made-up data set, and in UPMC Food-101."""


def frozen() -> tuple[dict[str, Encoder], dict[str, Input]]:
    """Both models as the stage runs them, and a batch of what they read."""
    with torch.device("meta"):  # no file and no network: the architecture, from its width
        text = Text((None,), model="bert-base-uncased", width=768, freeze=True)
    text = text.to_empty(device="cpu")
    for parameter in text.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    embeddings = text.model.embeddings  # buffers have no values after to_empty
    embeddings.position_ids = torch.arange(embeddings.position_ids.shape[1])[None]
    embeddings.token_type_ids = torch.zeros_like(embeddings.position_ids)
    image = Timm((3, 224, 224), model="vit_base_patch16_224", output="tokens", freeze=True).eval()
    ids = torch.randint(1000, 30_000, (BATCH, 50))
    given = {
        "image": Input(torch.randn(BATCH, 3, 224, 224)),
        "text": Input(ids, torch.zeros_like(ids, dtype=torch.bool)),
    }
    return {"image": image, "text": text}, given


def interleaved(steps: dict[str, Callable[[], object]], repetitions: int) -> dict[str, list[float]]:
    """CPU seconds of each step; every repetition runs all of them once, in an order of its own. One to warm up."""
    names, times = list(steps), {name: [] for name in steps}
    shuffle = random.Random(0).shuffle
    for repetition in range(-1, repetitions):
        shuffle(names)
        for name in names:
            start = process_time()
            steps[name]()
            if repetition >= 0:
                times[name].append(process_time() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=3)
    repetitions = parser.parse_args().repetitions
    torch.manual_seed(0)
    torch.set_num_threads(1)
    experiment, dataset = documents("food101", "joint")
    encoders, given = frozen()
    with prepared("food101", dataset, experiment.data, SAMPLES) as root:
        run = run_of(experiment, dataset, root)
        step = Steps(run)
        batch = next(iter(run.data["train"].batches(BATCH, train=True)))

        alone: list[float] = []

        def encoded() -> Batch:
            start = process_time()
            with torch.no_grad():
                features = {name: encoders[name](given[name]) for name in given}
            alone.append(process_time() - start)
            return replace(batch, inputs={name: Input(made.tensor, made.mask) for name, made in features.items()})

        steps = {"cached": lambda: step(batch, 0), "every step": lambda: step(encoded(), 0)}
        times = interleaved(steps, repetitions)
        start = perf_counter()
        for other in run.data["train"].batches(128, order=order(SAMPLES, 0, 0), train=True):
            del other
        read = SAMPLES / (perf_counter() - start)
        folder = root / "data" / "prepared" / experiment.data
        sample = sum(file.stat().st_size for file in folder.glob("*.arrow")) / (SAMPLES + 4)
    models = median(alone[1:])
    middle = {name: median(seconds) for name, seconds in times.items()}
    ratio = median(slow / fast for slow, fast in zip(times["every step"], times["cached"], strict=True))
    print(f"batch {BATCH}, one thread, CPU time, medians of {repetitions} interleaved repetitions")
    print(f"  step on cached features          {middle['cached']:7.2f} s")
    print(f"  step that runs BERT and ViT      {middle['every step']:7.2f} s   ratio {ratio:5.1f}   target: above 3")
    print(f"  BERT and ViT alone               {models:7.2f} s")
    print(f"  the stage for {REAL:,} samples  {REAL / BATCH * models / 3600:7.1f} h on one CPU core, once")
    print(f"on disk {sample / 1e3:,.0f} kB a sample, {sample * REAL / 1e9:.1f} GB for {REAL:,} samples (at most)")
    print(f"loader {read:,.0f} samples/s from the page cache, a cached step {BATCH / middle['cached']:,.0f} samples/s")


if __name__ == "__main__":
    main()
