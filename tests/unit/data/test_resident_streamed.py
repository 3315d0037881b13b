"""Resident and streamed batches are the same, bit for bit, from any batch on, and say where something is missing."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from cggm_pipeline.data import writing
from cggm_pipeline.data.batches import Batch, Resident, Streamed, derived_seed, order
from cggm_pipeline.data.images import decode
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sampling import spans
from cggm_pipeline.data.transforms.flip import Flip
from cggm_pipeline.data.transforms.mask import Mask
from cggm_pipeline.data.transforms.noise import Noise
from cggm_pipeline.data.transforms.normalise import Normalise
from cggm_pipeline.data.transforms.resize import Resize
from cggm_pipeline.data.transforms.scale import Scale
from cggm_pipeline.data.transforms.shift import Shift
from cggm_pipeline.errors import DataError

SAMPLES = 53
FORMS = {
    "photo": Form((3, None, None), "uint8"),
    "image": Form((1, 6, 6), "uint8"),
    "steps": Form((None, 4), "float32"),
    "words": Form((), "text"),
    "body": Form((5,), "float16"),
    "codes": Form((2,), "int64"),
}


def png(random: np.random.Generator) -> bytes:
    stream = io.BytesIO()
    height, width = random.integers(3, 12, 2)
    Image.fromarray(random.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(stream, "png")
    return stream.getvalue()


@pytest.fixture
def prepared(written, monkeypatch) -> Prepared:
    """53 training samples of every form, in several record batches; photo, steps and body have gaps."""
    monkeypatch.setattr(writing, "CHUNK_ROWS", 11)
    random = np.random.default_rng(0)
    number = SAMPLES + 4
    values = {
        "photo": [None if k % 7 == 2 else png(random) for k in range(number)],
        "image": [random.integers(0, 255, (1, 6, 6), dtype=np.uint8) for _ in range(number)],
        "steps": [None if k % 9 == 4 else random.normal(size=(k % 6 + 1, 4)) for k in range(number)],
        "words": ["wörd " * (k % 3 + 1) for k in range(number)],
        "body": [None if k % 5 == 1 else random.normal(size=5) for k in range(number)],
        "codes": [random.integers(0, 99, 2) for _ in range(number)],
    }
    return written(FORMS, values, ["train"] * SAMPLES + ["valid", "valid", "test", "test"])


def transforms(prepared: Prepared):
    statistics = prepared.manifest.statistics
    return {
        "photo": [Resize(size=(5, 4)), Scale(factor=1 / 255), Flip()],
        "image": [Normalise(statistics["image"]), Shift(pixels=2), Noise(std=0.1)],
        "steps": [Normalise(statistics["steps"]), Mask(rate=0.3)],
    }


def same(one: Batch, two: Batch) -> bool:
    pairs = [(one.target, two.target), (one.index, two.index)]
    assert list(one.inputs) == list(two.inputs)
    for name, a in one.inputs.items():
        b = two.inputs[name]
        assert (a.mask is None, a.present is None) == (b.mask is None, b.present is None)
        pairs += [(x, y) for x, y in ((a.values, b.values), (a.mask, b.mask), (a.present, b.present)) if x is not None]
    return all(x.dtype == y.dtype and torch.equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("start", [0, 3])
def test_resident_and_streamed_batches_are_the_same(prepared: Prepared, train: bool, start: int) -> None:
    split = prepared.split("train")
    both = [kind(split, transforms=transforms(prepared)) for kind in (Resident, Streamed)]
    arguments = {"order": order(SAMPLES, 1, 2), "seed": 1, "epoch": 2, "train": train, "start": start}
    batches = [list(view.batches(8, **arguments)) for view in both]
    assert len(batches[0]) == len(batches[1]) == 7 - start
    assert all(same(one, two) for one, two in zip(*batches, strict=True))


@pytest.mark.parametrize("kind", [Resident, Streamed])
def test_continuing_at_a_batch_gives_the_same_bits(prepared: Prepared, kind) -> None:
    view = kind(prepared.split("train"), transforms=transforms(prepared))
    arguments = {"order": order(SAMPLES, 1, 2), "seed": 1, "epoch": 2, "train": True}
    whole = list(view.batches(8, **arguments))
    for start in range(8):
        rest = list(view.batches(8, **arguments, start=start))
        assert len(rest) == max(7 - start, 0)
        assert all(same(one, two) for one, two in zip(whole[start:], rest, strict=True))


def test_epochs_and_seeds_draw_anew_and_evaluation_never_draws(prepared: Prepared) -> None:
    view = Resident(prepared.split("train"), modalities=["image"], transforms=transforms(prepared))

    def first(**arguments) -> torch.Tensor:
        return next(view.batches(8, **arguments)).inputs["image"].values

    assert torch.equal(first(train=True, seed=3, epoch=1), first(train=True, seed=3, epoch=1))
    assert not torch.equal(first(train=True, seed=3, epoch=1), first(train=True, seed=3, epoch=2))
    assert not torch.equal(first(train=True, seed=3, epoch=1), first(train=True, seed=4, epoch=1))
    assert torch.equal(first(seed=3), first(seed=4))


def test_what_a_modality_draws_does_not_depend_on_the_others(prepared: Prepared) -> None:
    steps = transforms(prepared)
    alone = Resident(prepared.split("train"), modalities=["image"], transforms={"image": steps["image"]})
    among = Resident(prepared.split("train"), modalities=["photo", "image"], transforms=steps)
    one, two = (next(view.batches(8, train=True)).inputs["image"].values for view in (alone, among))
    assert torch.equal(one, two)


def test_padding_is_masked_and_zero(prepared: Prepared) -> None:
    split = prepared.split("train")
    view = Resident(split, modalities=["steps"], transforms=transforms(prepared))
    for batch in view.batches(8):
        given = batch.inputs["steps"]
        lengths = (~given.mask).sum(1)
        raw = split.take("steps", batch.index.numpy())
        assert lengths.tolist() == [len(sequence) for sequence in raw]
        assert given.values.shape == (len(raw), int(lengths.max()), 4)
        assert not given.values[given.mask].any()
        assert not given.values[~given.present].any()
        assert given.mask.dtype == given.present.dtype == torch.bool


def test_present_says_who_lacks_what_and_only_where_there_are_gaps(prepared: Prepared) -> None:
    batch = next(Resident(prepared.split("train"), transforms=transforms(prepared)).batches(SAMPLES))
    for name, remainder, divisor in (("photo", 2, 7), ("steps", 4, 9), ("body", 1, 5)):
        expected = [k % divisor != remainder for k in range(SAMPLES)]
        assert batch.inputs[name].present.tolist() == expected
        assert not batch.inputs[name].values[~batch.inputs[name].present].any()
    assert all(batch.inputs[name].present is None for name in ("image", "words", "codes"))


def test_values_are_float32_but_integers_and_text_stay_indices(prepared: Prepared) -> None:
    split = prepared.split("train")
    batch = next(Streamed(split, transforms=transforms(prepared)).batches(4))
    assert {name: given.values.dtype for name, given in batch.inputs.items()} == {
        "photo": torch.float32,
        "image": torch.float32,
        "steps": torch.float32,
        "words": torch.int64,
        "body": torch.float32,
        "codes": torch.int64,
    }
    words = batch.inputs["words"]
    assert bytes(words.values[1][~words.mask[1]].tolist()).decode() == "wörd wörd "
    assert torch.equal(batch.inputs["codes"].values, torch.from_numpy(split.take("codes", range(4))))


def test_every_sample_comes_once_and_none_is_dropped(prepared: Prepared) -> None:
    view = Streamed(prepared.split("train"), modalities=["codes"])
    seen = [batch.index for batch in view.batches(10, order=order(SAMPLES, 0, 0))]
    assert [len(index) for index in seen] == [10, 10, 10, 10, 10, 3]
    assert view.number(10) == 6
    assert sorted(torch.cat(seen).tolist()) == list(range(SAMPLES))


@pytest.mark.parametrize("kind", [Resident, Streamed])
@pytest.mark.parametrize(
    ("batch_size", "train", "sizes"),
    [
        (26, True, [26, 27]),
        (26, False, [26, 26, 1]),
        (13, True, [13, 13, 13, 14]),
        (52, True, [53]),
        (53, True, [53]),
        (17, True, [17, 17, 17, 2]),
        (1, True, [1] * SAMPLES),
    ],
)
def test_a_last_batch_of_one_sample_joins_the_one_before(prepared: Prepared, kind, batch_size, train, sizes) -> None:
    view = kind(prepared.split("train"), modalities=["image"], transforms=transforms(prepared))
    arguments = {"order": order(SAMPLES, 1, 2), "seed": 1, "epoch": 2, "train": train}
    whole = list(view.batches(batch_size, **arguments))
    assert [len(batch.index) for batch in whole] == sizes
    assert view.number(batch_size, train=train) == len(sizes)
    assert torch.equal(torch.cat([batch.index for batch in whole]), arguments["order"])
    for start in (1, len(sizes) - 1, len(sizes)):
        rest = list(view.batches(batch_size, **arguments, start=start))
        assert all(same(one, two) for one, two in zip(whole[start:], rest, strict=True))


def test_one_sample_alone_is_a_batch() -> None:
    assert spans(1, 8, train=True) == [slice(0, 1)]
    assert spans(0, 8, train=True) == []


def test_targets_belong_to_their_samples(prepared: Prepared) -> None:
    split = prepared.split("train")
    for batch in Resident(split, modalities=["body"]).batches(9, order=order(SAMPLES, 0, 0)):
        assert batch.target.tolist() == split.target[batch.index.numpy()].tolist()


def test_order_is_a_permutation_of_its_own_for_every_seed_and_epoch() -> None:
    assert sorted(order(100, 0, 0).tolist()) == list(range(100))
    assert torch.equal(order(100, 0, 0), order(100, 0, 0))
    assert not torch.equal(order(100, 0, 0), order(100, 0, 1))
    assert not torch.equal(order(100, 0, 1), order(100, 1, 0))
    assert derived_seed("a", 1, 11) != derived_seed("a", 11, 1)


def test_streaming_can_be_left_at_any_time(prepared: Prepared) -> None:
    batches = Streamed(prepared.split("train"), modalities=["codes"]).batches(4)
    next(batches)
    batches.close()


def test_an_error_of_a_worker_is_raised(prepared: Prepared) -> None:
    view = Streamed(prepared.split("train"), modalities=["codes"])
    with pytest.raises(IndexError):
        list(view.batches(4, order=torch.tensor([0, 1, 99])))


def test_a_modality_that_is_not_there_is_refused(prepared: Prepared) -> None:
    with pytest.raises(DataError, match=r"no modality smell \(they have photo, image"):
        Resident(prepared.split("train"), modalities=["smell"])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_decoded_images_can_be_written_to(channels: int) -> None:
    image = decode(png(np.random.default_rng(0)), channels)
    assert image.shape[0] == channels
    assert image.flags.writeable
    assert image.flags.c_contiguous


def test_images_of_any_size_need_a_resize_first(prepared: Prepared) -> None:
    with pytest.raises(DataError, match=r"modality photo: its images vary in size .* Put a resize first"):
        Streamed(prepared.split("train"), transforms={"photo": [Scale(factor=2), Resize(size=(2, 2))]})


class Recorded(TorchDispatchMode):
    """Notes every operation that torch runs."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.name().removeprefix("aten::").partition(".")[0])
        return func(*args, **(kwargs or {}))


