"""Datasets of features, end to end on twelve dishes: what is stored is what the encoders say; order, gaps, refusals."""

from __future__ import annotations

import io
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from transformers import BertConfig, BertModel, BertTokenizerFast, ViTImageProcessor

from cggm_pipeline.build import features
from cggm_pipeline.build.features import check_raw, expected, prepare
from cggm_pipeline.build.transforms import build_transforms
from cggm_pipeline.cli import cggm
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sources.base import Raw
from cggm_pipeline.data.writing import Content, write
from cggm_pipeline.encoders.text import Text
from cggm_pipeline.encoders.timm import Timm
from cggm_pipeline.errors import BuildError, DataError
from cggm_pipeline.layers.features import Input
from cggm_pipeline.spec import Project, load_dataset
from cggm_pipeline.spec.dataset import Dataset

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "apple", "pie", "with", "cream", "soup"]
SPLITS = ["train"] * 7 + ["valid"] * 2 + ["test"] * 3
MEALS = """version: 1
kind: dataset
source:
  kind: table
  path: raw/meals.csv
  columns: {photo: {columns: [photo], type: image}, words: {columns: [words], type: text}}
  target: dish
split: {kind: random}
modalities:
  photo: {shape: [3, null, null], dtype: uint8}
  words: {shape: [], dtype: text}
target: {kind: classes, number: 2}
"""
FEATURES = """version: 1
kind: dataset
source:
  kind: features
  data: meals
  batch_size: 3
  modalities:
    photo:
      encoder: {kind: timm, model: test_vit, pretrained: vit.safetensors, output: tokens, freeze: true}
      transforms: [{kind: resize, size: [32, 32]}, {kind: scale, factor: 0.00392156862745098}]
    words:
      encoder: {kind: text, model: bert, width: 16, freeze: true}
      transforms: [{kind: tokenise, tokenizer: bert, max_length: 6}]
split: {kind: published}
modalities:
  photo: {shape: [5, 64], dtype: float16}
  words: {shape: [null, 16], dtype: float16}
target: {kind: classes, number: 2}
"""


class Meals(Raw):
    """Twelve photos of different sizes with a few words each; the third has no words, the ninth no photo."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.photos = [_png(random) for _ in SPLITS]
        self.words = [" ".join(random.choice(WORDS[5:], size=1 + k % 5)) for k in range(len(SPLITS))]
        self.ids = [f"meal-{k}" for k in range(len(SPLITS))]
        self.labels = [str(k % 2) for k in range(len(SPLITS))]
        self.files, self.splits, self.banner = {}, SPLITS, "made up"
        self.groups = [f"kitchen-{k // 2}" for k in range(len(SPLITS))]
        self.absent = {"words": np.arange(12) == 2, "photo": np.arange(12) == 8}

    def sample(self, index: int, members: np.ndarray) -> dict[str, Any]:
        gone = {name: self.absent[name][index] for name in self.absent}
        return {
            "photo": None if gone["photo"] else self.photos[index],
            "words": None if gone["words"] else self.words[index],
        }


def _png(random: np.random.Generator) -> bytes:
    stream = io.BytesIO()
    height, width = random.integers(20, 50, 2)
    Image.fromarray(random.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(stream, "png")
    return stream.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the dishes prepared, and the weights of a tiny BERT and a tiny ViT in it."""
    root = tmp_path_factory.mktemp("meals")
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=len(WORDS)
    )
    BertModel(config).save_pretrained(root / "bert")
    BertTokenizerFast(vocab={word: k for k, word in enumerate(WORDS)}).save_pretrained(root / "bert")
    import safetensors.torch

    safetensors.torch.save_file(Timm((3, 32, 32), model="test_vit").model.state_dict(), root / "vit.safetensors")
    for name, text in (("meals", MEALS), ("features", FEATURES)):
        (root / "specs" / "datasets").mkdir(parents=True, exist_ok=True)
        (root / "specs" / "datasets" / f"{name}.yaml").write_text(text)
    raw = Meals()
    forms = {"photo": Form((3, None, None), "uint8"), "words": Form((), "text")}
    target = np.array([int(label) for label in raw.labels])
    write(root / "data" / "prepared" / "meals", Content("meals", raw, forms, target, ("0", "1"), SPLITS))
    return root


