"""UPMC Food-101: both layouts to the prepared form, and every fault with its FILE:LINE."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from cggm_pipeline.build.data import check_raw, prepare
from cggm_pipeline.data import images, pictures
from cggm_pipeline.data.images import decode
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.twins import food101 as twin
from cggm_pipeline.data.twins.marker import mark
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec.dataset import Dataset, Shape

PATH = "data/raw/food101"
SPECS = Path(__file__).parents[4] / "specs" / "datasets"


def document(split: dict[str, Any] | None = None, **source: Any) -> Dataset:
    data = yaml.safe_load((SPECS / "food101.yaml").read_text())
    data["source"] = {"kind": "food101", "path": PATH, **source}
    data["split"] = split or data["split"]
    data["target"] = {"kind": "classes", "number": len(twin.COLOURS)}
    return Dataset.model_validate(data)


class Folder:
    """A project with the twin's files, which a test spoils."""

    def __init__(self, root: Path, layout: str) -> None:
        self.root = root
        self.raw = root / PATH
        twin.write(self.raw, layout=layout)

    def entries(self, split: str) -> list[dict[str, Any]]:
        return json.loads((self.raw / f"{split}.json").read_text())

    def rewrite(self, split: str, entries: list[Any], name: str | None = None) -> None:
        (self.raw / (name or f"{split}.json")).write_text(json.dumps(entries))

    def change(self, number: int, split: str = "train", **changes: Any) -> None:
        """Other values for the keys of one entry; None removes the key."""
        entries = self.entries(split)
        entry = {**entries[number], **changes}
        entries[number] = {key: value for key, value in entry.items() if value is not None}
        self.rewrite(split, entries)

    def image(self, number: int, split: str = "train") -> Path:
        return self.raw / self.entries(split)[number]["img_path"]

    def prepared(self, spec: Dataset | None = None) -> Prepared:
        return Prepared.open(prepare(spec or document(), "food", self.root), verify=True)

    def error(self, spec: Dataset | None = None) -> str:
        with pytest.raises(DataError) as caught:
            prepare(spec or document(), "food", self.root)
        assert not (self.root / "data" / "prepared" / "food").exists()
        return str(caught.value)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The twin in both layouts, once."""
    return {layout: Folder(tmp_path_factory.mktemp(layout), layout).root for layout in ("json", "csv")}


@pytest.fixture
def folder(made: dict[str, Path], tmp_path: Path) -> Folder:
    return copied(made, tmp_path, "json")


@pytest.fixture
def titles(made: dict[str, Path], tmp_path: Path) -> Folder:
    return copied(made, tmp_path, "csv")


def copied(made: dict[str, Path], tmp_path: Path, layout: str) -> Folder:
    shutil.copytree(made[layout], tmp_path / "project")
    found = Folder.__new__(Folder)
    found.root, found.raw = tmp_path / "project", tmp_path / "project" / PATH
    return found


def jpeg(size: tuple[int, int] = (40, 32)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (200, 100, 50)).save(stream, "JPEG")
    return stream.getvalue()


def huge_png(width: int) -> bytes:
    """A few bytes that promise width x width pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, width, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_the_json_layout_comes_back(folder: Folder) -> None:
    prepared = folder.prepared()
    manifest = prepared.manifest
    assert manifest.counts == {"train": 72, "valid": 8, "test": 40}
    assert manifest.classes == tuple(sorted(twin.COLOURS))
    entries = {entry["id"]: entry for split in ("train", "test") for entry in folder.entries(split)}
    published = {entry["id"]: split for split in ("train", "test") for entry in folder.entries(split)}
    for split in ("train", "valid", "test"):
        samples = prepared.split(split)
        assert {published[key] for key in samples.ids} == {"test" if split == "test" else "train"}
        for index in range(len(samples)):
            sample = samples[index]
            entry = entries[sample["id"]]
            assert sample["text"] == " ".join(entry["text_tokens"])
            assert manifest.classes[sample["target"]] == entry["label"]
            assert np.array_equal(sample["image"], decode((folder.raw / entry["img_path"]).read_bytes(), 3))
    assert set(manifest.raw) == {f"{PATH}/{split}.json" for split in ("train", "test")} | {
        f"{PATH}/{entry['img_path']}" for entry in entries.values()
    }


