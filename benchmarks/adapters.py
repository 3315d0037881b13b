"""What one step of each adapter costs on the CPU, on the paper's sequence network: time, memory, and what learns.

python benchmarks/adapters.py [--repetitions N]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from statistics import median

import torch
from _sequence_network import DIMENSIONS, TOKENS, Bench, StepOnce
from cggm_step import interleaved, ratio, saved_bytes

from cggm_pipeline.adapters import Adapter
from cggm_pipeline.adapters.bitfit import BitFit
from cggm_pipeline.adapters.bottleneck import Bottleneck
from cggm_pipeline.adapters.frozen import Frozen
from cggm_pipeline.adapters.lora import LoRA
from cggm_pipeline.adapters.none import NoAdapter
from cggm_pipeline.adapters.wander import Wander
from cggm_pipeline.modulations import NoModulation

FULL = "none"
ADAPTERS: dict[str, Adapter] = {
    FULL: NoAdapter(),
    "frozen: the head": Frozen(),
    "frozen: norms": Frozen(train=["norms"]),
    "bitfit": BitFit(),
    "lora, rank 8": LoRA(),
    "bottleneck 16, every": Bottleneck(),
    "bottleneck 16, last": Bottleneck(where="last"),
    "wander 16/8/12, last": Wander(),
    "wander 16/8/12, every": Wander(where="every"),
    "wander, released, last": Wander(form="released"),
}


@dataclass
class Adapted:
    """The network with one adapter, and a step of it: forward, backward, Adam on what learns."""

    bench: Bench
    step: StepOnce
    adam: torch.optim.Adam

    @classmethod
    def of(cls, adapter: Adapter) -> Adapted:
        bench = Bench()
        adapter(bench.network, dict.fromkeys(DIMENSIONS, TOKENS))
        bench.network.train()
        adam = torch.optim.Adam([p for p in bench.network.parameters() if p.requires_grad], fused=True)

        def step() -> None:
            adam.zero_grad()
            _, loss = bench.forward()
            loss.backward()
            adam.step()

        return cls(bench, step, adam)

    def row(self, name: str, seconds: list[float], against: float) -> str:
        """Time of a step, its ratio to that of full fine-tuning, what learns, bytes kept, bytes of the optimiser."""
        counts = [(p.numel(), p.requires_grad) for p in self.bench.network.parameters()]
        learning, everything = sum(n for n, learns in counts if learns), sum(n for n, _ in counts)
        kept = saved_bytes(self.bench, NoModulation()) / 2**20
        moments = sum(t.nbytes for state in self.adam.state.values() for t in state.values() if t.dim()) / 2**10
        share = f"{100 * learning / everything:6.2f} %"
        time = f"{1e3 * median(seconds):7.1f} ms {against:6.2f} x"
        return f"  {name:24s}{time}{learning:10,}{share:>10s}{kept:10.2f} MiB{moments:10.1f} KiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=5)
    repetitions = parser.parse_args().repetitions
    torch.set_num_threads(1)
    adapted = {name: Adapted.of(adapter) for name, adapter in ADAPTERS.items()}
    times = interleaved({name: made.step for name, made in adapted.items()}, repetitions)
    print(f"one step, batch 64, one thread, CPU time, medians of {repetitions} interleaved repetitions")
    print(f"  {'':24s}{'time of a step':>19s}{'learn':>10s}{'share':>10s}{'kept for backward':>18s}{'Adam':>10s}")
    for name, made in adapted.items():
        print(made.row(name, times[name], ratio(times, [name], [FULL])))


if __name__ == "__main__":
    main()
