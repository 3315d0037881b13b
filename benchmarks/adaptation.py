"""What predicting a batch costs with each predictor, as a ratio to one forward pass: CPU time, one thread.

python benchmarks/adaptation.py [--repetitions N]

Every predictor is in the middle of a pass, so that what a pass costs once is not in it; episodic ones make their copy
anew for each batch, and that is.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping
from statistics import median
from time import process_time

import torch
from _sequence_network import DIMENSIONS, HEADS, TOKENS, WIDTH

from cggm_pipeline.encoders.conv import Conv
from cggm_pipeline.encoders.transformer import Transformer as Encoder
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.predictors.base import Predictor
from cggm_pipeline.evaluation.predictors.casp import CASP
from cggm_pipeline.evaluation.predictors.entropy_weighted import EntropyWeighted
from cggm_pipeline.evaluation.predictors.norm_statistics import NormStatistics
from cggm_pipeline.evaluation.predictors.plain import PLAIN, evaluating
from cggm_pipeline.evaluation.predictors.tent import Tent
from cggm_pipeline.fills.zeros import Zeros
from cggm_pipeline.fusions.concat import Concat
from cggm_pipeline.fusions.transformer import Transformer as Fusion
from cggm_pipeline.layers.features import Input
from cggm_pipeline.network import Network
from cggm_pipeline.tasks.classification import Classification

BATCH, CLASSES, IMAGE = 24, 4, 32

Inputs = Mapping[str, Input]
TASK = Classification(CLASSES)
PREDICTORS: Mapping[str, Predictor] = {
    "plain": PLAIN,
    "entropy_weighted": EntropyWeighted(),
    "norm_statistics": NormStatistics(),
    "tent, online": Tent(),
    "tent, episodic": Tent(mode="episodic"),
    "casp, online": CASP(TASK),
    "casp, episodic": CASP(TASK, mode="episodic"),
    "casp, online, 1 + 0 steps": CASP(TASK, steps=1, pseudo_steps=0),
}


def sequences() -> tuple[Network, Inputs]:
    """CGGM's sequence network: layer normalisation, and no batch normalisation."""
    widths = dict.fromkeys(DIMENSIONS, WIDTH)
    encoders = {name: Encoder((TOKENS, size), width=WIDTH, heads=HEADS, layers=5) for name, size in DIMENSIONS.items()}
    network = Network(encoders, Zeros(widths), Fusion(widths, heads=HEADS, layers=3), torch.nn.Linear(WIDTH, CLASSES))
    return network, {name: Input(torch.randn(BATCH, TOKENS, size)) for name, size in DIMENSIONS.items()}


def images() -> tuple[Network, Inputs]:
    """Two small convolutional encoders with batch normalisation."""
    names, channels = ("depth", "image"), (32, 64, 128)
    widths = dict.fromkeys(names, channels[-1])
    encoders = {name: Conv((3, IMAGE, IMAGE), channels=channels) for name in names}
    network = Network(encoders, Zeros(widths), Concat(widths, width=64), torch.nn.Linear(64, CLASSES))
    return network, {name: Input(torch.randn(BATCH, 3, IMAGE, IMAGE)) for name in names}


def measured(network: Network, inputs: Inputs, repetitions: int) -> dict[str, float]:
    """Median CPU seconds of a batch with each predictor that fits; every repetition asks all of them once."""
    times: dict[str, list[float]] = {}
    with evaluating(network):
        asks = {name: predictor.open(network) for name, predictor in PREDICTORS.items() if fits(predictor, network)}
        shuffle, order = random.Random(0).shuffle, list(asks)
        for repetition in range(-1, repetitions):  # one to warm up
            shuffle(order)
            for name in order:
                seconds = timed(lambda ask=asks[name]: ask(inputs))  # type: ignore[misc]
                if repetition >= 0:
                    times.setdefault(name, []).append(seconds)
    return {name: median(found) for name, found in times.items()}


def fits(predictor: Predictor, network: Network) -> bool:
    try:
        predictor.check(network)
    except BuildError:
        return False
    return True


def timed(call: Callable[[], object]) -> float:
    start = process_time()
    call()
    return process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=6)
    repetitions = parser.parse_args().repetitions
    torch.set_num_threads(1)
    torch.manual_seed(0)
    columns = {"sequences": measured(*sequences(), repetitions), "images": measured(*images(), repetitions)}
    print(f"a batch of {BATCH}, one thread, CPU time, medians of {repetitions} interleaved repetitions")
    print("  " + " " * 26 + "".join(f"{name:>22s}" for name in columns))
    for name in PREDICTORS:
        cells = (cell(found.get(name), found["plain"]) for found in columns.values())
        print(f"  {name:26s}" + "".join(f"{text:>22s}" for text in cells))


def cell(seconds: float | None, plain: float) -> str:
    return "-" if seconds is None else f"{1e3 * seconds:.1f} ms {seconds / plain:7.2f} x"


if __name__ == "__main__":
    main()