@pytest.fixture
def project(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.set_num_threads(1)
    monkeypatch.chdir(made)
    return made


def document(root: Path, *changes: tuple[str, str]) -> Dataset:
    text = FEATURES
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (root / "specs" / "datasets" / "features.yaml").write_text(text)
    return load_dataset("features", Project(root)).spec


def opened(root: Path) -> tuple[Prepared, Prepared]:
    folder = root / "data" / "prepared"
    return Prepared.open(folder / "meals"), Prepared.open(folder / "features", verify=True)


def test_what_is_stored_is_what_the_encoders_say(project: Path) -> None:
    prepare(document(project), "features", project, device="cpu")
    meals, found = opened(project)
    text = Text((None,), model="bert", width=16, freeze=True)
    image = Timm((3, 32, 32), model="test_vit", pretrained="vit.safetensors", output="tokens").eval()
    tokenizer = BertTokenizerFast.from_pretrained(project / "bert")
    for split in ("train", "valid", "test"):
        source, stored = meals.split(split), found.split(split)
        for index in range(len(source)):
            sample = source[index]
            assert (stored[index]["words"] is None, stored[index]["photo"] is None) == (
                sample["words"] is None,
                sample["photo"] is None,
            )
            if sample["words"] is not None:
                ids = tokenizer(sample["words"], truncation=True, max_length=6, return_tensors="pt")["input_ids"]
                expected_words = text(Input(ids)).tensor[0].numpy().astype(np.float16)
                np.testing.assert_allclose(stored[index]["words"], expected_words, rtol=2e-3, atol=1e-4)
            if sample["photo"] is not None:
                pixels = torch.from_numpy(sample["photo"])[None].float()
                resized = torch.nn.functional.interpolate(pixels, (32, 32), mode="bilinear", antialias=True) / 255
                with torch.no_grad():
                    tokens = image(Input(resized)).tensor[0].numpy().astype(np.float16)
                np.testing.assert_allclose(stored[index]["photo"], tokens, rtol=5e-3, atol=2e-3)


def test_samples_splits_targets_groups_and_banner_are_the_others(project: Path) -> None:
    prepare(document(project), "features", project, device="cpu")
    meals, found = opened(project)
    for split in ("train", "valid", "test"):
        assert found.split(split).ids == meals.split(split).ids
        assert found.split(split).groups == meals.split(split).groups
        assert found.split(split).target.tolist() == meals.split(split).target.tolist()
    assert found.manifest.counts == meals.manifest.counts == {"train": 7, "valid": 2, "test": 3}
    assert (found.manifest.banner, found.manifest.grouped) == ("made up", True)
    assert found.manifest.classes == ("0", "1")
    assert found.manifest.class_counts == meals.manifest.class_counts
    assert found.manifest.absent == meals.manifest.absent
    assert {name: str(form) for name, form in found.manifest.modalities.items()} == {
        "photo": "[5, 64] float16",
        "words": "[null, 16] float16",
    }
    assert not (project / "specs" / "splits" / "features.csv").exists()


def test_statistics_are_those_of_the_training_features(project: Path) -> None:
    prepare(document(project), "features", project, device="cpu")
    _, found = opened(project)
    train = found.split("train")
    rows = np.concatenate([train[index]["words"] for index in range(7) if index != 2]).astype(np.float64)
    statistics = found.manifest.statistics["words"]
    np.testing.assert_allclose(statistics.mean, rows.mean(0), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(statistics.std, rows.std(0), rtol=1e-6)
    assert statistics.samples == 6


def test_the_same_bytes_each_time_and_whatever_the_batches(project: Path) -> None:
    digests = set()
    for _ in range(2):
        prepare(document(project), "features", project, device="cpu")
        digests.add(opened(project)[1].manifest.digest)
    assert len(digests) == 1
    one = [opened(project)[1].split("train")[k]["words"] for k in range(7) if k != 2]
    prepare(document(project, ("batch_size: 3", "batch_size: 1")), "features", project, device="cpu")
    other = [opened(project)[1].split("train")[k]["words"] for k in range(7) if k != 2]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)


def test_the_manifest_says_what_they_come_from(project: Path) -> None:
    dataset = document(project)
    prepare(dataset, "features", project, device="cpu")
    raw = opened(project)[1].manifest.raw
    assert set(raw) == {"data/prepared/meals/manifest.json", "encoders/photo", "encoders/words"}
    assert raw["encoders/words"].size == 4 * sum(p.numel() for p in Text((None,), model="bert", width=16).parameters())
    assert check_raw(dataset, "features", project) == []
    other = document(project, ("pretrained: vit.safetensors", "pretrained: false"))
    (line,) = check_raw(other, "features", project)
    assert line.startswith("encoders/photo: changed")


def test_the_size_is_said_before_anything_is_written(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(document(project), "features", project, device="cpu")
    said = " ".join(capsys.readouterr().err.split())
    photo, words = 12 * 5 * 64 * 2, 12 * 6 * 16 * 2
    assert (
        f"photo [5, 64] float16: {photo / 1e3:.1f} kB; words [null, 16] float16: at most {words / 1e3:.1f} kB" in said
    )
    before = opened(project)[1].manifest.digest
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(features.shutil, "disk_usage", lambda path: usage(0, 0, photo))
    with pytest.raises(DataError, match=r"need up to 10\.0 kB, and the disk has 7\.7 kB left"):
        prepare(document(project), "features", project, device="cpu")
    assert opened(project)[1].manifest.digest == before


def test_the_size_at_the_scale_of_food_101() -> None:
    """90,704 samples of 197 x 768 and at most 50 x 768 numbers of two bytes: about 34 GB."""
    root = Path(__file__).resolve().parents[3]
    dataset = load_dataset("food101-features", Project(root)).spec
    forms = {name: Form(shape.shape, shape.dtype) for name, shape in dataset.modalities.items()}
    counts = {"train": 60_000, "valid": 8_000, "test": 22_704}
    stands_for = type("Prepared", (), {"manifest": type("Manifest", (), {"counts": counts, "modalities": forms})})
    sizes = expected(dataset.source, stands_for, forms)  # type: ignore[arg-type]
    assert sizes == {"image": 90_704 * 197 * 768 * 2, "text": 90_704 * 50 * 768 * 2}
    assert 34.3e9 < sum(sizes.values()) < 34.5e9  # type: ignore[arg-type]


def test_the_transforms_of_food_101_are_those_of_the_vit_it_names() -> None:
    """google/vit-base-patch16-224: resize to 224 x 224, bilinear; 1/255; mean and standard deviation 0.5."""
    dataset = load_dataset("food101-features", Project(Path(__file__).resolve().parents[3])).spec
    prepared = type("Manifest", (), {"statistics": {}})
    steps = build_transforms(dataset.source, "image", prepared)  # type: ignore[arg-type]
    rows, columns = np.mgrid[0:300, 0:260]
    photo = np.stack([rows % 256, columns % 256, (rows + columns) // 3]).astype(np.uint8)
    values = torch.from_numpy(photo)[None].float()
    for step in steps:
        values = step(values, None, torch.Generator())  # type: ignore[operator]
    processor = ViTImageProcessor(image_mean=[0.5] * 3, image_std=[0.5] * 3, size={"height": 224, "width": 224})
    expected_values = processor(photo.transpose(1, 2, 0), return_tensors="pt")["pixel_values"]
    assert values.shape == expected_values.shape == (1, 3, 224, 224)
    torch.testing.assert_close(values, expected_values, rtol=0, atol=1.01 / 127.5)  # it rounds to 8 bits in between


def test_an_overflow_is_located_and_nothing_is_written(project: Path) -> None:
    prepare(document(project), "features", project, device="cpu")
    before = opened(project)[1].manifest.digest
    huge = document(
        project, ("{kind: text, model: bert, width: 16, freeze: true}", "{kind: text, model: huge, width: 16}")
    )
    model = BertModel.from_pretrained(project / "bert")
    model.encoder.layer[0].output.LayerNorm.weight.data.mul_(1e6)
    model.save_pretrained(project / "huge")
    with pytest.raises(DataError, match=r"sample meal-0.*words: it holds values that are not finite in float16"):
        prepare(huge, "features", project, device="cpu")
    assert opened(project)[1].manifest.digest == before
    assert sorted(path.name for path in (project / "data" / "prepared").iterdir() if not path.name.startswith(".")) == [
        "features",
        "meals",
    ]


def test_what_is_not_as_declared_is_refused_at_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"modalities.photo.shape: the features of 'photo' have shape \[5, 64\]"):
        prepare(document(project, ("[5, 64]", "[9, 64]")), "features", project, device="cpu")
    with pytest.raises(BuildError, match=r"modalities.photo.encoder: it gives tokens features of width 64"):
        prepare(document(project, ("[5, 64]", "[5, 32]")), "features", project, device="cpu")
    absent = document(project, ("model: bert", "model: absent"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BuildError, match=r"source: modalities.words.encoder: model: transformers cannot make 'absent'"):
        prepare(absent, "features", project, device="cpu")


def test_without_its_upstream_it_says_what_to_prepare(project: Path, tmp_path: Path) -> None:
    (tmp_path / "specs" / "datasets").mkdir(parents=True)
    for name in ("meals", "features"):
        text = (project / "specs" / "datasets" / f"{name}.yaml").read_text()
        (tmp_path / "specs" / "datasets" / f"{name}.yaml").write_text(text)
    with pytest.raises(DataError, match=r"meals.*not prepared(.*\n)*.*cggm prepare meals"):
        prepare(document(project), "features", tmp_path)


def test_validate_builds_the_encoders_on_the_meta_device(project: Path) -> None:
    document(project)
    path = "specs/datasets/features.yaml"
    (found,) = [line for line in _validated(path, 0).splitlines() if "encoders.words" in line]
    count = sum(p.numel() for p in Text((None,), model="bert", width=16).parameters())
    assert found.split() == ["encoders.words", f"{count:,}"]
    document(project, ("[5, 64]", "[9, 64]"))
    said = _validated(path, 1)
    assert "features.yaml:9:16: error: source.modalities.photo.encoder: its features have shape [5, 64]" in said
    assert "modalities.photo.shape says [9, 64]" in said
    document(project, ("model: test_vit", "model: test_vat"))
    assert "timm has no 'test_vat'; did you mean 'test_vit" in _validated(path, 1)


def _validated(path: str, code: int) -> str:
    result = CliRunner().invoke(cggm, ["validate", "--build", path])
    assert result.exit_code == code, result.output
    return result.output


def test_the_command_prepares_features_as_it_prepares_data(project: Path) -> None:
    document(project)
    result = CliRunner().invoke(cggm, ["prepare", "features"])
    assert result.exit_code == 0, result.output
    assert "data/prepared/features" in result.output
    checked = CliRunner().invoke(cggm, ["prepare", "features", "--check"])
    assert checked.exit_code == 0, checked.output
    document(project, ("pretrained: vit.safetensors", "pretrained: false"))
    assert CliRunner().invoke(cggm, ["prepare", "features", "--check"]).exit_code == 1
