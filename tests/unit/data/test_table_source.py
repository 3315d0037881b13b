"""A CSV of one's own: every type of column, and every fault with its FILE:LINE, all of them at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cggm_pipeline.build.data import check_raw, prepare
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec.dataset import Dataset

HEADER = "name,photo,sound,words,age,size,vector,label,part"
MODALITIES = {
    "photo": {"shape": [3, 4, 6], "dtype": "uint8"},
    "sound": {"shape": [None, 1]},
    "words": {"shape": [], "dtype": "text"},
    "body": {"shape": [2]},
    "vector": {"shape": [None, 3], "dtype": "float16"},
}
COLUMNS = {
    "photo": {"columns": ["photo"], "type": "image"},
    "sound": {"columns": ["sound"], "type": "audio"},
    "words": {"columns": ["words"], "type": "text"},
    "body": {"columns": ["age", "size"], "type": "numbers"},
    "vector": {"columns": ["vector"], "type": "npy"},
}


def document(modalities=MODALITIES, target=None, split=None, **source) -> Dataset:
    columns = {name: COLUMNS[name] for name in modalities}
    given = {"kind": "table", "path": "raw/t.csv", "columns": columns, "target": "label", "id": "name", "split": "part"}
    return Dataset.model_validate(
        {
            "version": 1,
            "kind": "dataset",
            "source": {**given, **source},
            "split": split or {"kind": "published"},
            "modalities": modalities,
            "target": target or {"kind": "classes", "number": 2, "names": ["no", "yes"]},
        }
    )


class Table:
    """A project with a table in raw/ that a test spoils."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "raw"
        self.folder.mkdir()
        random = np.random.default_rng(0)
        self.photos, self.sounds, self.vectors, self.rows = [], [], [], []
        for index, part in enumerate(["train", "train", "valid", "test", "train", "test"]):
            self.photos.append(random.integers(0, 255, (4, 6, 3), dtype=np.uint8))
            Image.fromarray(self.photos[-1]).save(self.folder / f"{index}.png")
            self.sounds.append(random.uniform(-1, 1, 20 + index).astype(np.float32))
            soundfile.write(self.folder / f"{index}.wav", self.sounds[-1], 8000, subtype="FLOAT")
            self.vectors.append(random.normal(size=(index + 1, 3)))
            np.save(self.folder / f"{index}.npy", self.vectors[-1])
            label = ["no", "yes"][index % 2]
            self.rows.append(f"n{index},{index}.png,{index}.wav,word {index},{index},1.5e1,{index}.npy,{label},{part}")

    def write(self, header: str = HEADER, rows: list[str] | None = None, encoding: str = "utf-8") -> None:
        (self.folder / "t.csv").write_text("\n".join([header, *(rows or self.rows)]) + "\n", encoding=encoding)

    def replace(self, row: int, old: str, new: str) -> None:
        assert old in self.rows[row]
        self.rows[row] = self.rows[row].replace(old, new)
        self.write()

    def prepared(self, spec: Dataset | None = None) -> Prepared:
        return Prepared.open(prepare(spec or document(), "t", self.root), verify=True)

    def error(self, spec: Dataset | None = None) -> str:
        with pytest.raises(DataError) as caught:
            prepare(spec or document(), "t", self.root)
        assert not (self.root / "data" / "prepared" / "t").exists()
        return str(caught.value)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    made = Table(tmp_path)
    made.write()
    return made


def test_every_type_of_column_comes_back(table: Table) -> None:
    prepared = table.prepared()
    assert prepared.manifest.counts == {"train": 3, "valid": 1, "test": 2}
    assert prepared.manifest.classes == ("no", "yes")
    sample = prepared.split("test")[1]
    assert (sample["id"], sample["target"], sample["words"]) == ("n5", 1, "word 5")
    assert np.array_equal(sample["photo"], table.photos[5].transpose(2, 0, 1))
    assert np.array_equal(sample["sound"], table.sounds[5][:, None])
    assert sample["body"].tolist() == [5, 15]
    assert np.array_equal(sample["vector"], table.vectors[5].astype(np.float16))
    assert set(prepared.manifest.raw) == {
        "raw/t.csv",
        *(f"raw/{k}.{e}" for k in range(6) for e in ("png", "wav", "npy")),
    }