def test_statistics_are_those_of_the_training_pixels(folder: Folder) -> None:
    prepared = folder.prepared()
    train = prepared.split("train")
    pixels = np.concatenate([image.reshape(3, -1) for image in train.take("image", range(len(train)))], 1)
    statistics = prepared.manifest.statistics["image"]
    assert np.allclose(statistics.mean, pixels.mean(1), rtol=1e-11)
    assert np.allclose(statistics.std, pixels.std(1), rtol=1e-11)
    assert statistics.samples == 72


def test_the_csv_layout_comes_back(titles: Folder) -> None:
    prepared = titles.prepared()
    assert prepared.manifest.counts == {"train": 72, "valid": 8, "test": 40}
    rows = {}
    for split in ("train", "test"):
        with (titles.raw / "texts" / f"{split}_titles.csv").open(newline="") as stream:
            rows.update({name: (split, title, dish) for name, title, dish in csv.reader(stream)})
    for split in ("train", "valid", "test"):
        samples = prepared.split(split)
        for index in range(len(samples)):
            sample = samples[index]
            published, title, dish = rows[sample["id"]]
            assert sample["text"] == title
            assert prepared.manifest.classes[sample["target"]] == dish
            file = titles.raw / "images" / published / dish / sample["id"]
            assert np.array_equal(sample["image"], decode(file.read_bytes(), 3))


def test_titles_may_lie_beside_the_images(titles: Folder) -> None:
    for split in ("train", "test"):
        (titles.raw / "texts" / f"{split}_titles.csv").rename(titles.raw / f"{split}_titles.csv")
    assert titles.prepared().manifest.counts["test"] == 40


