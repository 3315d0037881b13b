"""Emoji: made-up pictures with the publishers' json files or the table, every fault, the real table by the recipe."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cggm_pipeline.data.sources.emoji import collected
from cggm_pipeline.spec.dataset import Dataset

from ._projects import SourceProject, real

GROUPS = ("Activities", "Flags", "Objects")
SIGNS = [chr(0x1F600 + number) for number in range(60)]
HEART = "❤️"
"""U+2764 U+FE0F: its picture is emoji_u2764.png."""


def picture(number: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGBA", (72, 72), (number, 2 * number, 255 - number, 128)).save(stream, "PNG")
    return stream.getvalue()


def unicode() -> dict[str, Any]:
    made = {sign: {"name": f"sign {i}", "group": GROUPS[i % 3], "slug": "x"} for i, sign in enumerate(SIGNS)}
    return made | {HEART: {"name": "red heart", "group": "Objects"}, "❤": {"name": "heart", "group": "Objects"}}


def keywords() -> dict[str, Any]:
    return {sign: [f"slug_{i}", f"word_{i}", ":)"] for i, sign in enumerate(SIGNS)} | {HEART: ["red_heart"]}


@pytest.fixture
def project(tmp_path: Path) -> SourceProject:
    """60 signs in three groups, one of them flags, and a heart that is listed twice; sign 59 has no picture."""
    made = SourceProject(tmp_path, "emoji")
    (made.raw / "png/72").mkdir(parents=True)
    for number in range(59):
        (made.raw / f"png/72/emoji_u{0x1F600 + number:04x}.png").write_bytes(picture(number))
    (made.raw / "png/72/emoji_u2764.png").write_bytes(picture(200))
    (made.raw / "data-by-emoji.json").write_text(json.dumps(unicode()))
    (made.raw / "emoji-en-US.json").write_text(json.dumps(keywords()))
    return made


def two_classes(project: SourceProject, **source: Any) -> Dataset:
    spec = project.document(**source)
    return spec.model_copy(update={"target": spec.target.model_copy(update={"number": 2})})


def samples_of(prepared: Any) -> dict[str, dict[str, Any]]:
    splits = {split: prepared.split(split) for split in ("train", "valid", "test")}
    return {s[i]["id"]: {**s[i], "split": split} for split, s in splits.items() for i in range(len(s))}


def test_the_publishers_json_files_come_back(project: SourceProject) -> None:
    prepared = project.prepared(two_classes(project))
    found = samples_of(prepared)
    kept = [number for number in range(59) if GROUPS[number % 3] != "Flags"]
    assert found.keys() == {f"emoji_u{0x1F600 + number:04x}" for number in kept} | {"emoji_u2764"}
    assert prepared.manifest.counts == {"train": 28, "valid": 6, "test": 6}  # of 40
    for number in kept:
        sample = found[f"emoji_u{0x1F600 + number:04x}"]
        assert sample["text"] == f"sign {number} word {number} :)"
        assert prepared.manifest.classes[sample["target"]] == GROUPS[number % 3]
        assert sample["image"].shape == (4, 72, 72)
        assert sample["image"][:, 5, 7].tolist() == [number, 2 * number, 255 - number, 128]
    assert found["emoji_u2764"]["text"] == "red heart"


def test_the_table_and_the_flat_folder_of_dvc_import_are_the_same(project: SourceProject) -> None:
    before = samples_of(project.prepared(two_classes(project)))
    names = {"train": "train", "valid": "dev", "test": "test"}
    with (project.raw / "emoji.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "group", "name", "keywords", "split"])
        for key, sample in before.items():
            group = sorted({"Activities", "Objects"})[sample["target"]]
            table.writerow([f"png/72/{key}.png", group, "", sample["text"], names[sample["split"]]])
    message = project.error(two_classes(project))
    assert "has data-by-emoji.json and emoji-en-US.json and emoji.csv; needed are either" in message
    for name in ("data-by-emoji.json", "emoji-en-US.json"):
        (project.raw / name).unlink()
    (project.raw / "png/72").rename(project.raw / "72")
    after = samples_of(project.prepared(two_classes(project)))
    assert {k: (s["text"], s["split"], s["target"]) for k, s in after.items()} == {
        k: (s["text"], s["split"], s["target"]) for k, s in before.items()
    }


def test_the_split_is_the_recipes() -> None:
    signs = collected(unicode(), {}, {f"emoji_u{0x1F600 + number:04x}.png" for number in range(60)})
    order = list(range(len(signs)))
    random.Random(0).shuffle(order)
    splits = [signs[index].split for index in order]
    assert splits == ["train"] * 28 + ["valid"] * 6 + ["test"] * 6


def test_declared_sizes_are_decoded_and_checked(project: SourceProject) -> None:
    spec = two_classes(project)
    forms = {"image": {"shape": [3, 72, 72], "dtype": "uint8"}, "text": {"shape": [], "dtype": "text"}}
    fixed = Dataset.model_validate(spec.model_dump(mode="json") | {"modalities": forms})
    found = samples_of(project.prepared(fixed))
    assert found["emoji_u1f602"]["image"][:, 0, 0].tolist() == [2, 4, 253]
    forms["image"]["shape"] = [4, 64, 64]
    wrong = Dataset.model_validate(spec.model_dump(mode="json") | {"modalities": forms})
    assert "it has shape [4, 72, 72], declared is [4, 64, 64] uint8" in project.error(wrong)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("data-by-emoji.json", "[]", "it holds a list, not an object"),
        ("data-by-emoji.json", "{", "it is no readable JSON"),
        ("data-by-emoji.json", "[" * 100_000, "it is no readable JSON"),
        ("data-by-emoji.json", '{"x": {"name": "a"}}', "'x' has no 'group' of printable text"),
        ("data-by-emoji.json", '{"x": 3}', "'x' has no 'name'"),
        ("data-by-emoji.json", '{"x": {"name": "a\\nb", "group": "g"}}', "'x' has no 'name' of printable text"),
        ("emoji-en-US.json", json.dumps({SIGNS[0]: "face"}), "are not a list of strings"),
        ("emoji-en-US.json", "\xff", "it is no readable JSON"),
    ],
)
def test_faults_of_the_json_files_are_said(project: SourceProject, file: str, content: str, said: str) -> None:
    (project.raw / file).write_bytes(content.encode("latin-1"))
    message = project.error(two_classes(project))
    assert said in message, message
    assert "data/raw/emoji" in message


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("png/72/emoji_u1f600.png,Objects,x,,exam", "emoji.csv:3: error: split: 'exam' is none of train, dev, test"),
        ("../72/emoji_u1f600.png,Objects,x,,test", "emoji.csv:3: error: file: '../72/emoji_u1f600.png' is not png/72/"),
        ("png/72/emoji_u1f6ff.png,Objects,x,,test", "png/72/emoji_u1f6ff.png: error: the file does not exist"),
        ("png/72/emoji_u1f601.png,Objects,x,,test", "emoji.csv:3: error: emoji_u1f601.png stands in data/raw/emoji/"),
        ("png/72/emoji_u1f600.png,Objects,x", "emoji.csv:3: error: the row has 3 cells"),
    ],
)
def test_faults_of_the_table_have_their_line(project: SourceProject, row: str, said: str) -> None:
    for name in ("data-by-emoji.json", "emoji-en-US.json"):
        (project.raw / name).unlink()
    head = "file,group,name,keywords,split\npng/72/emoji_u1f601.png,Activities,y,,train\n"
    (project.raw / "emoji.csv").write_text(head + row + "\n")
    message = project.error(two_classes(project))
    assert said in message, message


def test_a_picture_that_is_none_is_said_with_its_sign(project: SourceProject) -> None:
    (project.raw / "png/72/emoji_u1f600.png").write_bytes(b"no picture")
    message = project.error(two_classes(project))
    assert "data-by-emoji.json" in message
    assert "it is not a readable image" in message


def test_a_picture_behind_a_link_is_refused(project: SourceProject, tmp_path: Path) -> None:
    path = project.raw / "png/72/emoji_u1f600.png"
    path.rename(tmp_path / "outside.png")
    path.symlink_to(tmp_path / "outside.png")
    assert "leads out of the folder" in project.error(two_classes(project))


def test_labels_are_wrong_in_training_alone(project: SourceProject) -> None:
    clean = samples_of(project.prepared(two_classes(project)))
    noisy = samples_of(project.prepared(two_classes(project, label_noise=0.25)))
    wrong = [key for key in clean if clean[key]["target"] != noisy[key]["target"]]
    assert len(wrong) == 7  # of 28
    assert {clean[key]["split"] for key in wrong} == {"train"}


def test_the_real_table_has_the_split_of_the_recipe(shared_data: Path, tmp_path: Path) -> None:
    """Its names and keywords cannot be made again without the two json files; its order and split can."""
    project = real(shared_data, tmp_path, "emoji")
    with (project.raw / "emoji.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    signs = {"".join(chr(int(code, 16)) for code in Path(row["file"]).stem[7:].split("_")): row for row in rows}
    listed = {sign: {"name": row["name"], "group": row["group"]} for sign, row in signs.items()}
    words = {sign: ["slug", *row["keywords"].split(" ")] for sign, row in signs.items()}
    made = collected(listed, words, {Path(row["file"]).name for row in rows})
    published = {"train": "train", "dev": "valid", "test": "test"}
    assert [(f"png/72/{sign.file}", sign.group, sign.text, sign.split) for sign in made] == [
        (row["file"], row["group"], f"{row['name']} {row['keywords']}".strip(), published[row["split"]]) for row in rows
    ]
    prepared = project.prepared()
    assert prepared.manifest.counts == {"train": 1146, "valid": 245, "test": 245}
    assert len(prepared.manifest.classes) == 8
    assert np.min(prepared.manifest.class_counts["test"]) > 0