def test_an_empty_cell_is_an_absent_modality(table: Table) -> None:
    table.rows[1] = "n1,,, ,,,,yes,train"
    table.write()
    prepared = table.prepared()
    train = prepared.split("train")
    assert [train[1][name] for name in MODALITIES] == [None] * 5
    assert all(train.present(name).tolist() == [True, False, True] for name in MODALITIES)
    assert prepared.manifest.absent["train"] == dict.fromkeys(MODALITIES, 1)
    assert prepared.manifest.statistics["body"].samples == 2


def test_images_of_any_size_are_kept_as_they_came(table: Table) -> None:
    tall = np.random.default_rng(1).integers(0, 255, (9, 2, 3), dtype=np.uint8)
    Image.fromarray(tall).save(table.folder / "2.png")
    spec = document({**MODALITIES, "photo": {"shape": [3, None, None], "dtype": "uint8"}})
    prepared = table.prepared(spec)
    assert np.array_equal(prepared.split("valid")[0]["photo"], tall.transpose(2, 0, 1))
    assert prepared.manifest.statistics["photo"].samples == 3


def test_images_become_the_declared_number_of_channels(table: Table) -> None:
    grey = table.prepared(document({"photo": {"shape": [1, 4, 6], "dtype": "uint8"}}))
    expected = np.asarray(Image.fromarray(table.photos[0]).convert("L"))
    assert np.array_equal(grey.split("train")[0]["photo"][0], expected)


def test_integers_one_axis_of_sound_semicolons_and_real_targets(table: Table) -> None:
    table.rows = [
        row.replace(",", ";").replace("1.5e1", "15").replace("yes", "-2.5").replace("no", "1e1") for row in table.rows
    ]
    table.write(HEADER.replace(",", ";"))
    modalities = {"body": {"shape": [2], "dtype": "int16"}, "sound": {"shape": [None]}}
    prepared = table.prepared(document(modalities, target={"kind": "values"}, delimiter=";"))
    assert prepared.split("train")[1]["body"].tolist() == [1, 15]
    assert np.array_equal(prepared.split("train")[1]["sound"], table.sounds[1])
    assert prepared.split("train").target.tolist() == [[10.0], [-2.5], [10.0]]