def test_json_lines_give_the_same_bytes_as_a_list(folder: Folder) -> None:
    before = folder.prepared().manifest
    for split in ("train", "test"):
        lines = [
            json.dumps({**e, "img": e["img_path"], "text": " ".join(e["text_tokens"])}) for e in folder.entries(split)
        ]
        short = [{k: v for k, v in json.loads(line).items() if k not in ("img_path", "text_tokens")} for line in lines]
        (folder.raw / f"{split}.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in short))
        (folder.raw / f"{split}.json").unlink()
    assert folder.prepared().manifest.files == before.files


def test_a_published_validation_split_is_taken(folder: Folder) -> None:
    entries = folder.entries("train")
    folder.rewrite("train", entries[20:])
    folder.rewrite("dev", entries[:20], "dev.json")
    prepared = folder.prepared(document({"kind": "published"}))
    assert prepared.manifest.counts == {"train": 60, "valid": 20, "test": 40}
    assert set(prepared.split("valid").ids) == {entry["id"] for entry in entries[:20]}


def test_a_published_validation_split_is_not_cut_again(folder: Folder) -> None:
    entries = folder.entries("train")
    folder.rewrite("train", entries[20:])
    folder.rewrite("dev", entries[:20], "dev.json")
    assert "the source publishes a validation split; remove split.valid to use it" in folder.error()


def test_without_a_validation_split_one_is_asked_for(folder: Folder) -> None:
    told = folder.error(document({"kind": "published"}))
    assert "no sample is in valid" in told
    assert "split.valid" in told


def test_the_cut_is_the_same_each_time_and_depends_on_the_seed(folder: Folder, tmp_path: Path) -> None:
    first = folder.prepared().manifest.files
    pin = folder.root / "specs" / "splits" / "food.csv"
    one = pin.read_text()
    folder.rewrite("train", folder.entries("train")[::-1])
    pin.unlink()
    assert folder.prepared().manifest.files != first  # the order of the samples is that of the files
    assert pin.read_text() == one
    pin.unlink()
    folder.prepared(document({"kind": "published", "valid": 0.1, "seed": 1}))
    assert pin.read_text().splitlines()[2:] != one.splitlines()[2:]


def test_the_cut_never_takes_from_the_test_split(folder: Folder) -> None:
    prepared = folder.prepared(document({"kind": "published", "valid": 0.5}))
    test = {entry["id"] for entry in folder.entries("test")}
    assert set(prepared.split("test").ids) == test
    assert Counter(prepared.split("valid").target.tolist()) == {0: 8, 1: 8, 2: 8, 3: 8, 4: 8}


def test_the_same_bytes_each_time_and_with_any_number_of_threads(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cggm_pipeline.data import threads

    first = folder.prepared().manifest.digest
    monkeypatch.setattr(threads, "number", lambda piece=0: 5)
    assert folder.prepared().manifest.digest == first


def test_an_image_is_decoded_once(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    from cggm_pipeline.data import columns

    count: list[int] = []

    def counted(data: bytes, channels: int) -> np.ndarray:
        count.append(1)
        return decode(data, channels)

    for module in (pictures, columns):
        monkeypatch.setattr(module, "decode", counted)
    prepare(document(), "food", folder.root)
    assert len(count) == 120


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no image", "it is not a readable image (no format that is known)"),
        (jpeg()[:200], "it is not a readable image ("),
        (b"", "it is not a readable image ("),
        (huge_png(30_000), "it is not a readable image ("),
        (huge_png(12_000), "it is not a readable image ("),
        (None, "does not exist"),
    ],
    ids=["text", "truncated", "empty", "bomb", "large", "missing"],
)
def test_a_broken_image_is_an_error_that_names_it(folder: Folder, content: bytes | None, why: str) -> None:
    image = folder.image(3)
    image.unlink() if content is None else image.write_bytes(content)
    told = folder.error()
    entry = folder.entries("train")[3]
    assert told.startswith(f"{PATH}: error: 1 of 120 recipes have no readable image or no text; source.broken allows 0")
    assert f"  {PATH}/train.json:1 ({entry['id']}): the image" in told
    assert why in told
    assert "set source.broken to at least 0.0083" in told
    assert " at 0x" not in told


def test_broken_images_below_the_limit_are_left_out_and_said(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.image(3).write_bytes(b"no image")
    folder.image(5, "test").unlink()
    folder.change(7, text_tokens=[])
    lost = {folder.entries("train")[3]["id"], folder.entries("test")[5]["id"], folder.entries("train")[7]["id"]}
    prepared = folder.prepared(document(broken=0.03))
    told = capsys.readouterr().err
    kept = {key for split in ("train", "valid", "test") for key in prepared.split(split).ids}
    assert len(kept) == 117
    assert not kept & lost
    assert sum(map(sum, prepared.manifest.class_counts.values())) == 117
    assert "3 damaged samples are left out; all of them: .cggm/raw/food-left-out.txt" in told
    assert "it has no text" in told
    assert "food: 117 samples" in told
    lines = (folder.root / ".cggm" / "raw" / "food-left-out.txt").read_text().splitlines()
    assert len(lines) == 3
    assert all(any(key in line for line in lines) for key in lost)
    pinned = (folder.root / "specs" / "splits" / "food.csv").read_text()
    assert all(key in pinned for key in lost)  # who is where does not depend on what could be decoded


def test_more_broken_images_than_allowed_are_listed(folder: Folder) -> None:
    for number in range(25):
        folder.image(number).write_bytes(b"")
    told = folder.error(document(broken=0.2))
    assert "25 of 120 recipes have no readable image or no text; source.broken allows 0.2 of them" in told
    assert told.count("it is not a readable image") == 20
    assert "and 5 more" in told
    assert "at least 0.21" in told
    assert folder.prepared(document(broken=0.21)).manifest.counts["test"] == 40


def test_a_class_whose_training_images_are_all_broken_is_an_error(folder: Folder) -> None:
    for number, entry in enumerate(folder.entries("train")):
        if entry["label"] == "pizza":
            folder.image(number).unlink()
    assert "class 'pizza' is not in train" in folder.error(document(broken=0.5))


def test_grey_and_transparent_images_become_rgb(folder: Folder) -> None:
    Image.new("L", (20, 10), 77).save(folder.image(0), "PNG")
    Image.new("RGBA", (20, 10), (1, 2, 3, 4)).save(folder.image(1), "PNG")
    prepared = folder.prepared()
    entries = folder.entries("train")
    where = {key: (split, i) for split in ("train", "valid") for i, key in enumerate(prepared.split(split).ids)}
    for number, colour in ((0, [77, 77, 77]), (1, [1, 2, 3])):
        split, index = where[entries[number]["id"]]
        assert prepared.split(split)[index]["image"][:, 0, 0].tolist() == colour


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../../../../etc/passwd", "is not a plain path below data/raw/food101"),
        ("/etc/passwd", "is not a plain path below data/raw/food101"),
        ("images/../../secret.jpg", "is not a plain path below data/raw/food101"),
        ("images/a\x00b.jpg", "not one line of printable text"),
        ("images/\u202egpj.exe", "not one line of printable text"),
        ("link/secret.jpg", "leads out of data/raw/food101 through a link"),
        ("secret.jpg", "leads out of data/raw/food101 through a link"),
    ],
)
def test_paths_stay_below_the_folder(folder: Folder, tmp_path: Path, path: str, why: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jpg").write_bytes(jpeg())
    (folder.raw / "link").symlink_to(tmp_path / "outside")
    (folder.raw / "secret.jpg").symlink_to(tmp_path / "outside" / "secret.jpg")
    folder.change(2, img_path=path)
    told = folder.error(document(broken=0.5))
    assert why in told
    assert told.startswith(f"{PATH}/train.json:1")


@pytest.mark.parametrize(
    "row", ["../../x.jpg,a title,pizza", "x.jpg,a title,../../..", ",a title,pizza", "a\x07.jpg,t,pizza"]
)
def test_names_in_the_csv_are_names(titles: Folder, row: str) -> None:
    with (titles.raw / "texts" / "train_titles.csv").open("a") as stream:
        stream.write(row + "\n")
    told = titles.error(document(broken=0.5))
    assert f"{PATH}/texts/train_titles.csv:81: error: " in told
    assert "are not the name of an image and of a class" in told


def test_the_folder_itself_may_be_a_link(folder: Folder, tmp_path: Path) -> None:
    folder.raw.rename(tmp_path / "elsewhere")
    folder.raw.symlink_to(tmp_path / "elsewhere")
    assert folder.prepared().manifest.counts["test"] == 40


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"id": None}, "it has no 'id' (its keys: label, text_tokens, img_path)"),
        ({"label": None}, "it has no 'label'"),
        ({"img_path": None}, "it has no 'img_path' or 'img'"),
        ({"text_tokens": None}, "it has neither 'text_tokens' (a list of strings) nor 'text' (a string)"),
        ({"text_tokens": ["a", 1]}, "it has neither 'text_tokens'"),
        ({"text_tokens": {"a": 1}}, "it has neither 'text_tokens'"),
        ({"id": ["x"]}, "'id' is \"['x']\", not one line of printable text"),
        ({"id": True}, "'id' is 'True'"),
        ({"id": "two\nlines"}, "not one line of printable text"),
        ({"id": "x" * 501}, "not one line of printable text"),
        ({"label": "  "}, "'label' is '  ', not one line"),
        ({"label": 3.5}, "'label' is '3.5'"),
    ],
)
def test_faults_of_an_entry(folder: Folder, changes: dict[str, Any], why: str) -> None:
    folder.change(4, **changes)
    text = (folder.raw / "train.json").read_text().replace("}, {", "},\n{")
    (folder.raw / "train.json").write_text(text)
    told = folder.error()
    assert f"{PATH}/train.json:5: error: " in told
    assert why in told


