"""Many raw files: a manifest stays small, and which file changed is known all the same."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import tracemalloc
from pathlib import Path

import pytest
import yaml
from PIL import Image

from cggm_pipeline.build.data import check_raw, prepare, read_raw
from cggm_pipeline.data import manifest as manifest_of
from cggm_pipeline.data.manifest import File, Folder, Manifest, by_folder
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources._files import FilesBelow
from cggm_pipeline.spec.dataset import Dataset

RAW = "data/raw/food101"
SPEC = Path(__file__).parents[3] / "specs" / "datasets" / "food101.yaml"
CLASSES = 11


def files(*names: str) -> dict[str, File]:
    return {name: File(len(name), hashlib.sha256(name.encode()).hexdigest()) for name in names}


def test_few_files_are_named() -> None:
    few = files("a/b/c", "a/d")
    assert by_folder(few) == few


def test_many_files_become_the_deepest_folders_that_are_few_enough() -> None:
    many = files("r/list.csv", *(f"r/images/{label}/{number}" for label in "xyz" for number in range(4)))
    by_class = by_folder(many, 5)
    assert list(by_class) == ["r/", "r/images/x/", "r/images/y/", "r/images/z/"]
    assert {folder.files for folder in by_class.values()} == {1, 4}
    lines = "".join(f"{name} {many[name].size} {many[name].sha256}\n" for name in sorted(many) if "/y/" in name)
    assert by_class["r/images/y/"] == Folder(4, 4 * len("r/images/y/0"), hashlib.sha256(lines.encode()).hexdigest())
    assert list(by_folder(many, 3)) == ["r/", "r/images/"]
    assert list(by_folder(many, 1)) == ["r/"]
    assert by_folder(dict(reversed(many.items())), 5) == by_class


def test_files_below_a_folder_are_named_once(tmp_path: Path) -> None:
    found = FilesBelow({"r/list": tmp_path / "list"}, tmp_path, "r", ["a", "b", "a", "list"])
    assert dict(found) == {"r/list": tmp_path / "list", "r/a": tmp_path / "a", "r/b": tmp_path / "b"}
    assert len(found) == 3
    for absent in ("a", "r/c", "x/a"):
        with pytest.raises(KeyError):
            found[absent]


def document() -> Dataset:
    data = yaml.safe_load(SPEC.read_text())
    data["source"] = {"kind": "food101", "path": RAW}
    data["target"] = {"kind": "classes", "number": CLASSES}
    return Dataset.model_validate(data)


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 recipes in the csv layout."""
    root = tmp_path_factory.mktemp("many")
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (9, 99, 200)).save(stream, "JPEG")
    for split, number in (("train", 80), ("test", 40)):
        rows = []
        for index in range(number):
            label, name = f"class_{index % CLASSES}", f"{split}_{index}.jpg"
            image = root / RAW / "images" / split / label / name
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(stream.getvalue())
            rows.append((name, f"how to cook number {index}", label))
        with (root / RAW / f"{split}_titles.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    return root


def test_a_small_manifest_and_still_the_name_of_what_changed(
    recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_of, "MOST_RAW", 100)
    root = shutil.copytree(recipes, tmp_path / "project")
    spec = document()
    manifest = Prepared.open(prepare(spec, "food", root), verify=True).manifest
    assert len(manifest.raw) == 1 + 2 * CLASSES
    assert manifest.raw[f"{RAW}/"].files == 2  # who is in which split
    assert sum(entry.files for entry in manifest.raw.values() if isinstance(entry, Folder)) == 120 + 2
    assert Manifest.parse(manifest.dump()) == manifest
    assert len(manifest.dump()) < 10_000
    assert check_raw(spec, "food", root) == []
    changed = root / RAW / "images" / "train" / "class_3" / "train_3.jpg"
    changed.write_bytes(changed.read_bytes() + b"more")
    assert [line.split(" (")[0] for line in check_raw(spec, "food", root)] == [
        f"{RAW}/images/train/class_3/train_3.jpg: changed"
    ]
    shutil.rmtree(root / ".cggm")  # another clone, which knows the manifest alone
    assert [line.split(" (")[0] for line in check_raw(spec, "food", root)] == [f"{RAW}/images/train/class_3/: changed"]
    prepare(spec, "food", root)
    changed.write_bytes(changed.read_bytes() + b"more")
    capsys.readouterr()
    prepare(spec, "food", root)
    assert f"raw file {RAW}/images/train/class_3/train_3.jpg: changed (" in capsys.readouterr().err


def test_a_recipe_takes_little_memory(recipes: Path) -> None:
    read_raw(document(), "food", recipes, Problems())  # what is imported counts for nothing
    tracemalloc.start()
    raw, _ = read_raw(document(), "food", recipes, Problems())
    own = [tracemalloc.Filter(True, f"*/{place}") for place in ("cggm_pipeline/data/*", "pathlib.py", "posixpath.py")]
    kept = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(own).traces)
    tracemalloc.stop()
    assert kept / len(raw.ids) < 1000  # bytes; with Path objects 1,450
