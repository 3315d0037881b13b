"""The two views of the digits: what the protocol says, and the same bytes every time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import rotate
from sklearn.datasets import load_digits

from cggm_pipeline.build.data import prepare
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources.digits_two_view import DigitsTwoView
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec.dataset import Dataset

SPLITS = ("train", "valid", "test")
FORMS = {name: Form((1, 8, 8), "float32") for name in ("rotated", "noisy")}


def read(**arguments):
    return DigitsTwoView(**arguments).read(Path(), FORMS, Problems())


def test_every_digit_stands_in_one_split_with_its_label(digits: Prepared) -> None:
    assert digits.manifest.counts == {"train": 1078, "valid": 270, "test": 449}
    ids = [key for split in SPLITS for key in digits.split(split).ids]
    assert sorted(ids) == [f"{index:04d}" for index in range(1797)]
    labels = load_digits().target
    for split in SPLITS:
        part = digits.split(split)
        assert part.target.tolist() == [labels[int(key)] for key in part.ids]
        counts = np.bincount(part.target, minlength=10)
        assert digits.manifest.class_counts[split] == tuple(counts)
        assert counts.max() - counts.min() <= 6


def test_rotated_view_is_the_image_turned_by_at_most_45_degrees(digits: Prepared) -> None:
    part, images = digits.split("valid"), load_digits().images / 16
    grid = np.linspace(-45, 45, 181)
    for position in range(5):
        view = part[position]["rotated"][0]
        image = images[int(part.ids[position])]
        errors = [np.abs(rotate(image, angle, reshape=False, order=1) - view).max() for angle in grid]
        assert min(errors) < 0.02


def test_without_noise_the_second_view_is_another_image_of_the_digit_in_the_same_split() -> None:
    raw, images = read(noise=0.0), (load_digits().images / 16).astype(np.float32)
    members = np.arange(300, 500)
    for index in range(300, 340):
        view = raw.sample(index, members)["noisy"][0]
        partners = [other for other in members if np.array_equal(images[other], view)]
        assert partners
        assert index not in partners
        assert {raw.labels[other] for other in partners} == {raw.labels[index]}


def test_noise_is_uniform_up_to_its_bound_and_clipped() -> None:
    clean, noisy = read(noise=0.0), read(noise=0.5)
    members = np.arange(400)
    difference = []
    for index in range(200):
        before = clean.sample(index, members)["noisy"]
        after = noisy.sample(index, members)["noisy"]
        assert after.max() <= 1
        difference.append((after - before)[before == 0])
    drawn = np.concatenate(difference)
    assert 0 <= drawn.min() < 0.01
    assert 0.49 < drawn.max() <= 0.5
    assert abs(drawn.mean() - 0.25) < 0.01


def test_a_sample_does_not_depend_on_the_order_of_its_split() -> None:
    raw = read()
    members = np.arange(300)
    one, two = raw.sample(7, members), raw.sample(7, members[::-1].copy())
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_seed_changes_what_is_drawn() -> None:
    members = np.arange(300)
    assert not np.array_equal(read(seed=0).sample(7, members)["noisy"], read(seed=1).sample(7, members)["noisy"])


def test_a_digit_alone_in_its_split_has_no_pair() -> None:
    with pytest.raises(ValueError, match="needs another image"):
        read().sample(0, np.array([0, 1, 2]))


def test_bytes_are_the_same_in_every_process(digits_project: Path, tmp_path: Path, digits_document: Dataset) -> None:
    code = (
        "import sys; from pathlib import Path; from cggm_pipeline.build.data import prepare\n"
        "from cggm_pipeline.spec.dataset import Dataset\n"
        "prepare(Dataset.model_validate_json(sys.argv[1]), 'digits', Path(sys.argv[2]))\n"
        "assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, digits_document.model_dump_json(), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    files = ["specs/splits/digits.csv", *(f"data/prepared/digits/{name}.arrow" for name in SPLITS)]
    for name in [*files, "data/prepared/digits/manifest.json"]:
        assert (tmp_path / name).read_bytes() == (digits_project / name).read_bytes(), name


def test_statistics_are_numpys(digits: Prepared) -> None:
    part = digits.split("train")
    for name in ("rotated", "noisy"):
        values = part.take(name, range(len(part))).astype(np.float64)
        found = digits.manifest.statistics[name]
        assert found.samples == len(part)
        np.testing.assert_allclose(found.mean, values.mean((0, 2, 3)), rtol=1e-10)
        np.testing.assert_allclose(found.std, values.std((0, 2, 3)), rtol=1e-10)


def test_a_shape_that_is_not_declared_so_is_refused_by_name(tmp_path: Path, digits_document: Dataset) -> None:
    document = digits_document.model_dump(mode="json")
    document["modalities"]["rotated"]["shape"] = [1, 28, 28]
    with pytest.raises(DataError) as caught:
        prepare(Dataset.model_validate(document), "digits", tmp_path)
    message = str(caught.value)
    assert "rotated: it has shape [1, 8, 8], declared is [1, 28, 28] float32" in message
    assert message.endswith("and 1,777 more problems like these")
    assert not (tmp_path / "data" / "prepared" / "digits").exists()
