"""Words to ids by their hash: the same everywhere, in range, one word one id; and how often two words share one."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cggm_pipeline.data.transforms.hash_words import HashWords

KNOWN = [2865, 2375]
"""Of grinning and face, in 4096 buckets."""


def ids(text: str, **options: int) -> list[int]:
    found = HashWords(**options)(np.frombuffer(text.encode(), np.uint8))
    assert found.dtype == np.int64
    return found.tolist()


def test_an_id_is_the_words_hash_as_the_docstring_has_it() -> None:
    number = int.from_bytes(blake2b("straße".casefold().encode(), digest_size=8).digest(), "big")
    assert ids("Straße", buckets=1000) == [1 + number % 999]


def test_known_ids_stay_what_they_are() -> None:
    """Trained embeddings are worth nothing once these change."""
    assert ids("grinning face") == KNOWN


def test_words_are_letters_and_digits_or_other_signs_without_case() -> None:
    assert ids("Don't :) GO2") == [*ids("don"), *ids("'"), *ids("t"), *ids(":)"), *ids("go2")]
    assert ids("a\tb\n c") == ids("a b c")


def test_the_rest_is_cut_off_and_no_word_is_one_step_of_padding() -> None:
    assert ids("a b c d", max_length=2) == ids("a b")
    assert ids("   ") == [0]


@settings(max_examples=50)
@given(text=st.text(max_size=40), buckets=st.integers(2, 50))
def test_every_text_gives_ids_in_range(text: str, buckets: int) -> None:
    found = ids(text, buckets=buckets, max_length=5)
    assert 1 <= len(found) <= 5
    assert found == [0] or all(1 <= each < buckets for each in found)


def test_words_fall_into_all_buckets_about_equally_often() -> None:
    counts = Counter(each for word in range(9000) for each in ids(f"w{word}", buckets=10))
    assert set(counts) == set(range(1, 10))
    assert max(abs(count - 1000) for count in counts.values()) < 5 * 1000**0.5
