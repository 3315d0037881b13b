"""pseudo: an adapted row, trained on its own labels. Run as `python stages/pseudo.py TABLE ROW`."""

import sys
from pathlib import Path

from cggm_pipeline.build.adapt import pseudo
from cggm_pipeline.errors import CggmError

ROOT = Path(__file__).resolve().parents[1]


def main(table: str, row: str) -> None:
    pseudo(table, row, ROOT)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CggmError as error:
        sys.exit(str(error))