def test_quotes_newlines_a_byte_order_mark_and_windows_line_ends(table: Table) -> None:
    table.rows[0] = table.rows[0].replace("word 0", '"two\nlines, and a ""quote"""')
    table.rows[3] = table.rows[3].replace("n3,3.png", "n3,gone.png")
    text = "\n".join([HEADER, *table.rows]) + "\n"
    (table.folder / "t.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert table.error().startswith("raw/t.csv:6: error: photo: file 'gone.png' does not exist")
    shutil.copy(table.folder / "3.png", table.folder / "gone.png")
    assert table.prepared().split("train")[0]["words"] == 'two\r\nlines, and a "quote"'


def test_without_ids_and_split_the_rows_are_numbered_and_drawn(table: Table) -> None:
    table.rows = [row.replace("train", "x") for row in table.rows]
    table.write()
    spec = document(id=None, split=None)
    plain = {**spec.model_dump(mode="json"), "split": {"kind": "random", "valid": 0.2, "test": 0.2}}
    plain["source"]["split"] = None
    prepared = table.prepared(Dataset.model_validate(plain))
    ids = [key for split in ("train", "valid", "test") for key in prepared.split(split).ids]
    assert sorted(ids) == ["1", "2", "3", "4", "5", "6"]


@pytest.mark.parametrize(
    ("row", "old", "new", "message"),
    [
        (0, "n0,0.png", "n0,0.png,extra", "raw/t.csv:2: error: the row has 10 cells, the header has 9 columns"),
        (0, ",train", "", "raw/t.csv:2: error: the row has 8 cells, the header has 9 columns"),
        (1, "1.png", "missing.png", "raw/t.csv:3: error: photo: file 'missing.png' does not exist"),
        (1, "1.png", "../1.png", "raw/t.csv:3: error: photo: path '../1.png' is not a plain path"),
        (1, "1.png", "/etc/passwd", "raw/t.csv:3: error: photo: path '/etc/passwd' is not a plain path"),
        (1, "1.png", "1\x00.png", "raw/t.csv:3: error: photo: path '1\\x00.png' is not a plain path"),
        (1, "1.png", "link.png", "raw/t.csv:3: error: photo: path 'link.png' leads out of the CSV's folder"),
        (1, "1.png", ".", "raw/t.csv:3: error: photo: path '.' leads out"),
        (1, "1.png", "1.wav", "raw/t.csv:3: error: photo: it is not a readable image"),
        (1, "1.png", "t.csv", "raw/t.csv:3: error: photo: it is not a readable image"),
        (1, "1.png", "small.png", "photo: small.png has shape [3, 2, 2], declared is [3, 4, 6] uint8. For images of"),
        (1, "1.png", "deep.png", "raw/t.csv:3: error: photo: its pixels are I;16, not 8 bits a channel"),
        (1, "1.png", "cut.png", "raw/t.csv:3: error: photo: it is not a readable image"),
        (2, "2.wav", "2.png", "raw/t.csv:4: error: sound: 2.png is not a readable sound file"),
        (2, "2.wav", "stereo.wav", "raw/t.csv:4: error: sound: stereo.wav has 2 channel(s), declared are 1"),
        (2, "2.wav", "fast.wav", "raw/t.csv:4: error: sound: fast.wav has 44100 Hz, 0.wav has 8000 Hz"),
        (2, "2.wav", "silent.wav", "raw/t.csv:4: error: sound: it is empty (shape [0, 1])"),
        (3, "1.5e1", "tall", "raw/t.csv:5: error: body: 'tall' is not a number"),
        (3, "1.5e1", "nan", "raw/t.csv:5: error: body: 'nan' is not a number"),
        (3, "1.5e1", "1_000", "raw/t.csv:5: error: body: '1_000' is not a number"),
        (3, "1.5e1", "1e99", "raw/t.csv:5: error: body: it holds values that are not finite in float32"),
        (3, "1.5e1", "", "raw/t.csv:5: error: body: column(s) size are empty but others are not"),
        (4, "4.npy", "4.wav", "raw/t.csv:6: error: vector: 4.wav is not a readable .npy file"),
        (4, "4.npy", "pickled.npy", "raw/t.csv:6: error: vector: pickled.npy is not a readable .npy file"),
        (4, "4.npy", "several.npz", "raw/t.csv:6: error: vector: several.npz holds several arrays"),
        (4, "4.npy", "flat.npy", "raw/t.csv:6: error: vector: it has shape [3], declared is [null, 3] float16"),
        (4, "4.npy", "nan.npy", "raw/t.csv:6: error: vector: it holds values that are not finite in float16"),
        (5, "yes", "yess", "raw/t.csv:7: error: class 'yess' is none of no, yes. Did you mean 'yes'?"),
        (5, "yes", "", "raw/t.csv:7: error: the target is empty"),
        (5, "n5", "n2", "raw/t.csv:7: error: name: id 'n2' stands in line 4 already"),
        (5, "n5", " ", "raw/t.csv:7: error: name: '' is not an id"),
        (5, "test", "dev", "raw/t.csv:7: error: part: 'dev' is none of train, valid, test"),
    ],
)
def test_each_fault_is_located(table: Table, row: int, old: str, new: str, message: str) -> None:
    folder = table.folder
    outside = folder.parent / "secret.png"
    shutil.copy(folder / "0.png", outside)
    (folder / "link.png").symlink_to(outside)
    Image.new("RGB", (2, 2)).save(folder / "small.png")
    Image.fromarray(np.zeros((4, 6), np.uint16)).save(folder / "deep.png")
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:60])
    soundfile.write(folder / "stereo.wav", np.zeros((5, 2)), 8000)
    soundfile.write(folder / "fast.wav", np.zeros(5), 44100)
    soundfile.write(folder / "silent.wav", np.zeros(0), 8000)
    np.save(folder / "pickled.npy", np.array([{}]), allow_pickle=True)
    np.savez(folder / "several.npz", a=np.ones(3))
    np.save(folder / "flat.npy", np.ones(3))
    np.save(folder / "nan.npy", np.full((2, 3), np.nan))
    table.replace(row, old, new)
    lines = table.error().splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_all_faults_of_a_table_are_told_at_once(table: Table) -> None:
    table.rows[0] = table.rows[0].replace("0.png", "zero.png").replace("1.5e1", "x")
    table.rows[3] = table.rows[3].replace("n3", "n2").replace("yes", "perhaps")
    table.rows[4] += ",more"
    table.write()
    assert [line.split(" error: ")[0] for line in table.error().splitlines()] == [
        "raw/t.csv:6:",
        "raw/t.csv:5:",
        "raw/t.csv:2:",
        "raw/t.csv:2:",
        "raw/t.csv:5:",
    ]


