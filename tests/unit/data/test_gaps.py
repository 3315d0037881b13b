"""Batches under missing patterns: the same from memory and from disk, from any batch on, and in every pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cggm_pipeline.data import writing
from cggm_pipeline.data.batches import Batch, Batches, Resident, Streamed, order
from cggm_pipeline.data.gaps import Gaps
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.patterns.base import Pattern
from cggm_pipeline.data.patterns.fixed import Fixed
from cggm_pipeline.data.patterns.incomplete import Incomplete
from cggm_pipeline.data.patterns.natural import Natural
from cggm_pipeline.data.patterns.rate import Rate
from cggm_pipeline.data.prepared import Prepared, Split
from cggm_pipeline.data.transforms.noise import Noise

SAMPLES = 53
FORMS = {"image": Form((1, 4, 4), "uint8"), "steps": Form((None, 3), "float32"), "words": Form((), "text")}
NAMES = tuple(FORMS)


@pytest.fixture
def split(written: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch) -> Split:
    """53 training samples, in several record batches; a third lacks the steps by itself."""
    monkeypatch.setattr(writing, "CHUNK_ROWS", 11)
    random = np.random.default_rng(0)
    number = SAMPLES + 4
    values = {
        "image": [random.integers(1, 255, (1, 4, 4), dtype=np.uint8) for _ in range(number)],
        "steps": [None if k % 3 == 2 else random.normal(size=(k % 5 + 1, 3)) for k in range(number)],
        "words": ["wörd " * (k % 3 + 1) for k in range(number)],
    }
    return written(FORMS, values, ["train"] * SAMPLES + ["valid", "valid", "test", "test"]).split("train")


def gaps(split: Split, pattern: Pattern | None = None, *, seed: int = 1, redraw: bool = False) -> Gaps:
    return Gaps(pattern or Rate(NAMES, rate=0.5), split, "train", seed=seed, redraw=redraw)


def present(batches: list[Batch]) -> np.ndarray:
    """(N, M) by position: what the samples had."""
    found = np.zeros((SAMPLES, len(NAMES)), bool)
    for batch in batches:
        for place, name in enumerate(NAMES):
            there = batch.inputs[name].present
            found[batch.index.numpy(), place] = True if there is None else there.numpy()
    return found


def same(one: Batch, two: Batch) -> bool:
    pairs = [(one.target, two.target), (one.index, two.index)]
    for name, a in one.inputs.items():
        b = two.inputs[name]
        assert (a.mask is None, a.present is None) == (b.mask is None, b.present is None)
        pairs += [(x, y) for x, y in ((a.values, b.values), (a.mask, b.mask), (a.present, b.present)) if x is not None]
    return all(x.dtype == y.dtype and torch.equal(x, y) for x, y in pairs)


PATTERNS = [Rate(NAMES, rate=0.5), Incomplete(NAMES, share=0.7), Fixed(NAMES, kept=[["image"], ["steps", "words"]])]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: type(pattern).__name__)
@pytest.mark.parametrize("train", [True, False])
def test_resident_and_streamed_batches_are_the_same(split: Split, pattern: Pattern, train: bool) -> None:
    steps = {"image": [Noise(std=0.5)]}
    both = [kind(split, transforms=steps, gaps=gaps(split, pattern, redraw=True)) for kind in (Resident, Streamed)]
    arguments = {"order": order(SAMPLES, 1, 2), "seed": 1, "epoch": 2, "train": train}
    batches = [list(view.batches(8, **arguments)) for view in both]
    assert len(batches[0]) == len(batches[1]) == 7
    assert all(same(one, two) for one, two in zip(*batches, strict=True))
    assert not present(batches[0]).all()


@pytest.mark.parametrize("kind", [Resident, Streamed])
@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: type(pattern).__name__)
def test_what_is_taken_is_as_if_the_data_lacked_it(split: Split, kind: type[Batches], pattern: Pattern) -> None:
    made = gaps(split, pattern)
    found = list(kind(split, gaps=made).batches(8, order=order(SAMPLES, 1, 2)))
    there = present(found)
    assert np.array_equal(there, made.present())
    assert not there[2::3, 1].any()  # what the data lack stays missing
    assert there.any(1).all()
    plain = Resident(split)
    for batch in found:
        whole = next(plain.batches(len(batch.index), order=batch.index))
        for name, given in batch.inputs.items():
            keeps = torch.from_numpy(there[batch.index.numpy(), NAMES.index(name)])
            assert torch.equal(given.values[keeps], whole.inputs[name].values[keeps])
            assert not given.values[~keeps].any()


def test_continuing_in_the_middle_of_an_epoch_gives_the_same_gaps(split: Split) -> None:
    arguments = {"order": order(SAMPLES, 1, 2), "seed": 1, "epoch": 2, "train": True}
    whole = list(Resident(split, gaps=gaps(split, redraw=True)).batches(8, **arguments))
    for start in range(1, 8):
        fresh = Streamed(split, gaps=gaps(split, redraw=True))  # another process would make its own
        rest = list(fresh.batches(8, **arguments, start=start))
        assert len(rest) == 7 - start
        assert all(same(one, two) for one, two in zip(whole[start:], rest, strict=True))


def test_gaps_belong_to_samples_and_not_to_batches(split: Split) -> None:
    view = Resident(split, gaps=gaps(split))
    first = present(list(view.batches(8)))
    for arguments in ({"order": order(SAMPLES, 3, 0)}, {"train": True, "epoch": 4, "seed": 9}):
        assert np.array_equal(present(list(view.batches(5, **arguments))), first)


def test_redrawn_gaps_are_new_in_every_epoch_of_training_and_never_elsewhere(split: Split) -> None:
    redrawn, once = (Resident(split, gaps=gaps(split, redraw=redraw)) for redraw in (True, False))
    epochs = [present(list(redrawn.batches(8, train=True, epoch=epoch))) for epoch in (0, 1, 0)]
    assert not np.array_equal(epochs[0], epochs[1])
    assert np.array_equal(epochs[0], epochs[2])
    outside = [present(list(view.batches(8, epoch=epoch))) for view in (redrawn, once) for epoch in (0, 1)]
    assert all(np.array_equal(one, outside[0]) for one in outside)
    assert np.array_equal(present(list(once.batches(8, train=True, epoch=1))), outside[0])


def test_another_seed_or_split_has_other_gaps(split: Split) -> None:
    one, two = gaps(split), gaps(split, seed=2)
    other = Gaps(Rate(NAMES, rate=0.5), split, "valid", seed=1)
    assert len({one.digest(), two.digest(), other.digest(), gaps(split, Natural(NAMES)).digest()}) == 4
    assert one.digest() == gaps(split).digest()


def test_a_digest_is_of_who_has_what_and_not_of_how_it_came_about(split: Split) -> None:
    drawn = gaps(split, Rate(NAMES, rate=0.0))
    assert drawn.digest() == gaps(split, Natural(NAMES)).digest() == gaps(split, Fixed(NAMES, kept=[NAMES])).digest()
    assert gaps(split, Natural(NAMES[:2])).digest() != drawn.digest()


def test_nothing_taken_leaves_the_batches_as_they_were(split: Split) -> None:
    for pattern in (Natural(NAMES), Rate(NAMES, rate=0.0)):
        pairs = zip(Resident(split).batches(8), Resident(split, gaps=gaps(split, pattern)).batches(8), strict=True)
        assert all(same(one, two) for one, two in pairs)


def test_under_other_gaps_the_data_are_the_same(split: Split) -> None:
    made = gaps(split)
    view = Resident(split, gaps=made)
    other = view.under(gaps(split, Fixed(NAMES, kept=[["image"]])))
    assert present(list(other.batches(8))).tolist() == [[True, False, False]] * SAMPLES
    assert view.gaps is made
    assert np.array_equal(present(list(view.batches(8))), made.present())
    assert other._stores is view._stores
    assert all(same(*pair) for pair in zip(Resident(split).batches(8), view.under(None).batches(8), strict=True))


def test_a_pattern_never_takes_what_a_schedule_left(split: Split) -> None:
    """SMV repeats samples with one modality alone: those would have none where the pattern takes just this one."""
    made = gaps(split, Fixed(NAMES, kept=[["image"], ["words"]]))
    alone = np.arange(SAMPLES) % 2 == 0
    absent = {name: torch.from_numpy(alone) for name in ("steps", "words")}
    there = present(list(Resident(split, gaps=made).batches(8, absent=absent)))
    assert there[alone].tolist() == [[True, False, False]] * int(alone.sum())
    assert np.array_equal(there[~alone], made.present()[~alone])


def test_what_a_schedule_leaves_out_is_gone_also_where_the_pattern_takes_more(split: Split) -> None:
    made = gaps(split, Fixed(NAMES, kept=[["image", "words"]]))
    absent = {"words": torch.ones(SAMPLES, dtype=torch.bool)}
    there = present(list(Streamed(split, gaps=made).batches(8, absent=absent)))
    assert there.tolist() == [[True, False, False]] * SAMPLES
