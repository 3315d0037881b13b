"""rank: methods over several tables, to runs/rankings/NAME/. Run as `python stages/rank.py NAME`."""

import sys
from pathlib import Path

from cggm_pipeline.errors import CggmError
from cggm_pipeline.report.rank import rank

ROOT = Path(__file__).resolve().parents[1]


def main(name: str) -> None:
    rank(name, ROOT)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CggmError as error:
        sys.exit(str(error))