def test_resident_batches_never_read_a_value_from_the_device(prepared: Prepared) -> None:
    view = Resident(prepared.split("train"), transforms=transforms(prepared))
    with Recorded() as recorded:
        for batch in view.batches(8, order=order(SAMPLES, 0, 0), train=True):
            assert len(batch.target)
    assert "index_select" in recorded.names
    assert not recorded.names & {"_local_scalar_dense", "item", "nonzero", "masked_select", "is_nonzero", "equal"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_resident_batches_never_wait_for_the_gpu(prepared: Prepared) -> None:
    view = Resident(prepared.split("train"), transforms=transforms(prepared), device="cuda")
    batches = view.batches(8, order=order(SAMPLES, 0, 0), train=True)
    next(batches)
    torch.cuda.set_sync_debug_mode("error")
    try:
        rest = list(batches)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(rest) == 6


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("train", [True, False])
def test_resident_and_streamed_are_the_same_on_a_gpu(prepared: Prepared, train: bool) -> None:
    split = prepared.split("train")
    both = [kind(split, transforms=transforms(prepared), device="cuda") for kind in (Resident, Streamed)]
    batches = [list(view.batches(8, order=order(SAMPLES, 1, 2), seed=1, epoch=2, train=train)) for view in both]
    assert all(same(one, two) for one, two in zip(*batches, strict=True))