def test_a_lone_surrogate_is_no_text(folder: Folder) -> None:
    folder.change(4, text_tokens=["\ud800"])
    assert "text: 'utf-8' codec can't encode" in folder.error()


def test_an_id_twice_is_an_error(folder: Folder) -> None:
    folder.change(4, id=folder.entries("test")[0]["id"])
    told = folder.error()
    assert (
        f"{PATH}/test.json:1 ({folder.entries('test')[0]['id']}): error: this id stands in {PATH}/train.json:1" in told
    )


def test_an_image_in_two_splits_is_an_error(folder: Folder) -> None:
    folder.change(0, "test", img_path=folder.entries("train")[9]["img_path"])
    assert f"its image is that of {PATH}/train.json:1, in split train" in folder.error()


def test_all_faults_are_told_at_once(folder: Folder) -> None:
    folder.change(4, id=None)
    folder.change(5, img_path="/x")
    folder.change(6, "test", label=None)
    told = folder.error()
    assert len([line for line in told.splitlines() if ": error: " in line]) == 3


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", f"{PATH}/train.json: error: it names no recipe"),
        (b"[]", f"{PATH}/train.json: error: it names no recipe"),
        (b"[", "train.json:1: error: the list of objects ends early, or something follows it"),
        (b"[{}\n", "train.json:2: error: the list of objects ends early"),
        (b"{} ]", "train.json:1: error: the list of objects ends early"),
        (b"[]\n\nx", "train.json:3: error: the list of objects ends early, or something follows it"),
        (b"[\n1]", "train.json:2: error: a int where an object {..} is expected"),
        (b"\n{'id': 1}", "train.json:2: error: it is not a JSON object (Expecting property name"),
        (b'[{"id": "\xff"}]', "train.json:1: error: it is not UTF-8"),
        (b'{"a": ' + b"[" * 200_000, "train.json:1: error: it is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "train.json:1: error: it is not a JSON object"),
        (b"\x80\x04K\x01.", "train.json:1: error: it is not UTF-8"),
    ],
)
def test_json_that_is_none(folder: Folder, content: bytes, why: str) -> None:
    (folder.raw / "train.json").write_bytes(content)
    assert why in folder.error()


