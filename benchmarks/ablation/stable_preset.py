"""The ablation behind CGGM's preset `stable`: every method on real data, paired by seed, selected on validation.

    python benchmarks/ablation/stable_preset.py                           all datasets, methods and seeds
    python benchmarks/ablation/stable_preset.py --dataset mfeat           one of them
    python benchmarks/ablation/stable_preset.py --table                   the table of the runs that there are

Finished runs are kept in benchmarks/results/stable-ablation-DATASET.csv and never repeated: delete the file to start
anew. The table is benchmarks/results/stable-ablation.md. One thread; processes for different datasets may run at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from finished import Run, read, write
from methods import ABLATIONS, METHODS
from real_data import DATA, NEEDS
from summary import markdown
from trial import PROTOCOLS, run

from cggm_pipeline.whole import write_whole

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
ALL = {**METHODS, **ABLATIONS}


def main() -> int:
    options = _options()
    torch.set_num_threads(1)
    for dataset in options.dataset if not options.table else []:
        needs = NEEDS[dataset]
        if needs is not None and not (options.data / needs).is_dir():
            print(f"{dataset}: left out, {options.data / needs} does not exist (give its parent with --data)")
            continue
        _train(dataset, options.data, options.seeds, options.variant_seeds)
    write_whole(RESULTS / "stable-ablation.md", markdown({name: _runs(name) for name in NEEDS}))
    print(f"table: {(RESULTS / 'stable-ablation.md').relative_to(ROOT)}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", action="append", choices=list(NEEDS), help="default: all")
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of avdigits and mfeat"
    )
    parser.add_argument("--seeds", type=int, default=20, help="of the methods: 0 .. SEEDS - 1; default 20")
    parser.add_argument("--variant-seeds", type=int, default=10, help="of the variants of stable; default 10")
    parser.add_argument("--table", action="store_true", help="train nothing")
    options = parser.parse_args()
    options.dataset = options.dataset or list(NEEDS)
    return options


def _file(dataset: str) -> Path:
    return RESULTS / f"stable-ablation-{dataset}.csv"


def _runs(dataset: str) -> list[Run]:
    """The finished runs, in the order of the methods."""
    order = list(ALL)
    return sorted(read(_file(dataset)), key=lambda run: (order.index(run.method), run.seed))


def _train(dataset: str, folder: Path, seeds: int, variant_seeds: int) -> None:
    for method, seed in _missing(dataset, seeds, variant_seeds):
        found = run(DATA[dataset](folder, seed), PROTOCOLS[dataset], ALL[method], seed)
        finished = Run(dataset, method, seed, found.valid, found.test, found.probes, found.negative)
        write(_file(dataset), [*_runs(dataset), finished])
        print(f"{dataset}  {method}  seed {seed}: valid {found.valid:.4f}  test {found.test:.4f}", flush=True)


def _missing(dataset: str, seeds: int, variant_seeds: int) -> Iterator[tuple[str, int]]:
    """Seed by seed, so that the methods that there are can be compared at any moment."""
    done = {(run.method, run.seed) for run in _runs(dataset)}
    wanted = [(method, seed) for seed in range(seeds) for method in METHODS]
    wanted += [(method, seed) for seed in range(variant_seeds) for method in ABLATIONS]
    return (each for each in wanted if each not in done)


if __name__ == "__main__":
    sys.exit(main())
