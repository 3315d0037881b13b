"""What CGGM's classifiers cost in memory, beside what the authors' slides say (Table 8 of the paper).

python benchmarks/classifier_memory.py      counts on any machine; where there is a CUDA device it also measures

Weights, gradients and optimiser state are counted, exactly, on the meta device; float32, 1 MB = 10^6 bytes. Measured
is the peak of a training step with CGGM minus that of joint training, at the real batch and sizes, made-up values. The
paper does not say how it measured.
"""

from __future__ import annotations

import gc

import torch
from _paper import ROOT, TABLES, Steps, documents, prepared, run_of

from cggm_pipeline.build import build_network
from cggm_pipeline.build.classifiers import build_classifiers
from cggm_pipeline.spec import Dataset, Experiment, load_resolved
from cggm_pipeline.spec.claims import Claims

PUBLISHED = {"food101": "UPMC-Food 101", "mosi": "CMU-MOSI", "iemocap": "IEMOCAP", "brats": "BraTS 2021"}
STATE = {"adam": 2, "adamw": 2, "sgd": 1}
"""Values that an optimiser keeps for each parameter: Adam's two moments, SGD's velocity."""


def counted(experiment: Experiment, dataset: Dataset) -> tuple[float, float]:
    """MB of the classifiers' weights and buffers, and of these with gradients and optimiser state."""
    built = build_network(experiment, dataset, seed=0, device="meta")
    classifiers = build_classifiers(experiment, built.network, built.task, seed=0, device="meta").values()
    weights = sum(p.numel() for module in classifiers for p in module.parameters())
    buffers = sum(b.numel() * b.element_size() for module in classifiers for b in module.buffers())
    state = STATE[experiment.training.optimizer.kind]
    return (4 * weights + buffers) / 1e6, (4 * weights * (2 + state) + buffers) / 1e6


def peak(name: str, row: str) -> float:
    """MB of GPU memory at the peak of a training step, the batch included."""
    experiment, dataset = documents(name, row)
    size = experiment.training.batch_size
    with prepared(name, dataset, experiment.data, size) as root:
        run = run_of(experiment, dataset, root, "cuda")
        batch = next(iter(run.data["train"].batches(size, train=True)))
        steps = Steps(run, "cuda")
        steps(batch, 0)
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        steps(batch, 1)
        torch.cuda.synchronize()
        found = torch.cuda.max_memory_allocated() / 1e6
    del run, batch, steps
    gc.collect()
    torch.cuda.empty_cache()
    return found


def measured(name: str) -> str:
    if not torch.cuda.is_available():
        return "not measured"
    joint, guided = peak(name, "joint"), peak(name, "cggm-released")
    return f"{guided - joint:+,.1f} on {joint:,.0f}"


def main() -> None:
    claims = load_resolved(ROOT / "specs/claims/cggm-memory.yaml", Claims)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device here: nothing measured"
    print(f"{device}; the published numbers: {'; '.join(claims.source)}\n")
    heads = ("MB", "published", "weights", "+ gradients, state", "peak of a step")
    print(f"{heads[0]:14s} {heads[1]:>9s} {heads[2]:>9s} {heads[3]:>19s} {heads[4]:>18s}")
    for name in TABLES:
        published = claims.rows[PUBLISHED[name]]["Additional GPU memory"]
        weights, trained = counted(*documents(name, "cggm-released"))
        print(f"{PUBLISHED[name]:14s} {published!s:>9s} {weights:9.2f} {trained:19.2f} {measured(name):>18s}")


if __name__ == "__main__":
    main()
