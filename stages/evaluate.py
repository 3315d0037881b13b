"""evaluate: all trained rows of a table to runs/TABLE/evaluation. Run as `python stages/evaluate.py TABLE`."""

import sys
from pathlib import Path

from cggm_pipeline.build.evaluate import evaluate
from cggm_pipeline.errors import CggmError

ROOT = Path(__file__).resolve().parents[1]


def main(table: str) -> None:
    evaluate(table, ROOT)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CggmError as error:
        sys.exit(str(error))
