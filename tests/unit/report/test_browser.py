"""The report in headless Chromium: no console error, no request, nothing wider than the window."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from cggm_pipeline.report import write
from cggm_pipeline.report.picture import FLAGS, chromium, picture

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="needs Chromium (Debian's package chromium), which is not there"
)

MEASURE = """
addEventListener('load', () => {
  const all = [...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, nav, svg'));
  const wide = all.filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80));
  const scroll = document.documentElement.scrollWidth;
  document.body.dataset.measured = JSON.stringify({inner: innerWidth, scroll, wide});
})
"""
HAND_UP = """
addEventListener('load', () => {
  const inner = document.querySelector('iframe').contentDocument.body;
  document.body.dataset.measured = inner.dataset.measured;
})
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    from .conftest import Written

    written = Written(tmp_path_factory.mktemp("browser")).write()
    with open("/dev/null", "w") as file:
        return write("digits", written.root, Console(file=file))


def dump(page: Path, folder: Path, width: int = 1280) -> tuple[str, str, set[str]]:
    """The document after loading, what the browser logged, and the addresses that the page asked the network for."""
    log = folder / "net.json"
    options = [*FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900", "--enable-logging=stderr"]
    options += ["--v=0", f"--log-net-log={log}", "--dump-dom", page.as_uri()]
    result = subprocess.run([chromium(), *options], capture_output=True, text=True, timeout=120, check=False)
    events = json.loads(log.read_text(encoding="utf-8", errors="replace"))["events"]
    asked = [event.get("params", {}) for event in events]
    own = {one["url"] for one in asked if "url" in one and one.get("initiator", "not an origin") != "not an origin"}
    return result.stdout, result.stderr, {url for url in own if not url.startswith(("data:", "file:"))}


def test_it_loads_without_a_console_error_or_a_request(report, tmp_path):
    document, log, asked = dump(report, tmp_path)
    assert "Two-view digits" in document
    assert "CONSOLE" not in log
    assert asked == set()


def test_a_page_that_asks_and_complains_would_be_noticed(tmp_path):
    page = tmp_path / "bad.html"
    page.write_text('<img src="http://127.0.0.1:9/x.png"><script>console.error("oh")</script>')
    _, log, asked = dump(page, tmp_path)
    assert "CONSOLE" in log
    assert asked == {"http://127.0.0.1:9/x.png"}


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(report, tmp_path, width):
    """A copy of the page with a script that measures it (the report itself has none and allows none)."""
    text = report.read_text(encoding="utf-8")
    text = re.sub(r"<meta http-equiv=[^>]*>", "", text)
    page = tmp_path / "measured.html"
    framed = _quoted(text.replace("</body>", f"<script>{MEASURE}</script></body>"))
    style = f"width:{width}px;height:900px;border:0"
    page.write_text(f'<iframe style="{style}" srcdoc="{framed}"></iframe><script>{HAND_UP}</script>', encoding="utf-8")
    document, _, _ = dump(page, tmp_path, max(width, 600))
    found = re.search(r'data-measured="([^"]*)"', document)
    assert found, document[:300]
    measured = json.loads(
        found[1].replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    )
    assert measured["inner"] == width
    assert measured["wide"] == []
    assert measured["scroll"] <= width


def test_the_picture_is_a_png_of_the_wanted_width(report, tmp_path):
    path = picture(report, tmp_path / "report.png", width=1280, height=800)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20]) == 1280
    assert len(content) < 300_000


def test_no_browser_is_said(monkeypatch, report, tmp_path):
    from cggm_pipeline.errors import CggmError

    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CggmError, match="Chromium"):
        picture(report, tmp_path / "report.png")


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;")
