"""CMU-MOSI: both layouts, aligned and not, every way of text, and each fault with its split, key and sample."""

from __future__ import annotations

import contextlib
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cggm_pipeline.build.data import check_raw, prepare
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sources.mosi import MOSI
from cggm_pipeline.data.twins import marker
from cggm_pipeline.data.twins.mosi import write
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec import Project, load_dataset

from ._pickles import SIZES, forms, mmsa, mult, read, sampled

SOURCE = MOSI(path="t.pkl")
RAGGED = {"audio": (None, 2), "text": (None, 4), "vision": (None, 3)}


@pytest.mark.parametrize("protocol", range(6))
def test_layout_of_mult(tmp_path: Path, protocol: int) -> None:
    content = mult()
    raw = read(SOURCE, tmp_path, content, forms(), protocol)
    assert raw.splits == [split for split, number in SIZES.items() for _ in range(number)]
    assert list(raw.ids[:2]) == ["train0$_$0.5$_$1", "train1$_$1.5$_$2"]
    labels = np.concatenate([part["labels"].reshape(-1) for part in content.values()])
    np.testing.assert_array_equal(np.array([float(label) for label in raw.labels], np.float32), labels)
    for name, values in sampled(raw).items():
        np.testing.assert_array_equal(values, np.concatenate([part[name] for part in content.values()]))
    assert raw.files == {"t.pkl": tmp_path / "t.pkl"}
    assert (raw.banner, list(raw.notes)) == ("", [])


def test_mult_that_is_not_aligned(tmp_path: Path) -> None:
    content = mult()
    for part in content.values():
        part["audio"] = np.repeat(part["audio"], 3, axis=1)
    fixed = sampled(read(SOURCE, tmp_path, content, forms(audio=(18, 2))))
    free = sampled(read(SOURCE, tmp_path, content, forms(audio=(None, 2))))
    assert np.shape(fixed["audio"]) == (9, 18, 2)
    np.testing.assert_array_equal(fixed["audio"], free["audio"])


def test_layout_of_mmsa_is_cut_to_its_lengths(tmp_path: Path) -> None:
    content = mmsa()
    raw = read(SOURCE, tmp_path, content, forms(**RAGGED))
    values = sampled(raw)
    assert list(raw.ids[3:5]) == ["trainvideo$_$3", "validvideo$_$0"]
    for name, lengths in {"audio": [1, 2, 3, 4], "vision": [7, 6, 5, 4], "text": [1, 2, 3, 4]}.items():
        assert [len(value) for value in values[name][:4]] == lengths
        np.testing.assert_array_equal(values[name][2], content["train"][name][2, : lengths[2]])


def test_declared_sizes_keep_the_padding(tmp_path: Path) -> None:
    content = mmsa()
    values = sampled(read(SOURCE, tmp_path, content, forms((6, 2), (5, 4), (7, 3))))
    for name in ("audio", "text", "vision"):
        np.testing.assert_array_equal(values[name][:4], content["train"][name])


def test_mmsa_aligned_has_no_lengths(tmp_path: Path) -> None:
    values = sampled(read(SOURCE, tmp_path, mmsa(aligned=True), forms((None, 2), (5, 4), (7, 3))))
    assert {len(value) for value in values["audio"]} == {6}


def test_words_and_token_ids_of_mmsa(tmp_path: Path) -> None:
    content = mmsa()
    words = sampled(read(SOURCE, tmp_path, content, forms((6, 2), (), (7, 3), "text")))
    assert words["text"][:2] == ["words 0", "words 1"]
    tokens = sampled(read(SOURCE, tmp_path, content, forms((6, 2), (None,), (7, 3), "int64")))["text"]
    assert [len(ids) for ids in tokens[:4]] == [1, 2, 3, 4]
    assert tokens[0].dtype == np.int64
    np.testing.assert_array_equal(tokens[3], content["train"]["text_bert"][3, 0, :4])


def test_a_length_of_zero_means_that_the_sample_lacks_the_modality(tmp_path: Path) -> None:
    content = mmsa()
    content["train"]["audio_lengths"][1] = 0
    raw = read(SOURCE, tmp_path, content, forms(**RAGGED))
    assert np.flatnonzero(raw.absent["audio"]).tolist() == [1]
    assert sampled(raw)["audio"][1] is None


