"""What must fit where training draws from groups and moves images: found, located, and with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Desk

SCANS = """\
version: 1
kind: dataset
source: {kind: brats}
split: {kind: random}
modalities:
  flair: {shape: [1, 240, 240], dtype: float16}
  t1: {shape: [1, 240, 240], dtype: float16}
  t1ce: {shape: [1, 240, 240], dtype: float16}
  t2: {shape: [1, 240, 240], dtype: float16}
target: {kind: mask, number: 4, shape: [240, 240]}
"""

EXPERIMENT = """\
version: 1
kind: experiment
data: scans
modalities:
  flair: {encoder: {kind: smp, model: resnet18}}
  t1: {encoder: {kind: smp, model: resnet18}}
augment: [{kind: crop, size: [160, 192]}, {kind: mirror}]
fusion: {kind: smp_decoder, decoder: unet}
task: {kind: segmentation}
training: {epochs: 2, per_group: 8, optimizer: {kind: adam}}
"""

IMAGES = """\
version: 1
kind: dataset
source:
  kind: table
  path: data/raw/photos.csv
  columns:
    photo: {columns: [photo], type: image}
    age: {columns: [age], type: numbers}
  target: label
split: {kind: stratified}
modalities:
  photo: {shape: [3, 32, 32], dtype: uint8}
  age: {shape: [1]}
target: {kind: classes, number: 3}
"""


def found(desk: Desk, old: str, new: str, scans: str = SCANS) -> list[str]:
    desk.write("datasets/scans.yaml", scans)
    assert old in EXPERIMENT
    problems = desk.problems("experiments/x.yaml", EXPERIMENT.replace(old, new, 1))
    return [" | ".join(map(str, (p.line, p.message, p.hint))) for p in problems]


def test_masks_groups_and_augmentations_that_fit(desk: Desk) -> None:
    assert found(desk, "", "") == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[160, 192]", "[160, 241]", "160 x 241 does not fit into 'flair', 240 x 240"),
        ("{kind: mirror}", "{kind: crop, size: [161, 8]}", "161 x 8 does not fit into 'flair', 160 x 192"),
        (
            "resnet18}}\n  t1:",
            "resnet18}, transforms: [{kind: flip}]}\n  t1:",
            "5 | flip would move the pixels of 'flair' away from their classes in the mask | use augment",
        ),
        (
            "resnet18}}\n  t1:",
            "resnet18}, transforms: [{kind: resize, size: [96, 96]}]}\n  t1:",
            "7 | crop needs one size: 'flair' is 96 x 96; 't1' is 240 x 240; the mask is 240 x 240",
        ),
    ],
)
def test_what_would_tear_images_and_mask_apart(desk: Desk, old: str, new: str, message: str) -> None:
    assert any(message in line for line in found(desk, old, new)), found(desk, old, new)


def photos(desk: Desk, extra: str, encoder: str = "{kind: conv}") -> list[str]:
    desk.write("datasets/photos.yaml", IMAGES)
    text = (
        "version: 1\nkind: experiment\ndata: photos\nmodalities:\n"
        f"  photo: {{encoder: {encoder}}}\n  age: {{encoder: {{kind: mlp}}}}\n"
        f"fusion: {{kind: concat}}\ntask: {{kind: classification}}\n{extra}\n"
    )
    return [f"{p.line} {p.message}" for p in desk.problems("experiments/x.yaml", text)]


def test_samples_without_groups_cannot_be_drawn_by_group(desk: Desk) -> None:
    assert photos(desk, "training: {epochs: 1}") == []
    assert photos(desk, "training: {epochs: 1, per_group: 4}") == ["9 the samples of table have no groups"]


def test_images_of_a_classification_may_be_augmented_and_others_may_not(desk: Desk) -> None:
    crop = "training: {epochs: 1}\naugment: [{kind: crop, size: [24, 24]}]"
    assert photos(desk, crop) == []
    assert photos(desk, crop + "\nuse: [age]") == ["10 there is no image to augment"]
    assert photos(desk, crop, "{kind: mlp}") == [
        "10 mlp reads 'photo' in one size; after a crop it has another in training"
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", ""),
        (", high: 9000", "5 9000 Hz is more than half of the rate, 8000 Hz"),
        (", low: 300, high: 200", "5 the bands end at 200 Hz, before they begin"),
        (", low: 8000", "5 the bands end at 8000 Hz, before they begin"),
    ],
)
def test_bands_of_log_mel(desk: Desk, options: str, message: str) -> None:
    dataset = IMAGES.replace("photo: {columns: [photo], type: image}", "photo: {columns: [photo], type: audio}")
    desk.write(
        "datasets/photos.yaml", dataset.replace("photo: {shape: [3, 32, 32], dtype: uint8}", "photo: {shape: [null]}")
    )
    text = (
        "version: 1\nkind: experiment\ndata: photos\nmodalities:\n"
        f"  photo: {{encoder: {{kind: conv}}, transforms: [{{kind: log_mel{options}}}]}}\n"
        "  age: {encoder: {kind: mlp}}\nfusion: {kind: concat}\n"
        "task: {kind: classification}\ntraining: {epochs: 1}\n"
    )
    assert [f"{p.line} {p.message}" for p in desk.problems("experiments/x.yaml", text)] == (
        [message] if message else []
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: random", "kind: stratified", "4 | stratified needs classes | use kind: random"),
        ("{kind: mask, number: 4, shape: [240, 240]}", "{kind: values}", "10 | the target of brats is a mask"),
        ("number: 4,", "number: 4, names: [a, b],", "10 | 2 names for 4 classes"),
        ("number: 4,", "number: 2, names: [a, a],", "10 | the class 'a' stands twice"),
        ("number: 4,", "number: 256,", "10 | 256 is more than 255"),
        ("number: 4,", "number: 1,", "10 | 1 is not"),
    ],
)
def test_documents_of_masks(desk: Desk, old: str, new: str, message: str) -> None:
    assert old in SCANS
    problems = desk.problems("datasets/scans.yaml", SCANS.replace(old, new, 1))
    lines = [" | ".join(map(str, (p.line, p.message, p.hint))) for p in problems]
    assert any(message in line for line in lines), lines


def test_a_table_has_no_masks_and_columns_keep_their_names(desk: Desk) -> None:
    masked = IMAGES.replace("{kind: classes, number: 3}", "{kind: mask, number: 3, shape: [32, 32]}")
    assert any("table has no masks" in p.message for p in desk.problems("datasets/photos.yaml", masked))
    for name in ("id", "target", "group"):
        problems = desk.problems("datasets/photos.yaml", IMAGES.replace("age: {", f"{name}: {{"))
        assert any(f"a modality cannot be called '{name}'" in p.message for p in problems)
