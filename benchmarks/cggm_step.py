"""What one CGGM step costs on the CPU, on the paper's sequence network: time and memory.

python benchmarks/cggm_step.py [--repetitions N]     where the time goes: benchmarks/step_profile.py
"""

from __future__ import annotations

import argparse
import random
from statistics import median
from time import process_time

import torch
from _sequence_network import Bench, StepOnce
from torch.autograd.graph import saved_tensors_hooks

from cggm_pipeline.modulations import Modulation, NoModulation


def interleaved(steps: dict[str, StepOnce], repetitions: int) -> dict[str, list[float]]:
    """CPU seconds of each step; every repetition runs all of them once, in an order of its own."""
    order, times = list(steps), {name: [] for name in steps}
    shuffle = random.Random(0).shuffle
    for repetition in range(-2, repetitions):  # two to warm up
        shuffle(order)
        for name in order:
            start = process_time()
            steps[name]()
            if repetition >= 0:
                times[name].append(process_time() - start)
    return times


def ratio(times: dict[str, list[float]], above: list[str], below: list[str]) -> float:
    """The median over repetitions of (sum of `above`) / (sum of `below`)."""
    pairs = zip(*(times[name] for name in above + below), strict=True)
    return median(sum(row[: len(above)]) / sum(row[len(above) :]) for row in pairs)


def saved_bytes(bench: Bench, method: Modulation) -> int:
    """Bytes that forward and penalty keep for backward, each storage counted once; parameters are not among them."""
    own = [*bench.network.parameters(), *method.parameters()]
    known = {p.untyped_storage().data_ptr() for p in own}
    sizes: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        step, loss = bench.forward()
        total = loss + method.penalty(step)
    total.backward()
    method.modulate_(step)
    return sum(sizes.values())


def report_times(times: dict[str, list[float]]) -> None:
    for name, seconds in times.items():
        print(f"  {name:28s} {1e3 * median(seconds):8.1f} ms   {ratio(times, [name], ['plain']):5.2f} x plain")
    free = ratio(times, ["cggm paper"], ["plain", "classifiers alone"])
    turn = ratio(times, ["cggm paper"], ["cggm paper, lam 0"])
    print(f"  cggm paper / (plain + classifiers alone)   {free:.3f}   target at most 1.05")
    print(f"  direction term: lam 0.2 / lam 0            {turn:.3f}   target at most 1.02")


def report_memory(bench: Bench) -> None:
    def megabytes(count: int) -> str:
        return f"{count / 2**20:6.2f} MiB"

    plain, guided = saved_bytes(bench, NoModulation()), saved_bytes(bench, bench.cggm())
    magnitude = saved_bytes(bench, bench.cggm(lam=0.0))
    own = sum(p.nbytes for classifier in bench.classifiers.values() for p in classifier.parameters())
    network = sum(p.nbytes for p in bench.network.parameters())
    print(f"  kept for backward: plain {megabytes(plain)}, cggm {megabytes(guided)}, lam 0 {megabytes(magnitude)}")
    print(f"  weights, gradients, Adam: network {megabytes(4 * network)}, classifiers {megabytes(4 * own)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=15)
    repetitions = parser.parse_args().repetitions
    torch.set_num_threads(1)
    bench = Bench()
    steps = {
        "plain": bench.plain(),
        "classifiers alone": bench.classifiers_alone(),
        "unimodal losses": bench.method(bench.unimodal_losses()),
        "cggm paper, lam 0": bench.method(bench.cggm(lam=0.0)),
        "cggm paper": bench.method(bench.cggm()),
        "cggm released": bench.method(bench.cggm("released")),
        "cggm stable": bench.method(bench.cggm("stable")),
    }
    print(f"one step, batch 64, one thread, CPU time, medians of {repetitions} interleaved repetitions")
    report_times(interleaved(steps, repetitions))
    print("memory of one step")
    report_memory(bench)


if __name__ == "__main__":
    main()
