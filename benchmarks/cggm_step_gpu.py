"""CGGM steps per second on a GPU, on the paper's sequence network: eager, compiled, and as one captured CUDA graph.

python benchmarks/cggm_step_gpu.py [--steps N]     prints why it measures nothing where there is no CUDA device
"""

from __future__ import annotations

import argparse
from time import perf_counter

import torch
from _sequence_network import Bench, StepOnce

from cggm_pipeline.modulations import NoModulation


def per_second(step: StepOnce, steps: int) -> float:
    for _ in range(5):
        step()
    torch.cuda.synchronize()
    start = perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    return steps / (perf_counter() - start)


def eager(guided: bool) -> StepOnce:
    bench = Bench("cuda", capturable=True)
    return bench.method(bench.cggm() if guided else NoModulation())


def compiled(guided: bool) -> StepOnce:
    """Encoders, fusion and the classifiers' bodies compiled; heads and losses, which are differentiated twice, not."""
    bench = Bench("cuda", capturable=True)
    bodies = [classifier.transformer for classifier in bench.classifiers.values()]
    for module in (*(encoder for _, encoder in bench.network.encoders.items()), bench.network.fusion, *bodies):
        module.compile()
    return bench.method(bench.cggm() if guided else NoModulation())


def captured(guided: bool) -> StepOnce:
    """The whole step, optimiser included, as one CUDA graph."""
    step = eager(guided)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def peak_memory(step: StepOnce) -> float:
    step()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    step()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100)
    steps = parser.parse_args().steps
    if not torch.cuda.is_available():
        print("no CUDA device here: nothing measured")
        return
    print(f"{torch.cuda.get_device_name()}, batch 64, mean of {steps} steps")
    for name, make in (("eager", eager), ("compiled", compiled), ("one CUDA graph", captured)):
        plain, guided = per_second(make(False), steps), per_second(make(True), steps)
        print(f"  {name:15s} plain {plain:7.1f}/s   cggm {guided:7.1f}/s   time {plain / guided:.2f} x plain")
    plain, guided = peak_memory(eager(False)), peak_memory(eager(True))
    print(f"  peak memory of a step: plain {plain:.0f} MiB, cggm {guided:.0f} MiB")


if __name__ == "__main__":
    main()
