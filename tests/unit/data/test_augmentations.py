"""What moves a pixel moves its class along; the draws are those of the seed, the epoch and the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cggm_pipeline.data.augmentations.crop import Crop
from cggm_pipeline.data.augmentations.mirror import Mirror
from cggm_pipeline.data.batches import Resident, Streamed, order
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sources.base import Raw
from cggm_pipeline.data.writing import Content, write
from cggm_pipeline.errors import DataError

HEIGHT, WIDTH = 6, 8


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixels(batch: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Images whose values say which pixel of which sample they are, and a mask of the same numbers."""
    numbers = torch.arange(batch * HEIGHT * WIDTH).view(batch, HEIGHT, WIDTH)
    return {"a": numbers[:, None].float(), "b": torch.stack([numbers, -numbers], 1).float()}, numbers


@pytest.mark.parametrize("step", [Crop(size=(3, 5)), Crop(size=(4, 4), at="middle"), Mirror(axes=("height", "width"))])
def test_images_and_mask_stay_together(step) -> None:
    images, mask = pixels(64)
    before = {name: values.clone() for name, values in images.items()}
    moved, classes = step(images, mask, generator())
    assert classes.dtype == torch.int64
    assert torch.equal(moved["a"][:, 0], classes.float())
    assert torch.equal(moved["b"][:, 0], classes.float())
    assert torch.equal(moved["b"][:, 1], -classes.float())
    assert all(torch.equal(images[name], before[name]) for name in images)
    alone, none = step(images, None, generator())
    assert none is None
    assert torch.equal(alone["b"], moved["b"])  # the draws do not depend on the mask


def test_a_crop_is_a_window_and_every_place_that_fits_comes_up() -> None:
    images, mask = pixels(600)
    _, cut = Crop(size=(4, 5))(images, mask, generator())
    corner = cut[:, 0, 0] % (HEIGHT * WIDTH)
    rows, columns = corner // WIDTH, corner % WIDTH
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {(r, c) for r in range(3) for c in range(4)}
    for sample in range(5):
        r, c = int(rows[sample]), int(columns[sample])
        assert torch.equal(cut[sample], mask[sample, r : r + 4, c : c + 5])


def test_a_crop_in_the_middle_draws_nothing() -> None:
    images, mask = pixels(3)
    cut, _ = Crop(size=(4, 5), at="middle")(images, mask, generator())
    assert torch.equal(cut["a"], images["a"][..., 1:5, 1:6])
    whole, _ = Crop(size=(HEIGHT, WIDTH))(images, mask, generator())
    assert torch.equal(whole["b"], images["b"])


def test_a_crop_that_does_not_fit_is_refused() -> None:
    images, mask = pixels(2)
    with pytest.raises(DataError, match=r"crop: \(7, 8\) does not fit into images of \(6, 8\)"):
        Crop(size=(7, 8))(images, mask, generator())
    with pytest.raises(DataError, match="differ in size"):
        Crop(size=(2, 2))({**images, "c": torch.zeros(2, 1, 5, 8)}, mask, generator())


def test_a_mirror_takes_each_axis_as_often_as_it_says() -> None:
    images, mask = pixels(3000)
    _, moved = Mirror(probability=0.25, axes=("height", "width"))(images, mask, generator())
    up = moved[:, 0, 0] % (HEIGHT * WIDTH) // WIDTH == HEIGHT - 1
    left = moved[:, 0, 0] % WIDTH == WIDTH - 1
    assert up.float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert left.float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert (up & left).float().mean().item() == pytest.approx(1 / 16, abs=0.02)
    assert torch.equal(moved[up & left][0], mask[up & left][0].flip(0, 1))


class Scans(Raw):
    def __init__(self, number: int) -> None:
        self.ids = [str(index) for index in range(number)]
        self.labels = [""] * number
        self.files = {}
        self.absent = {"t2": np.arange(number) % 4 == 1}

    def sample(self, index: int, members: np.ndarray) -> dict[str, np.ndarray | None]:
        image = np.arange(HEIGHT * WIDTH, dtype=np.float32).reshape(1, HEIGHT, WIDTH)
        return {
            "t1": image,
            "t2": None if index % 4 == 1 else (image + 1).astype(np.uint8),
            "age": np.full(3, index, np.float32),
        }

    def mask(self, index: int) -> np.ndarray:
        return np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)


@pytest.fixture
def prepared(tmp_path) -> Prepared:
    forms = {"t1": Form((1, HEIGHT, WIDTH), "float16"), "t2": Form((1, HEIGHT, WIDTH), "uint8")}
    forms["age"] = Form((3,), "float32")
    names = [str(index) for index in range(HEIGHT * WIDTH)]
    splits = ["train"] * 21 + ["valid", "test"]
    write(tmp_path / "s", Content("s", Scans(23), forms, None, names, splits, (HEIGHT, WIDTH)))
    return Prepared.open(tmp_path / "s")


def epoch(view, start: int = 0, seed: int = 1, epoch: int = 2, train: bool = True):
    shuffled = order(21, 1, 2)
    return list(view.batches(5, order=shuffled, seed=seed, epoch=epoch, train=train, start=start))


def bits(batches) -> list[torch.Tensor]:
    return [x for b in batches for x in (b.target, b.index, *(given.values for given in b.inputs.values()))]


def test_batches_are_augmented_alike_resident_streamed_and_resumed(prepared: Prepared) -> None:
    steps = [Crop(size=(4, 5)), Mirror()]
    resident, streamed = (kind(prepared.split("train"), augment=steps) for kind in (Resident, Streamed))
    whole = epoch(resident)
    assert all(torch.equal(a, b) for a, b in zip(bits(whole), bits(epoch(streamed)), strict=True))
    for start in (1, 3):
        assert all(torch.equal(a, b) for a, b in zip(bits(whole[start:]), bits(epoch(streamed, start)), strict=True))
    for batch in whole:
        assert batch.target.shape[1:] == batch.inputs["t1"].values.shape[2:] == (4, 5)
        assert torch.equal(batch.inputs["t1"].values[:, 0], batch.target.float())
        there = batch.inputs["t2"].present
        assert torch.equal(batch.inputs["t2"].values[there][:, 0], batch.target[there] + 1.0)
        assert not batch.inputs["t2"].values[~there].any()
        assert batch.inputs["age"].values[:, 0].tolist() == batch.index.tolist()


def test_epochs_and_seeds_draw_anew_and_evaluation_sees_whole_images(prepared: Prepared) -> None:
    view = Resident(prepared.split("train"), augment=[Crop(size=(4, 5))])
    first = epoch(view)
    for other in (epoch(view, epoch=3), epoch(view, seed=2)):
        assert not all(torch.equal(a, b) for a, b in zip(bits(first), bits(other), strict=True))
    assert all(batch.target.shape[1:] == (HEIGHT, WIDTH) for batch in epoch(view, train=False))


class Recorded(TorchDispatchMode):
    """Notes every operation that torch runs."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.name().removeprefix("aten::").partition(".")[0])
        return func(*args, **(kwargs or {}))


def test_no_value_is_read_from_the_device(prepared: Prepared) -> None:
    view = Resident(prepared.split("train"), augment=[Crop(size=(4, 5)), Mirror(axes=("height", "width"))])
    with Recorded() as recorded:
        assert len(epoch(view)) == 4
    assert "gather" in recorded.names
    assert not recorded.names & {"_local_scalar_dense", "item", "nonzero", "masked_select", "is_nonzero", "equal"}