def test_an_emptied_file_is_told_before_the_pinned_split(folder: Folder) -> None:
    folder.prepared()
    shutil.rmtree(folder.root / "data/prepared")
    (folder.raw / "train.json").write_bytes(b"")
    assert f"{PATH}/train.json: error: it names no recipe" in folder.error()


def test_files_that_are_missing(folder: Folder) -> None:
    (folder.raw / "test.json").unlink()
    told = folder.error()
    assert told.startswith(
        f"specs/datasets/food.yaml: source.path: {PATH} has only train.json of the files that say who"
    )
    assert "train.json and test.json (layout of MMBT" in told
    assert "docs/data/food101.md" in told
    (folder.raw / "train.json").unlink()
    assert f"{PATH} has none of the files that say who" in folder.error()
    shutil.rmtree(folder.raw)
    assert f"{PATH} does not exist" in folder.error()


def test_two_files_for_one_split_are_refused(folder: Folder) -> None:
    shutil.copy(folder.raw / "train.json", folder.raw / "train.jsonl")
    assert f"{PATH} has train.json and train.jsonl; remove the one that is not meant" in folder.error()


def test_a_row_with_too_many_cells(titles: Folder) -> None:
    with (titles.raw / "texts" / "test_titles.csv").open("a") as stream:
        stream.write("x.jpg,one, two,pizza\n")
    assert (
        f"{PATH}/texts/test_titles.csv:41: error: the row has 4 cells, expected are image_name, title, class"
        in titles.error()
    )


def test_an_empty_title_is_counted(titles: Folder) -> None:
    name = next((titles.raw / "images" / "train" / "pizza").iterdir()).name
    path = titles.raw / "texts" / "train_titles.csv"
    with path.open(newline="") as stream:
        rows = [[image, "" if image == name else title, dish] for image, title, dish in csv.reader(stream)]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    assert f"({name}): it has no text" in titles.error()
    assert sum(titles.prepared(document(broken=0.01)).manifest.counts.values()) == 119


