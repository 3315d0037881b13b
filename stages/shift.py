"""shift: another dataset with noise to data/prepared/NAME. Run as `python stages/shift.py NAME`."""

import sys
from pathlib import Path

from cggm_pipeline.build.shift import prepare
from cggm_pipeline.errors import CggmError
from cggm_pipeline.spec import Dataset, load_resolved

ROOT = Path(__file__).resolve().parents[1]


def main(name: str) -> None:
    prepare(load_resolved(ROOT / f"specs/resolved/datasets/{name}.yaml", Dataset), name, ROOT)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CggmError as error:
        sys.exit(str(error))
