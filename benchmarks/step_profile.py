"""Where a training step of the paper's sequence network goes on a CPU, and what drawing dropout by gaps gains.

    python benchmarks/step_profile.py [threads] [repetitions]

CGGM's CMU-MOSI network: 3 modalities of 50 tokens, width 40, 5 heads, 5 encoder and 3 fusion layers, batch 64; every
dropout rate 0.15. "before" is the same network on torch.nn.TransformerEncoderLayer(norm_first=True), which draws one
Bernoulli number per element. Steps of both alternate; the medians of their wall times are compared.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function

from cggm_pipeline.encoders.transformer import Transformer as Encoder
from cggm_pipeline.fills.zeros import Zeros
from cggm_pipeline.fusions.transformer import Transformer as Fusion
from cggm_pipeline.layers import dropout
from cggm_pipeline.layers.features import Input
from cggm_pipeline.layers.transformer import positions
from cggm_pipeline.network import Network

DIMENSIONS = {"audio": 5, "text": 300, "vision": 20}
BATCH, TIME, WIDTH, HEADS, RATE = 64, 50, 40, 5, 0.15
RATES = dict.fromkeys(("attention_dropout", "relu_dropout", "residual_dropout", "embedding_dropout"), RATE)

SHARES = {
    "drawing masks": ("aten::bernoulli_", "draw"),
    "matrix products": ("aten::bmm", "aten::mm", "aten::addmm", "aten::baddbmm"),
    "softmax": ("aten::_softmax", "aten::_softmax_backward_data"),
    "applying masks": ("aten::mul", "aten::mul_", "aten::div_", "aten::index_fill_"),
    "copies": ("aten::copy_", "aten::cat"),
}


class Plain(nn.Module):
    """The network restated with torch's own Transformer layers."""

    def __init__(self) -> None:
        super().__init__()
        self.projections = nn.ModuleDict({name: nn.Linear(size, WIDTH) for name, size in DIMENSIONS.items()})
        self.encoders = nn.ModuleDict({name: _stack(5) for name in DIMENSIONS})
        self.fusion = _stack(3)
        self.first, self.second, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        parts = [self.encoders[name](_embed(self.projections[name](inputs[name]))) for name in sorted(inputs)]
        h = self.fusion(_embed(torch.cat(parts, dim=1)))[:, 0]
        logits: Tensor = self.head(h + self.second(nn.functional.dropout(self.first(h).relu(), RATE)))
        return logits


def _stack(layers: int) -> nn.Module:
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, RATE, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, layers, nn.LayerNorm(WIDTH), enable_nested_tensor=False)


def _embed(x: Tensor) -> Tensor:
    return nn.functional.dropout(WIDTH**0.5 * x + positions(x), RATE)


def ours() -> Network:
    """The network of the package."""
    encoders = {
        name: Encoder((TIME, size), width=WIDTH, heads=HEADS, layers=5, **RATES) for name, size in DIMENSIONS.items()
    }
    fusion = Fusion(dict.fromkeys(DIMENSIONS, WIDTH), heads=HEADS, layers=3, output_dropout=RATE, **RATES)
    return Network(encoders, Zeros({}), fusion, nn.Linear(WIDTH, 1))


def steps() -> dict[str, Callable[[], None]]:
    """One forward and backward pass of each network on the same random batch."""
    values = {name: torch.randn(BATCH, TIME, size) for name, size in DIMENSIONS.items()}
    inputs = {name: Input(value) for name, value in values.items()}
    target = torch.randn(BATCH, 1)
    plain, network = Plain(), ours()
    sizes = [sum(parameter.numel() for parameter in module.parameters()) for module in (plain, network)]
    assert sizes[0] == sizes[1], f"not the same network: {sizes}"

    def before() -> None:
        plain.zero_grad()
        (plain(values) - target).abs().mean().backward()

    def after() -> None:
        network.zero_grad()
        (network(inputs).logits - target).abs().mean().backward()

    return {"before": before, "after": after}


def shares(step: Callable[[], None]) -> dict[str, float]:
    """The share of each group of operators in a step's CPU time."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        step()
    rows = {row.key: row for row in profiler.key_averages()}
    total = sum(row.self_cpu_time_total for row in rows.values())

    def spent(name: str) -> float:
        if name not in rows:
            return 0.0
        return rows[name].cpu_time_total if name == "draw" else rows[name].self_cpu_time_total

    found = {group: sum(spent(name) for name in names) / total for group, names in SHARES.items()}
    return {**found, "all else": 1 - sum(found.values())}


def named_draw(n: int, p: float, draw: Callable[[int, float], Tensor] = dropout.dropped_places) -> Tensor:
    """`dropped_places` under a name that the profile shows."""
    with record_function("draw"):
        return draw(n, p)


def main() -> None:
    """Print medians, ratio and shares."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 11
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    dropout.dropped_places = named_draw  # type: ignore[assignment]
    run = steps()
    times: dict[str, list[float]] = {name: [] for name in run}
    for repetition in range(repetitions + 1):
        for name, step in run.items():
            start = time.perf_counter()
            step()
            if repetition:  # the first is for warming up
                times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(found) for name, found in times.items()}
    ratios = [b / a for b, a in zip(times["before"], times["after"], strict=True)]
    print(f"step of the paper's sequence network, {threads} threads, median of {repetitions} interleaved repetitions")
    for name, median in medians.items():
        print(
            f"  {name:<8}{1000 * median:8.0f} ms   " + "  ".join(f"{k} {v:.0%}" for k, v in shares(run[name]).items())
        )
    ratio, paired = medians["before"] / medians["after"], statistics.median(ratios)
    print(f"  before / after: {ratio:.2f} (median of paired ratios {paired:.2f})")


if __name__ == "__main__":
    main()
