"""contrast: a trained row, adapted to unlabelled data. Run as `python stages/contrast.py TABLE ROW`."""

import sys
from pathlib import Path

from cggm_pipeline.build.adapt import contrast
from cggm_pipeline.errors import CggmError

ROOT = Path(__file__).resolve().parents[1]


def main(table: str, row: str) -> None:
    contrast(table, row, ROOT)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CggmError as error:
        sys.exit(str(error))
