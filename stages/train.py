"""train: one row of a table, all its seeds, to runs/TABLE/ROW/. Run as `python stages/train.py TABLE ROW`."""

import sys
from pathlib import Path

from cggm_pipeline.build.train import train
from cggm_pipeline.errors import CggmError
from cggm_pipeline.pipeline.key import run_key
from cggm_pipeline.spec import Experiment, load_resolved

ROOT = Path(__file__).resolve().parents[1]


def main(table: str, row: str) -> None:
    experiment = load_resolved(ROOT / f"specs/resolved/{table}/{row}.yaml", Experiment)
    train(experiment, ROOT / f"runs/{table}/{row}", key=run_key(experiment, ROOT), project=ROOT)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CggmError as error:
        sys.exit(str(error))
