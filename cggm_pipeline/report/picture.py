"""A picture of a report, for a README: `python -m cggm_pipeline.report.picture REPORT.html PICTURE.png`.

Taken with Chromium without a window (Debian: the package chromium).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cggm_pipeline.errors import CggmError

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """The browser's path; None where it is not installed."""
    return next((path for name in NAMES if (path := shutil.which(name)) is not None), None)


def picture(page: Path, target: Path, *, width: int = 1280, height: int = 1500) -> Path:
    """The top `height` pixels of a page, `width` wide, as a PNG. CggmError without a browser or a page."""
    browser = chromium()
    if browser is None:
        raise CggmError("a picture needs Chromium, which is not installed (Debian: apt-get install chromium)")
    if not page.is_file():
        raise CggmError(f"{page} does not exist; write it first: dvc repro")
    with tempfile.TemporaryDirectory() as profile:
        taken = Path(profile) / "picture.png"
        options = [*FLAGS, f"--user-data-dir={profile}/profile", f"--window-size={width},{height}"]
        command = [browser, *options, f"--screenshot={taken}", page.resolve().as_uri()]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if not taken.is_file():
            raise CggmError(f"{browser} took no picture of {page}: {result.stderr[-500:]}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(taken, target)
    return target


if __name__ == "__main__":
    try:
        picture(Path(sys.argv[1]), Path(sys.argv[2]))
    except CggmError as error:
        sys.exit(str(error))