def test_silence_becomes_zero_and_is_counted(tmp_path: Path) -> None:
    content = mult()
    content["train"]["audio"][1, :2] = -np.inf
    content["test"]["audio"][0, 3, 1] = -np.inf
    raw = read(SOURCE, tmp_path, content, forms())
    values = sampled(raw)["audio"]
    assert not values[1][:2].any()
    np.testing.assert_array_equal(values[1][2:], content["train"]["audio"][1, 2:])
    assert list(raw.notes) == ["audio: 5 values of -inf became 0"]


def test_ids_of_every_form(tmp_path: Path) -> None:
    for ids in (np.array(["ü1", "b", "c", "d"]), ["ü1", "b", "c", "d"], np.array([b"\xc3\xbc1", b"b", b"c", b"d"])):
        content = mult()
        content["train"]["id"] = ids
        assert list(read(SOURCE, tmp_path, content, forms()).ids[:3]) == ["ü1", "b", "c"]
    content["train"]["id"] = np.array([["v", 1.5], ["v", 2], ["w", 1], ["x", 1]], object)
    assert list(read(SOURCE, tmp_path, content, forms()).ids[:2]) == ["v$_$1.5", "v$_$2"]
    for part in content.values():
        del part["id"]
    assert list(read(SOURCE, tmp_path, content, forms()).ids[3:5]) == ["train-00003", "valid-00000"]


def test_ids_that_stand_there_twice_get_a_number(tmp_path: Path) -> None:
    content = mult()
    content["train"]["id"] = ["a", "a", "a#2", "a"]
    content["valid"]["id"] = ["a", "b"]
    raw = read(SOURCE, tmp_path, content, forms())
    assert len(set(raw.ids)) == 9
    assert list(raw.ids[:6]) == ["a", "a#3", "a#2", "a#4", "a#5", "b"]
    assert list(raw.notes) == ["3 samples have the id of another one before them; they got #2, #3, ..."]


def spoilt(key: str, value: Any, split: str = "train", make: Callable[[], Any] = mult) -> Any:
    content = make()
    content[split][key] = value(content[split][key]) if callable(value) else value
    return content


def without(key: str, make: Callable[[], Any] = mult, split: str = "valid") -> Any:
    content = make()
    del content[split][key]
    return content


