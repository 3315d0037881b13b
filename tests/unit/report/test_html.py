"""report.html: one page, nothing from outside, nothing that a spec's author can put into it as code."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from cggm_pipeline.errors import OutputError
from cggm_pipeline.report import write

HOSTILE = '</title><script>alert(1)</script><img src=x onerror="alert(2)">'
VOID = {"meta", "link", "br", "img", "path", "use", "rect", "line"}


class Page(HTMLParser):
    """Collects ids, addresses, tags and text, and checks that elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.addresses += [value for name, value in attrs if name in ("href", "src", "srcset", "action", "data")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.addresses += [value for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def quiet():
    with open("/dev/null", "w") as file:
        yield Console(file=file)


@pytest.fixture
def undrawn(monkeypatch):
    """No figures, where a test is not about them: they take most of a report's time."""
    monkeypatch.setattr("cggm_pipeline.report.figures.draw", lambda table, material: [])


def test_the_page_is_whole_and_takes_nothing_from_outside(written, quiet):
    text = write("digits", written.root, quiet).read_text(encoding="utf-8")
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert all(address.startswith("#") or address == "data:," for address in page.addresses)
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(page.ids)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", text)
    assert not {"script", "img", "iframe", "object", "embed", "form"} & set(page.tags)
    assert "default-src 'none'" in text
    assert len(text) < 1_000_000


def test_what_people_write_is_text_and_never_markup(written, quiet):
    written.title = HOSTILE
    written.rows["joint"] = (HOSTILE, {}, 1.0)
    written.scores.clear()
    text = write("digits", written.write().root, quiet).read_text(encoding="utf-8")
    page = Page(text)
    assert not {"script", "img"} & set(page.tags)
    assert text.count("<title>") == 1
    assert any("alert(1)" in words for words in page.words)


def test_the_reading_says_what_the_intervals_say(written, quiet, undrawn):
    text = " ".join(" ".join(Page(write("digits", written.root, quiet).read_text("utf-8")).words).split())
    assert "Better than Joint training: Joint + unimodal losses" in text
    assert "Not told apart from Joint + unimodal losses: CGGM (stable)" in text
    assert "Worse than Joint training: CGGM (paper)" in text
    assert "Joint training is better than the best modality alone, Unimodal: rotated" in text
    assert "CGGM (paper): B < 0 in 48 % of steps" in text
    assert "14 intervals at 95 %: even if no method differed, about 0.7 would exclude 0 by chance." in text


def test_failures_are_in_the_page(written, quiet, undrawn):
    for seed in written.seeds:
        written.fail("ogm-ge", seed)
    text = write("digits", written.root, quiet).read_text("utf-8")
    assert "5 of 5 seeds failed; seed 0: loss is not finite (step 211, tensor loss, modality noisy)" in text
    assert "<strong>Failed:</strong> OGM-GE." in text


def test_few_seeds_are_called_few(written, quiet, undrawn):
    few = type(written)(written.root / "few", seeds=(0, 1)).write()
    assert "2 seeds are few" in write("digits", few.root, quiet).read_text("utf-8")


def test_nothing_was_run_yet(written, quiet, tmp_path):
    import shutil

    shutil.rmtree(written.runs)
    text = write("digits", written.root, quiet).read_text("utf-8")
    assert text.count("not run") >= 8


def test_a_banner_of_the_data_stands_above_everything(written, quiet, undrawn):
    path = written.runs / "joint" / "train" / "manifest.json"
    path.write_text(path.read_text().replace("{", '{"banner": "Synthetic twin: these numbers mean nothing.", ', 1))
    text = write("digits", written.root, quiet).read_text("utf-8")
    assert '<p class="banner" role="note">Synthetic twin: these numbers mean nothing.</p>' in text


def test_four_files_are_written_and_the_same_bytes_again(written, quiet):
    names = ("report.html", "table.md", "table.csv", "table.tex")
    write("digits", written.root, quiet)
    first = [(written.runs / name).read_bytes() for name in names]
    assert write("digits", written.root, quiet) == written.runs / "report.html"
    assert [(written.runs / name).read_bytes() for name in names] == first
    assert not list(written.runs.glob(".*"))


def test_a_failed_write_leaves_what_stood_there(written, quiet, undrawn, monkeypatch):
    write("digits", written.root, quiet)
    before = (written.runs / "table.md").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match=r"table\.md: could not be written \(No space left"):
        write("digits", written.root, quiet)
    assert (written.runs / "table.md").read_bytes() == before
    assert not list(written.runs.glob(".*"))


def test_torch_is_not_imported():
    import subprocess
    import sys

    program = "import sys, cggm_pipeline.report, cggm_pipeline.report.compare; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