def test_an_image_that_changes_meanwhile_is_noticed(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    image = folder.image(0)
    examine = pictures.examine

    def slow(path: Path, *arguments: Any, **options: Any) -> Any:
        result = examine(path, *arguments, **options)
        if os.path.samefile(path, image):
            image.write_bytes(jpeg((9, 9)))
        return result

    monkeypatch.setattr("cggm_pipeline.data.sources.food101.examine", slow)
    assert "changed while it was read. Prepare again" in folder.error()


def test_images_of_one_declared_size_are_refused(folder: Folder) -> None:
    spec = document()
    sized = spec.model_copy(
        update={"modalities": {**spec.modalities, "image": Shape(shape=(3, 224, 224), dtype="uint8")}}
    )
    told = folder.error(sized)
    assert told.startswith("specs/datasets/food.yaml: modalities.image: images are kept as their files are: declare")
    assert "declare [3, null, null] uint8, not [3, 224, 224] uint8" in told


def test_check_names_the_image_that_changed_and_decodes_none(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.prepared()
    image = folder.image(0)
    image.write_bytes(jpeg())
    for module in (pictures, images):
        monkeypatch.setattr(module, "decode", lambda *_: pytest.fail("decoded"))
    changes = check_raw(document(), "food", folder.root)
    assert len(changes) == 1
    assert changes[0].startswith(f"{PATH}/{folder.entries('train')[0]['img_path']}: changed")


def test_the_banner_of_a_twin_goes_along(folder: Folder) -> None:
    assert folder.prepared().manifest.banner == ""
    mark(folder.raw, "food101", 0)
    assert "made by `cggm twin food101`" in folder.prepared().manifest.banner


def test_the_twin_is_small_and_the_same_each_time(made: dict[str, Path], tmp_path: Path) -> None:
    twin.write(tmp_path / "one")
    twin.write(tmp_path / "two", seed=1)
    before = made["json"] / PATH
    files = sorted(path.relative_to(before) for path in before.rglob("*") if path.is_file())
    assert sum((before / path).stat().st_size for path in files) < 2_000_000
    assert files == sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert all((before / path).read_bytes() == (tmp_path / "one" / path).read_bytes() for path in files)
    assert (tmp_path / "two" / "train.json").read_bytes() != (before / "train.json").read_bytes()


def test_the_twins_text_tells_more_than_its_images(made: dict[str, Path], tmp_path: Path) -> None:
    prepared = Prepared.open(prepare(document(), "food", copied(made, tmp_path, "json").root))
    train, test = prepared.split("train"), prepared.split("test")
    means = [np.stack([i.reshape(3, -1).mean(1) for i in s.take("image", range(len(s)))]) for s in (train, test)]
    dishes = np.stack([means[0][train.target == dish].mean(0) for dish in range(5)])
    by_colour = (((means[1][:, None] - dishes) ** 2).sum(2).argmin(1) == test.target).mean()
    words = [set(bytes(text).decode().split()) for text in test.take("text", range(len(test)))]
    named = [[set(dish.split("_")) <= title for dish in prepared.manifest.classes].index(True) for title in words]
    by_words = (np.array(named) == test.target).mean()
    assert 0.25 < by_colour < 0.6 < by_words < 0.95


def test_transformers_reads_the_tiny_bert(made: dict[str, Path]) -> None:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = made["json"] / PATH / "models" / "bert-tiny"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, loading = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(loading.values())
    tokens = tokenizer("Apple pie, best of it", return_tensors="pt")
    words = tokenizer.convert_ids_to_tokens(tokens.input_ids[0])
    assert words == ["[CLS]", "apple", "pie", ",", "best", "o", "##f", "i", "##t", "[SEP]"]
    assert tokenizer.pad_token_id == 0
    assert model.eval()(**tokens).last_hidden_state.shape == (1, 10, 32)
