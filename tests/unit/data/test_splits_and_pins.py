"""Splits depend on ids and seed alone, are drawn once, and are never changed behind anybody's back."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cggm_pipeline.build.data import prepare
from cggm_pipeline.data import pins, splits
from cggm_pipeline.data.splits import Published, Random, Stratified
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec.dataset import Dataset

IDS = [f"sample-{index}" for index in range(400)]
TARGET = np.arange(400) % 7 % 5


@pytest.mark.parametrize("split", [Random(valid=0.1, test=0.3, seed=4), Stratified(valid=0.1, test=0.3, seed=4)])
def test_order_of_the_rows_does_not_matter(split) -> None:
    drawn = dict(zip(IDS, split.draw(IDS, TARGET, None), strict=True))
    order = np.random.default_rng(0).permutation(400)
    again = split.draw([IDS[i] for i in order], TARGET[order], None)
    assert again == [drawn[IDS[i]] for i in order]


def test_the_draw_is_the_one_that_is_written_down() -> None:
    """Ids ranked by SHA-256 of "seed:id": a quarter test, the next quarter valid. No version of anything changes it."""
    ids = [str(k) for k in range(8)]
    ranked = sorted(ids, key=lambda key: hashlib.sha256(b"5:" + key.encode()).hexdigest())
    expected = dict(zip(ranked, ["test", "test", "valid", "valid", *["train"] * 4], strict=True))
    assert Random(valid=0.25, test=0.25, seed=5).draw(ids, np.zeros(8), None) == [expected[key] for key in ids]


def test_seed_and_shares_do() -> None:
    one = Random(valid=0.1, test=0.3, seed=0).draw(IDS, TARGET, None)
    assert one != Random(valid=0.1, test=0.3, seed=1).draw(IDS, TARGET, None)
    assert Counter(one) == {"train": 240, "valid": 40, "test": 120}


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    valid=st.floats(0.05, 0.45),
    test=st.floats(0.05, 0.45),
    seed=st.integers(0, 9),
)
@settings(max_examples=150, deadline=None)
def test_stratified_keeps_the_shares_of_every_class_and_a_training_sample(sizes, valid, test, seed) -> None:
    target = np.repeat(np.arange(len(sizes)), sizes)
    drawn = np.array(Stratified(valid=valid, test=test, seed=seed).draw(IDS[: len(target)], target, None))
    for group, size in enumerate(sizes):
        counts = Counter(drawn[target == group].tolist())
        assert counts["train"] >= 1
        assert counts["test"] <= test * size + 1
        assert counts["valid"] <= valid * size + 1
    if min(sizes) >= 10:
        assert Counter(drawn.tolist())["test"] == round(test * len(target))


def test_stratified_real_values_are_refused() -> None:
    with pytest.raises(DataError, match="stratified needs a target of kind classes"):
        Stratified().draw(IDS, np.ones((400, 1)), None)


def test_shares_must_leave_something() -> None:
    with pytest.raises(DataError, match="leave nothing to train on"):
        Random(valid=0.5, test=0.5).draw(IDS, TARGET, None)


def test_published_is_taken_as_it_is_or_refused() -> None:
    published = ["train", "valid", "test", "train"]
    assert Published().draw(IDS[:4], TARGET[:4], published) == published
    with pytest.raises(DataError, match="needs a source that carries its split"):
        Published().draw(IDS[:4], TARGET[:4], None)


def test_validation_is_cut_from_published_training() -> None:
    published = ["train"] * 300 + ["test"] * 100
    drawn = Published(valid=0.2, seed=1).draw(IDS, TARGET, published)
    assert Counter(drawn) == {"train": 240, "valid": 60, "test": 100}
    assert drawn[300:] == ["test"] * 100
    with pytest.raises(DataError, match="the source publishes a validation split"):
        Published(valid=0.2).draw(IDS[:3], TARGET[:3], ["train", "valid", "test"])


def test_a_class_that_training_never_sees_is_named() -> None:
    names = ["cat", "dog"]
    with pytest.raises(DataError) as caught:
        splits.check(["a", "b", "c", "d"], ["train", "valid", "test", "train"], np.array([0, 0, 1, 0]), names)
    assert "class 'dog' is not in train" in str(caught.value)
    assert "c (test)" in str(caught.value)


def test_an_empty_split_is_named() -> None:
    with pytest.raises(DataError, match="no sample is in valid"):
        splits.check(["a", "b"], ["train", "test"], np.array([0, 0]), ["x"])


def test_a_pin_comes_back_and_ids_may_hold_anything_printable(tmp_path: Path) -> None:
    ids = ["#1", 'a "quoted" one', "with, comma", "ünï", "id,split"]
    drawn = ["train", "valid", "test", "train", "test"]
    pins.write(tmp_path / "specs" / "splits" / "d.csv", Random(), ids, drawn)
    assert pins.read(tmp_path / "specs" / "splits" / "d.csv", Random(), ids) == drawn
    text = (tmp_path / "specs" / "splits" / "d.csv").read_text()
    assert text.startswith("# cggm split: kind=random valid=0.15 test=0.15 seed=0 ids=5\n")


def project(tmp_path: Path, document: Dataset) -> tuple[Path, Path]:
    prepare(document, "digits", tmp_path)
    return tmp_path, tmp_path / "specs" / "splits" / "digits.csv"


def edited(document: Dataset, **split) -> Dataset:
    plain = document.model_dump(mode="json")
    return Dataset.model_validate({**plain, "split": {**plain["split"], **split}})


def test_an_edited_pin_is_obeyed(tmp_path: Path, digits_document: Dataset) -> None:
    root, pin = project(tmp_path, digits_document)
    pin.write_text(pin.read_text().replace("0000,train", "0000,test").replace("0000,valid", "0000,test"))
    prepare(digits_document, "digits", root)
    from cggm_pipeline.data.prepared import Prepared

    assert "0000" in Prepared.open(root / "data" / "prepared" / "digits").split("test").ids


def test_other_parameters_are_refused_with_both_and_the_way_out(tmp_path: Path, digits_document: Dataset) -> None:
    root, pin = project(tmp_path, digits_document)
    before = pin.read_bytes()
    with pytest.raises(DataError) as caught:
        prepare(edited(digits_document, seed=3), "digits", root)
    message = str(caught.value)
    assert "valid=0.15 test=0.25 seed=0 ids=1797" in message
    assert "valid=0.15 test=0.25 seed=3 ids=1797" in message
    assert "Delete digits.csv and run `cggm prepare digits`" in message
    assert pin.read_bytes() == before


def test_missing_and_strange_ids_are_named(tmp_path: Path, digits_document: Dataset) -> None:
    root, pin = project(tmp_path, digits_document)
    pin.write_text(pin.read_text().replace("\n0007,", "\nseven,"))
    with pytest.raises(DataError) as caught:
        prepare(digits_document, "digits", root)
    assert "1 ids of the data are not in it: 0007; 1 of its ids are not in the data: seven" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("\n0001,", "\n0000,", 5),
        ("\n0001,", "\n0001,x,", 5),
        ("\n0001,train", "\n0001,dev", 5),
        ("id,split\n", "", 3),
        ("id,split", "id;split", 3),
    ],
)
def test_a_damaged_pin_is_located(tmp_path: Path, old: str, new: str, line: int) -> None:
    pin = tmp_path / "d.csv"
    pins.write(pin, Random(), ["0000", "0001", "0002"], ["test", "train", "valid"])
    pin.write_text(pin.read_text().replace(old, new))
    with pytest.raises(DataError, match=rf"d\.csv:{line}: error: "):
        pins.read(pin, Random(), ["0000", "0001", "0002"])


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"#", b"# a\n# b"])
def test_a_pin_that_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "d.csv").write_bytes(data)
    with pytest.raises(DataError, match=r"d\.csv"):
        pins.read(tmp_path / "d.csv", Random(), ["a"])


def test_a_draw_that_is_refused_is_not_pinned(tmp_path: Path, digits_document: Dataset) -> None:
    with pytest.raises(DataError, match="no sample is in"):
        prepare(edited(digits_document, test=0.0001), "digits", tmp_path)
    assert not (tmp_path / "specs").exists()