def test_the_first_twenty_are_shown_and_the_rest_counted(table: Table) -> None:
    table.write(rows=[row.replace("1.5e1", "x").replace(f"n{i % 6}", f"n{i}") for i, row in enumerate(table.rows * 9)])
    lines = table.error().splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 34 more problems like these"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER.replace("sound", "sond"), "raw/t.csv:1: error: there is no column 'sound'"),
        (HEADER.replace("sound", "sond"), "Did you mean 'sond'?"),
        (HEADER.replace("size", "age"), "raw/t.csv:1: error: the header has column 'age' 2 times"),
        (HEADER.replace(",", ";"), "columns split by ','"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(table: Table, header: str, message: str) -> None:
    table.write(header)
    assert message in table.error()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "raw/t.csv:1: error: the file is empty"),
        (HEADER.encode(), "raw/t.csv: error: the table has no rows"),
        (HEADER.encode() + b"\na\nb\xff", "raw/t.csv:3: error: byte 0xff is not UTF-8"),
        (HEADER.encode() + b'\n"open,1\n2\n', "raw/t.csv:3: error: not a CSV row"),
        (HEADER.encode() + b'\n"a"b,1\n2\n', "raw/t.csv:2: error: not a CSV row"),
    ],
)
def test_a_file_that_is_no_table_is_refused(table: Table, data: bytes, message: str) -> None:
    (table.folder / "t.csv").write_bytes(data)
    assert message in table.error()


def test_a_missing_table_says_which_document_names_it(table: Table) -> None:
    (table.folder / "t.csv").unlink()
    assert table.error().startswith("specs/datasets/t.yaml: source.path: raw/t.csv cannot be read: No such file")


@pytest.mark.parametrize("path", ["../t.csv", "/etc/passwd", "raw/../../t.csv"])
def test_a_table_outside_the_project_is_never_opened(table: Table, path: str) -> None:
    from cggm_pipeline.data.problems import Problems
    from cggm_pipeline.data.sources.table import Table as Source

    with pytest.raises(DataError, match="not a plain path below the project's folder"):
        Source(path=path, columns={}, target="label").read(table.root, {}, Problems())


def test_an_unseen_class_in_test_is_named(table: Table) -> None:
    table.replace(5, "yes", "maybe")
    message = table.error(document(target={"kind": "classes", "number": 3}))
    assert "class 'maybe' is not in train, but has samples elsewhere: n5 (test)" in message


def test_a_wrong_number_of_classes_is_named(table: Table) -> None:
    message = table.error(document(target={"kind": "classes", "number": 5}))
    assert "target.number is 5, but there are 2 class names: no, yes" in message


def test_a_published_split_that_moved_is_noticed(table: Table) -> None:
    table.prepared()
    shutil.rmtree(table.root / "data")
    table.replace(0, "train", "test")
    assert (
        "1 samples are in another split than the source publishes: n0 (test published, train pinned)" in table.error()
    )


def test_changed_raw_files_are_noticed_and_named(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    spec = document()
    table.prepared(spec)
    assert check_raw(spec, "t", table.root) == []
    np.save(table.folder / "2.npy", np.zeros((4, 3)))
    assert [line.split(" (")[0] for line in check_raw(spec, "t", table.root)] == ["raw/2.npy: changed"]
    shutil.rmtree(table.root / "data")  # as DVC does before it runs the stage again
    capsys.readouterr()
    table.prepared(spec)
    said = capsys.readouterr()
    assert "prepare t: raw file raw/2.npy: changed (" in said.err
    assert said.out == ""


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_spoilt_table_is_prepared_or_refused_with_its_place(tmp_path_factory, data) -> None:
    """Any bytes in the place of some of the table's bytes: valid, or a DataError; never another exception."""
    root = tmp_path_factory.getbasetemp() / "spoilt"
    if not root.exists():
        root.mkdir()
        Table(root).write()
        (root / "original.csv").write_bytes((root / "raw" / "t.csv").read_bytes())
    content = (root / "original.csv").read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 12)))
    filling = st.binary(max_size=6) | st.sampled_from(
        [b",", b"\n", b'"', b"\r", b"\0", b"../", b"nan", b"\xe2\x80\xa8"]
    )
    (root / "raw" / "t.csv").write_bytes(content[:start] + data.draw(filling) + content[end:])
    shutil.rmtree(root / "specs", ignore_errors=True)
    message = outcome(root)
    assert message is None or "raw/t.csv" in message or "split" in message


def outcome(root: Path) -> str | None:
    try:
        Prepared.open(prepare(document(), "t", root))
    except DataError as error:
        return str(error)
    return None
