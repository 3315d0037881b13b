"""The embedding: its mean over real tokens, what padding may not do, ids outside the vocabulary; and the spec check."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from cggm_pipeline.encoders.embedding import Embedding
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Input
from cggm_pipeline.spec.check_modality import check_modality
from cggm_pipeline.spec.dataset import Shape
from cggm_pipeline.spec.modality import Modality

IDS = torch.tensor([[3, 5, 3], [7, 0, 0], [0, 0, 0]])
MASK = torch.tensor([[False, False, False], [False, True, True], [True, True, True]])


def test_the_mean_is_over_the_tokens_that_are_there() -> None:
    made = Embedding((None,), vocabulary=8, width=4)
    table = made.embedding.weight
    found = made(Input(IDS, MASK)).tensor
    expected = torch.stack([(2 * table[3] + table[5]) / 3, table[7], torch.zeros(4)])
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert made.embedding.weight.grad is not None
    assert made.embedding.weight.grad[0].abs().sum() == 0  # of padding nothing is learned
    torch.testing.assert_close(made.embedding.weight.grad[3], torch.full((4,), 2 / 3))


def test_tokens_keep_their_mask() -> None:
    made = Embedding((None,), vocabulary=8, width=4, output="tokens")
    features = made(Input(IDS, MASK))
    assert features.mask is MASK
    assert torch.equal(features.tensor[0, 1], made.embedding.weight[5])


def test_vectors_begin_with_length_one_on_average() -> None:
    torch.manual_seed(0)
    squares = Embedding((None,), vocabulary=4000, width=16).embedding.weight.square().sum(1)
    assert abs(squares.mean().item() - 1) < 5 * (2 / 16 / 4000) ** 0.5


def test_dropout_acts_on_the_features_in_training_alone() -> None:
    made = Embedding((None,), vocabulary=8, width=64, dropout=0.5)
    values = made(Input(IDS[:1])).tensor
    assert 0.2 < (values == 0).float().mean().item() < 0.8
    assert (made.eval()(Input(IDS[:1])).tensor != 0).all()


def test_an_id_outside_the_vocabulary_and_an_input_that_is_none_are_said() -> None:
    with pytest.raises(BuildError, match="outside the vocabulary of 5"):
        Embedding((None,), vocabulary=5)(Input(torch.tensor([[5]])))
    with pytest.raises(BuildError, match=r"reads token ids \(T\), but the shape is \(3, 4\)"):
        Embedding((3, 4))


@pytest.mark.parametrize(("buckets", "vocabulary", "fits"), [(64, 64, True), (32, 64, True), (65, 64, False)])
def test_more_ids_than_the_encoder_knows_are_found_before_anything_is_built(
    buckets: int, vocabulary: int, fits: bool
) -> None:
    transforms = [{"kind": "hash_words", "buckets": buckets}]
    modality = Modality.model_validate(
        {"encoder": {"kind": "embedding", "vocabulary": vocabulary}, "transforms": transforms}
    )
    found = list(check_modality("text", modality, Shape(shape=(), dtype="text"), ("modalities", "text"), ("data",)))
    assert (found == []) == fits
    if not fits:
        assert found[0].message == "65 ids come from hash_words, embedding knows 64"
        assert found[0].hint == "write vocabulary: 65"


def test_the_open_benchmark_gives_emoji_as_many_vectors_as_there_are_ids(root: Path) -> None:
    text = yaml.safe_load((root / "specs/experiments/open-benchmark/emoji.yaml").read_text())["modalities"]["text"]
    assert text["encoder"]["vocabulary"] == text["transforms"][0]["buckets"]