FAULTS: dict[str, tuple[Any, str]] = {
    "no dict": ([1, 2], r"no train, no valid, no test: it holds a list, not a dict of splits"),
    "no valid": ({k: v for k, v in mult().items() if k != "valid"}, r"no valid: it holds the keys train, test"),
    "a split that is none": ({**mult(), "test": 3}, "no test"),
    "no vision": (
        without("vision"),
        r"valid has the keys audio, text, labels, id; expected are at least MulT: text, audio, vision, labels; "
        r"or MMSA: text, audio, vision, regression_labels",
    ),
    "no labels": (without("regression_labels", mmsa, "train"), "train has the keys raw_text, audio"),
    "labels of three": (spoilt("labels", lambda a: np.repeat(a, 3, 2)), r"train\.labels: an array \[4, 1, 3\]; exp"),
    "labels of text": (
        spoilt("labels", np.array(list("abcd"))),
        r"train\.labels: an array \[4\] of <U1 where numbers are",
    ),
    "no samples": (spoilt("labels", np.zeros((0, 1, 1))), r"train\.labels: an array \[0, 1, 1\] of float64 where"),
    "rank 2": (
        spoilt("audio", lambda a: a[:, 0]),
        r"train\.audio: an array \[4, 2\]; expected n x steps x features",
    ),
    "other widths": (
        spoilt("vision", lambda a: a[..., :2], "test"),
        r"test\.vision: its samples are 6 steps x 2 features, declared is \[6, 3\] float32. Declare \[6, 2\]",
    ),
    "not as many": (spoilt("text", lambda a: a[1:], "valid"), r"valid\.text: 1 samples, but there are 2 labels"),
    "ids not as many": (spoilt("id", ["a"]), r"train\.id: 1 samples, but there are 4 labels"),
    "objects": (spoilt("text", lambda a: a.astype(object)), r"train\.text: it is an array of Python objects"),
    "a list of lists": (spoilt("text", lambda a: a.tolist()), r"train\.text: a list where an array of numbers"),
    "complex ids": (spoilt("id", [["a"]] * 4), r"train\.id: a list where a text is expected"),
    "ids of rank 3": (spoilt("id", np.full((4, 1, 1), "a")), r"train\.id: an array \[4, 1, 1\] where one id"),
    "ids not in UTF-8": (spoilt("id", np.array([b"\xff", b"b", b"c", b"d"])), r"train\.id: 'utf-8' codec can't decode"),
    "an empty id": (spoilt("id", ["", "b", "c", "d"]), r"train, sample 0 \(\): error: '' is not an id"),
    "an id of two lines": (spoilt("id", ["a\nb", "b", "c", "d"]), r"sample 0 .*is not an id \(one line"),
    "label out of range": (
        spoilt("labels", lambda a: a * 0 + 3.1),
        r"train, sample 0 \(train0\$_\$0\.5\$_\$1\): error: label 3\.1 is not in \[-3, 3\]",
    ),
    "label NaN": (spoilt("labels", lambda a: a * np.nan), r"label nan is not in \[-3, 3\]"),
    "pickle of text": (b"hello", "no whole pickle"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_a_file(tmp_path: Path, name: str) -> None:
    content, said = FAULTS[name]
    with pytest.raises(DataError, match=rf"t\.pkl: (error: )?.*({said})"):
        read(SOURCE, tmp_path, content, forms())


MMSA_FAULTS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a length too large": (
        spoilt("audio_lengths", [1, 9, 2, 2], make=mmsa), RAGGED, r"train\.audio: length 9 of sample 1 is none of 0",
    ),
    "a length beyond all bounds": (
        spoilt("audio_lengths", [1, 10**400, 2, 2], make=mmsa), RAGGED, r"train\.audio: length inf of sample 1",
    ),
    "a length of a half": (
        spoilt("audio_lengths", [1.5, 2.0, 2.0, 2.0], make=mmsa), RAGGED, r"train\.audio: length 1\.5 of sample 0",
    ),
    "lengths not as many": (spoilt("vision_lengths", [1], make=mmsa), RAGGED, r"train\.vision: 1 lengths for 4"),
    "a mask with a hole": (
        spoilt("text_bert", lambda a: a[:, :, ::-1], make=mmsa), RAGGED, r"train\.text: its mask .* is not ones foll",
    ),
    "text_bert of rank 2": (
        spoilt("text_bert", lambda a: a[:, 0], make=mmsa), {**RAGGED, "text": (None,), "dtype": "int64"},
        r"train\.text: an array \[4, 5\]; expected n x 3 x tokens",
    ),
    "raw_text of rank 2": (
        spoilt("raw_text", np.full((4, 2), "a"), make=mmsa), {**RAGGED, "text": (), "dtype": "text"},
        r"train\.text: an array \[4, 2\] where one text per sample",
    ),
    "no raw_text": (mult(), {"text": (), "dtype": "text"}, r"text: declared is text, which is read from raw_text"),
    "no text_bert": (mult(), {"text": (None,), "dtype": "int64"}, r"text: declared .*from text_bert \(MMSA only\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", MMSA_FAULTS)
def test_faults_of_lengths_and_text(tmp_path: Path, name: str) -> None:
    content, declared, said = MMSA_FAULTS[name]
    with pytest.raises(DataError, match=said):
        read(SOURCE, tmp_path, content, forms(**declared))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("text", np.nan, "text: NaN at step 2"), ("audio", np.nan, "audio: NaN at step 2")],
)
def test_nan_is_an_error_of_its_sample(tmp_path: Path, name: str, value: float, said: str) -> None:
    content = mult()
    content["valid"][name][1, 2, 0] = value
    raw = read(SOURCE, tmp_path, content, forms())
    with pytest.raises(ValueError, match=said):
        raw.sample(5, np.arange(9))
    assert raw.place(5) == "t.pkl: valid, sample 1 (valid1$_$1.5$_$2)"


