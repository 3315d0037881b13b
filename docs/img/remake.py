"""Take the README's picture anew from the digits report: `make picture`, after `make repro`. Needs Chromium."""

import sys
from pathlib import Path

from cggm_pipeline.errors import CggmError
from cggm_pipeline.report.picture import picture

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    try:
        print(picture(ROOT / "runs/digits/report.html", ROOT / "docs/img/report.png", width=1280, height=1560))
    except CggmError as error:
        sys.exit(str(error))
