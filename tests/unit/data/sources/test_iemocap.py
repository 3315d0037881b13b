"""IEMOCAP in the layout of MMIN: to the prepared form, and every fault with the file and the utterance."""

from __future__ import annotations

import pickle
import shutil
import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from cggm_pipeline.build.data import prepare
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.twins import iemocap as twin
from cggm_pipeline.data.twins.marker import mark
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec.dataset import Dataset

PATH = "data/raw/iemocap"
SPECS = Path(__file__).parents[4] / "specs" / "datasets"
FILES = {name: file for name, (file, _, _) in twin.FILES.items()}
SPLITS = {"train": "trn", "valid": "val", "test": "tst"}


def document(modalities: dict[str, Any] | None = None, **source: Any) -> Dataset:
    data = yaml.safe_load((SPECS / "iemocap.yaml").read_text())
    data["source"] = {"kind": "iemocap", "path": PATH, **source}
    data["modalities"] |= modalities or {}
    return Dataset.model_validate(data)


class Folder:
    """A project with the twin's files, which a test spoils."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.raw = root / PATH
        self.target = self.raw / "target" / "1"

    def names(self, split: str) -> list[str]:
        names = np.load(self.target / f"{SPLITS[split]}_int2name.npy")
        return [name.decode() for name in names[:, 0]]

    def file(self, modality: str) -> h5py.File:
        return h5py.File(self.raw / FILES[modality], "r+")

    def values(self, modality: str, key: str) -> np.ndarray:
        with h5py.File(self.raw / FILES[modality], "r") as file:
            return file[key][()]

    def put(self, modality: str, key: str, values: Any, **options: Any) -> None:
        with self.file(modality) as file:
            del file[key]
            file.create_dataset(key, data=values, **options)

    def save(self, name: str, values: Any) -> None:
        np.save(self.target / f"{name}.npy", values)

    def prepared(self, spec: Dataset | None = None) -> Prepared:
        return Prepared.open(prepare(spec or document(), "iemo", self.root), verify=True)

    def error(self, spec: Dataset | None = None) -> str:
        with pytest.raises(DataError) as caught:
            prepare(spec or document(), "iemo", self.root)
        assert not (self.root / "data" / "prepared" / "iemo").exists()
        return str(caught.value)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("iemocap")
    twin.write(root / PATH)
    return root


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Folder:
    shutil.copytree(made, tmp_path / "project")
    return Folder(tmp_path / "project")


def unpadded(values: np.ndarray) -> np.ndarray:
    return values[: np.flatnonzero(values.any(1))[-1] + 1]


def test_the_layout_comes_back(folder: Folder) -> None:
    prepared = folder.prepared(document(normalise=None))
    assert prepared.manifest.counts == {"train": 64, "valid": 24, "test": 32}
    assert prepared.manifest.classes == ("0", "1", "2", "3")
    for split, short in SPLITS.items():
        samples = prepared.split(split)
        assert samples.ids == folder.names(split)
        labels = np.load(folder.target / f"{short}_label.npy").argmax(1)
        assert samples.target.tolist() == labels.tolist()
        for index, key in enumerate(samples.ids):
            for modality in FILES:
                assert np.array_equal(samples[index][modality], unpadded(folder.values(modality, key)))
    files = [f"target/1/{short}_{part}.npy" for short in SPLITS.values() for part in ("int2name", "label")]
    assert set(prepared.manifest.raw) == {f"{PATH}/{name}" for name in (*files, *FILES.values())}


def test_audio_is_normalised_over_the_training_frames(folder: Folder) -> None:
    prepared = folder.prepared()
    frames = np.concatenate([folder.values("audio", key) for key in folder.names("train")]).astype(np.float64)
    mean, std = frames.mean(0), frames.std(0)
    for split in SPLITS:
        samples = prepared.split(split)
        for index, key in enumerate(samples.ids):
            expected = (folder.values("audio", key) - mean) / std
            assert np.allclose(samples[index]["audio"], expected, rtol=1e-5, atol=1e-6)
    statistics = prepared.manifest.statistics["audio"]
    assert np.allclose(statistics.mean, 0, atol=1e-6)
    assert np.allclose(statistics.std, 1, atol=1e-6)


def test_audio_is_normalised_over_each_utterance(folder: Folder) -> None:
    train = folder.prepared(document(normalise="utterance")).split("train")
    for index, key in enumerate(train.ids):
        values = folder.values("audio", key).astype(np.float64)
        expected = (values - values.mean(0)) / values.std(0, ddof=1)  # torch.std, as in MMIN's code
        assert np.allclose(train[index]["audio"], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("normalise", ["training", "utterance"])
def test_a_constant_feature_is_centred_only(folder: Folder, normalise: str) -> None:
    for split in SPLITS:
        for key in folder.names(split):
            values = folder.values("audio", key)
            values[:, 7] = 4.5
            folder.put("audio", key, values)
    prepared = folder.prepared(document(normalise=normalise))
    assert not any(audio[:, 7].any() for audio in prepared.split("test").take("audio", range(32)))


def test_an_utterance_of_one_frame_has_no_deviation(folder: Folder) -> None:
    key = folder.names("valid")[0]
    folder.put("audio", key, folder.values("audio", key)[:1])
    valid = folder.prepared(document(normalise="utterance")).split("valid")
    assert valid[0]["audio"].shape == (1, 130)
    assert not valid[0]["audio"].any()


def test_padding_at_the_end_is_dropped_and_the_rest_is_masked(folder: Folder) -> None:
    from cggm_pipeline.data.batches import Resident

    one, two = folder.names("test")[:2]
    values = folder.values("video", one)[:3]
    values[1] = 0  # a zero step in the middle is none of it
    folder.put("video", one, np.concatenate([values, np.zeros((40, 342), np.float32)]))
    folder.put("video", two, np.zeros((9, 342), np.float32))
    test = folder.prepared().split("test")
    assert np.array_equal(test[0]["video"], values)
    assert test[1]["video"].shape == (1, 342)
    batch = next(Resident(test, device="cpu").batches(4)).inputs["video"]
    assert batch.mask is not None
    lengths = [len(video) for video in test.take("video", range(4))]
    assert batch.values.shape == (4, max(lengths), 342)
    assert (~batch.mask).sum(1).tolist() == lengths


def test_padding_takes_no_part_in_the_normalisation(folder: Folder) -> None:
    before = folder.prepared().manifest.files
    for key in folder.names("train"):
        folder.put("audio", key, np.concatenate([folder.values("audio", key), np.zeros((50, 130), np.float32)]))
    assert folder.prepared().manifest.files == before


def test_long_sequences_are_cut_after_the_normalisation(folder: Folder) -> None:
    whole = folder.prepared().split("train")
    cut = folder.prepared(document(audio_steps=4, text_steps=2, video_steps=1)).split("train")
    for index in range(len(whole)):
        for modality, steps in (("audio", 4), ("text", 2), ("video", 1)):
            assert np.array_equal(cut[index][modality], whole[index][modality][:steps])
    assert max(map(len, folder.prepared(document(video_steps=None)).split("train").take("video", range(64)))) == 7


def test_any_fold(folder: Folder) -> None:
    shutil.copytree(folder.target, folder.raw / "target" / "10")
    for part in ("int2name", "label"):
        one, two = (folder.raw / "target" / "10" / f"{split}_{part}.npy" for split in ("trn", "tst"))
        one.rename(folder.raw / "swap.npy")
        two.rename(one)
        (folder.raw / "swap.npy").rename(two)
    assert folder.prepared(document(fold=10)).manifest.counts == {"train": 32, "valid": 24, "test": 64}


def test_a_fold_that_is_not_there(folder: Folder) -> None:
    assert f"{PATH}/target/7 does not exist" in folder.error(document(fold=7))


def test_the_spec_names_the_files_of_its_fold() -> None:
    paths = document(path="a/b", fold=3).source.raw_paths()
    assert paths == ("a/b/A/comparE.h5", "a/b/L/bert_large.h5", "a/b/V/denseface.h5", "a/b/target/3")


@pytest.mark.parametrize("shape", ["(N)", "(N, 2)", "str"])
def test_names_in_every_published_shape(folder: Folder, shape: str) -> None:
    before = folder.prepared().manifest.files
    for short in SPLITS.values():
        names = np.load(folder.target / f"{short}_int2name.npy")[:, 0]
        other = np.array([b"x"] * len(names), names.dtype)
        made = {"(N)": names, "(N, 2)": np.stack([names, other], 1), "str": names.astype("U")}
        folder.save(f"{short}_int2name", made[shape])
    assert folder.prepared().manifest.files == before


@pytest.mark.parametrize("dtype", ["int64", "float64", "uint8"])
def test_labels_as_indices(folder: Folder, dtype: str) -> None:
    before = folder.prepared().manifest.files
    for short in SPLITS.values():
        folder.save(f"{short}_label", np.load(folder.target / f"{short}_label.npy").argmax(1).astype(dtype))
    assert folder.prepared().manifest.files == before


def test_double_precision_features_are_read(folder: Folder) -> None:
    before = folder.prepared().manifest.files
    for key in folder.names("train"):
        folder.put("text", key, folder.values("text", key).astype(np.float64), compression="gzip")
    assert folder.prepared().manifest.files == before


def test_the_same_bytes_with_any_number_of_threads(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    from cggm_pipeline.data import threads

    first = folder.prepared().manifest.digest
    monkeypatch.setattr(threads, "number", lambda piece=0: 6)
    assert folder.prepared().manifest.digest == first
    assert threading.active_count() < 6


@pytest.mark.parametrize("name", [*FILES.values(), "target/1/trn_label.npy", "target/1/tst_int2name.npy"])
def test_a_missing_file_is_named(folder: Folder, name: str) -> None:
    (folder.raw / name).unlink()
    told = folder.error()
    assert f"{PATH}/{name}" in told
    assert "does not exist" in told


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
def test_a_file_that_is_no_hdf5(folder: Folder, content: bytes) -> None:
    (folder.raw / FILES["video"]).write_bytes(content)
    assert f"{PATH}/V/denseface.h5: error: it is not a readable HDF5 file" in folder.error()


def test_a_missing_utterance_is_named_with_its_file(folder: Folder) -> None:
    key = folder.names("test")[3]
    with folder.file("text") as file:
        del file[key]
    told = folder.error()
    assert f"{PATH} fold 1, utterance {key} (test): error: L/bert_large.h5: it has no dataset '{key}'" in told


def test_all_missing_utterances_are_told_at_once(folder: Folder) -> None:
    with folder.file("audio") as file:
        for key in folder.names("train"):
            del file[key]
    told = folder.error()
    assert told.count("it has no dataset") == 20
    assert "and 44 more problems like these" in told


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.zeros((4, 129), np.float32), "has shape [4, 129], expected [T, 130]"),
        (np.zeros(130, np.float32), "has shape [130], expected [T, 130]"),
        (np.zeros((0, 130), np.float32), "has 0 steps (allowed: 1 to 20,000)"),
        (np.zeros((2, 130), "S3"), "holds |S3, not numbers"),
        (np.full((3, 130), np.nan, np.float32), "holds values that are not finite in float32"),
        (np.full((3, 130), 1e300), "holds values that are not finite in float32"),
        (np.full((3, 130), -np.inf), "holds values that are not finite in float32"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_features_that_are_none(folder: Folder, split: str, values: np.ndarray, why: str) -> None:
    key = folder.names(split)[2]
    folder.put("audio", key, values)
    told = folder.error()
    assert f"{PATH} fold 1, utterance {key} ({split}): error: A/comparE.h5: '{key}' {why}" in told


def test_a_dataset_that_promises_more_than_anybody_could_say(folder: Folder) -> None:
    key = folder.names("train")[0]
    with folder.file("audio") as file:
        del file[key]
        file.create_dataset(key, shape=(10**9, 130), dtype="f4", chunks=(1000, 130))
    assert "has 1,000,000,000 steps (allowed: 1 to 20,000)" in folder.error()


def test_a_few_bytes_that_unpack_to_gigabytes(folder: Folder) -> None:
    key = folder.names("train")[0]
    with folder.file("audio") as file:
        del file[key]
        file.create_dataset(key, (3, 130), "f4", chunks=(7_000_000, 130), maxshape=(None, 130), compression="gzip")
    assert f"'{key}' is packed in pieces of [7000000, 130] values; refused" in folder.error()


def test_damaged_values_are_named(folder: Folder) -> None:
    key = folder.names("train")[0]
    values = np.random.default_rng(0).normal(size=(500, 342))
    folder.put("video", key, values, compression="gzip", chunks=(500, 342))
    with h5py.File(folder.raw / FILES["video"], "r") as file:
        place = file[key].id.get_chunk_info(0).byte_offset
    with (folder.raw / FILES["video"]).open("r+b") as stream:
        stream.seek(place)
        stream.write(b"\xff" * 64)
    told = folder.error()
    assert f"V/denseface.h5: '{key}' cannot be read (" in told
    assert "the file is damaged" in told


def test_links_out_of_a_file_are_refused(folder: Folder, tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones((3, 130), np.float32)
    one, two, three, four = folder.names("train")[:4]
    layout = h5py.VirtualLayout((3, 130), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "x", (3, 130))
    (tmp_path / "secret.bin").write_bytes(b"\0" * 3 * 130 * 4)
    with folder.file("audio") as file:
        for key in (one, two, three, four):
            del file[key]
        file[one] = h5py.ExternalLink(str(secret), "x")
        file[two] = h5py.SoftLink("/nowhere")
        file.create_virtual_dataset(three, layout)
        file.create_dataset(four, (3, 130), "f4", external=[(str(tmp_path / "secret.bin"), 0, 3 * 130 * 4)])
    told = folder.error()
    assert f"'{one}' is a link (ExternalLink), not a dataset of this file; refused" in told
    assert f"'{two}' is a link (SoftLink)" in told
    assert f"'{three}' keeps its values in another file; refused" in told
    assert f"'{four}' keeps its values in another file; refused" in told


def test_a_group_is_no_dataset(folder: Folder) -> None:
    key = folder.names("train")[0]
    with folder.file("audio") as file:
        del file[key]
        file.create_group(key)
    assert f"'{key}' is a group, not a dataset" in folder.error()


def test_an_utterance_in_two_splits(folder: Folder) -> None:
    key = folder.names("train")[0]
    names = np.load(folder.target / "tst_int2name.npy")
    names[5] = key.encode()
    folder.save("tst_int2name", names)
    assert f"utterance {key} (test): error: it stands in split train already" in folder.error()


@pytest.mark.parametrize("name", ["a/b", "..", "A/../../x"])
def test_names_that_lead_elsewhere(folder: Folder, name: str) -> None:
    names = np.load(folder.target / "val_int2name.npy")
    names[0] = name.encode()
    folder.save("val_int2name", names)
    assert f"{name!r} is not the name of a dataset" in folder.error()


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("hacked"),)


@pytest.mark.parametrize("form", ["object array", "pickle"])
def test_pickles_are_never_loaded(folder: Folder, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.chdir(folder.root)
    path = folder.target / "trn_int2name.npy"
    if form == "object array":
        np.save(path, np.array([Hostile()], object), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(Hostile(), protocol=2))
    told = folder.error()
    assert f"{PATH}/target/1/trn_int2name.npy: error: it is not a plain .npy array" in told
    assert "Pickled Python objects are never loaded: fetch the file again, or have its owner save it" in told
    assert "unsafely" not in told, "numpy's advice"
    assert not (folder.root / "hacked").exists()


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        header("{'descr': '|S20', 'fortran_order': False, 'shape': (1000000000000,), }\n"),
        header("{'descr': '|S20', 'fortran_order': False, 'shape': (-1,), }\n"),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"),
        header("__import__('os')\n"),
        header("{'descr': [('a', '<f4'), 1], 'fortran_order': False, 'shape': (1,), }\n"),
    ],
)
def test_npy_files_that_are_none(folder: Folder, content: bytes) -> None:
    (folder.target / "trn_label.npy").write_bytes(content)
    assert f"{PATH}/target/1/trn_label.npy: error: " in folder.error()


def test_several_arrays_in_a_file(folder: Folder) -> None:
    np.savez(folder.raw / "x.npz", a=np.zeros(3))
    (folder.raw / "x.npz").rename(folder.target / "trn_label.npy")
    assert "trn_label.npy: error: it holds several arrays (.npz)" in folder.error()


@pytest.mark.parametrize(
    ("part", "values", "why"),
    [
        ("int2name", np.zeros((4, 2)), "int2name.npy: error: it holds float64 of shape [4, 2], expected the names"),
        ("int2name", np.zeros((0, 1), "S3"), "int2name.npy: error: it holds |S3 of shape [0, 1]"),
        ("int2name", np.full((24, 1), b"\xff"), "int2name.npy: error: the name of an utterance is not ASCII"),
        ("int2name", np.full((24, 1), b"a\nb"), "int2name.npy: error: 'a\\nb' is not the name of an utterance"),
        ("int2name", np.full((24,), ""), "int2name.npy: error: '' is not the name of an utterance"),
        ("label", np.zeros(23, int), "label.npy: error: 23 labels for 24 utterances"),
        ("label", np.zeros((24, 4, 1)), "label.npy: error: it holds float64 of shape [24, 4, 1], expected labels"),
        ("label", np.full(24, "ang"), "label.npy: error: it holds <U3 of shape [24], expected labels"),
        ("label", np.full((24, 4), 0.25), "label.npy: error: row 0 is not one-hot: [0.25, 0.25, 0.25, 0.25]"),
        ("label", np.zeros((24, 4)), "label.npy: error: row 0 is not one-hot: [0.0, 0.0, 0.0, 0.0]"),
        ("label", np.ones((24, 4), bool), "label.npy: error: row 0 is not one-hot"),
        ("label", np.full(24, 1.5), "label.npy: error: label 0 is 1.5, not a class index"),
        ("label", np.full(24, -1), "label.npy: error: label 0 is -1, not a class index"),
        ("label", np.full(24, np.nan), "label.npy: error: label 0 is nan, not a class index"),
        ("label", np.full(24, 4), "(valid): error: class '4' is none of 0, 1, 2, 3"),
    ],
)
def test_faults_of_a_fold(folder: Folder, part: str, values: np.ndarray, why: str) -> None:
    folder.save(f"val_{part}", values)
    assert why in folder.error()


def test_a_declared_width_that_is_not_the_files(folder: Folder) -> None:
    told = folder.error(document({"audio": {"shape": [None, 74]}}))
    assert "audio: it has shape [" in told
    assert ", 130], declared is [null, 74] float32" in told


def test_the_banner_of_a_twin_goes_along(folder: Folder) -> None:
    mark(folder.raw, "iemocap", 0)
    assert "made by `cggm twin iemocap`" in folder.prepared().manifest.banner


def test_the_twin_is_small_and_the_same_each_time(made: Path, tmp_path: Path) -> None:
    twin.write(tmp_path / "one")
    files = sorted(path.relative_to(made / PATH) for path in (made / PATH).rglob("*") if path.is_file())
    assert len(files) == 9
    assert sum((made / PATH / path).stat().st_size for path in files) < 6_000_000
    assert all((made / PATH / path).read_bytes() == (tmp_path / "one" / path).read_bytes() for path in files)


def test_every_modality_of_the_twin_tells_something_else(folder: Folder) -> None:
    prepared = folder.prepared()
    train, test = prepared.split("train"), prepared.split("test")
    scores = {}
    for modality in FILES:
        means = [np.stack([x.mean(0) for x in s.take(modality, range(len(s)))]) for s in (train, test)]
        emotions = np.stack([means[0][train.target == label].mean(0) for label in range(4)])
        nearest = ((means[1][:, None] - emotions) ** 2).sum(2).argmin(1)
        scores[modality] = (nearest == test.target).mean()
    assert 0.35 < scores["video"] < scores["text"]
    assert 0.5 < scores["audio"] < 1