def test_token_ids_that_are_none(tmp_path: Path) -> None:
    for value in (0.5, -1, np.nan, np.inf, 1e30):
        content = mmsa()
        content["train"]["text_bert"][3, 0, 1] = value
        raw = read(SOURCE, tmp_path, content, forms((6, 2), (None,), (7, 3), "int64"))
        with pytest.raises(ValueError, match="text: its token ids are not whole numbers"):
            raw.sample(3, np.arange(9))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.booleans(), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_file_is_read_or_refused_never_anything_else(
    tmp_path: Path, first: bool, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(pickle.dumps(mult(2) if first else mmsa()))
    for position, value in changes:
        data[position % len(data)] = value
    with contextlib.suppress(DataError, ValueError):
        declared = forms((2, 2), (2, 4), (2, 3)) if first else forms((None, 2), (None,), (None, 3), "int64")
        sampled(read(SOURCE, tmp_path, bytes(data), declared))


@pytest.mark.parametrize("path", ["/etc/passwd", "../t.pkl", "a/../../t.pkl"])
def test_no_path_leads_out_of_the_project(tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError, match="not a plain path below the project's folder"):
        MOSI(path=path).read(tmp_path, forms(), None)  # type: ignore[arg-type]


@pytest.fixture
def project(tmp_path: Path, root: Path) -> Path:
    """A project with the committed document, and the twin where it looks."""
    (tmp_path / "specs/datasets").mkdir(parents=True)
    shutil.copy(root / "specs/datasets/mosi.yaml", tmp_path / "specs/datasets")
    write(tmp_path / "data/raw/mosi")
    return tmp_path


def document(project: Path) -> Any:
    return load_dataset("mosi", Project(project)).spec


def test_the_twin_becomes_prepared_data(project: Path) -> None:
    file = project / "data/raw/mosi/mosi_data.pkl"
    marker.mark(file.parent, "mosi", 0)
    prepared = Prepared.open(prepare(document(project), "mosi", project), verify=True)
    content = pickle.loads(file.read_bytes())  # noqa: S301 (our own twin)
    assert prepared.manifest.counts == {"train": 32, "valid": 8, "test": 16}
    for split, part in content.items():
        here = prepared.split(split)
        np.testing.assert_array_equal(here.target, part["labels"][:, 0])
        for name in ("audio", "text", "vision"):
            np.testing.assert_array_equal(here.take(name, np.arange(len(here))), part[name])
        assert here.ids[0] == b"$_$".join(part["id"][0]).decode()
    assert prepared.manifest.raw["data/raw/mosi/mosi_data.pkl"].size == file.stat().st_size
    assert prepared.manifest.banner.startswith("made by `cggm twin mosi`")
    assert check_raw(document(project), "mosi", project) == []
    write(project / "data/raw/mosi", seed=1)
    assert check_raw(document(project), "mosi", project) != []


def test_the_twin_is_small_and_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name)
    first, second = ((tmp_path / name / "mosi_data.pkl").read_bytes() for name in "ab")
    assert first == second
    assert len(first) < 6e6


def test_all_faulty_samples_are_told_at_once(project: Path) -> None:
    file = project / "data/raw/mosi/mosi_data.pkl"
    content = pickle.loads(file.read_bytes())  # noqa: S301 (our own twin)
    content["train"]["text"][2, 7, 0] = np.nan
    content["test"]["vision"][1, 0, 0] = np.inf
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError) as caught:
        prepare(document(project), "mosi", project)
    first, second = str(caught.value).splitlines()
    assert first.startswith("data/raw/mosi/mosi_data.pkl: train, sample 2 (train00twin$_$2.25$_$3.0): error: text: NaN")
    assert second.startswith("data/raw/mosi/mosi_data.pkl: test, sample 1 (test00twin$_$1.25$_$2.0): error: vision: ")
    assert not (project / "data/prepared/mosi").exists()


def test_what_is_missing_is_said_with_where_it_is_published(project: Path) -> None:
    shutil.rmtree(project / "data/raw/mosi")
    with pytest.raises(DataError, match=r"specs/datasets/mosi\.yaml: error: source\.path: .* does not exist") as caught:
        prepare(document(project), "mosi", project)
    assert "dvc import-url ADDRESS data/raw/mosi/mosi_data.pkl" in str(caught.value)
