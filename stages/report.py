"""report: a table and its report.html in runs/TABLE/. Run as `python stages/report.py TABLE`."""

import sys
from pathlib import Path

from cggm_pipeline.errors import CggmError
from cggm_pipeline.report import write

ROOT = Path(__file__).resolve().parents[1]


def main(table: str) -> None:
    write(table, ROOT)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CggmError as error:
        sys.exit(str(error))
