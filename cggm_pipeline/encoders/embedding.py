"""A learned vector per token id."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from cggm_pipeline.encoders.base import Encoder, Shape
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.dropout import Dropout
from cggm_pipeline.layers.features import Features, Input
from cggm_pipeline.layers.transformer import mean_over_time


class Embedding(Encoder):
    """Token ids (B, T), 0 <= id < `vocabulary`, to vectors (B, T, `width`), standard deviation 1 / sqrt(`width`).

    `output`: "mean" their mean over the tokens that are no padding, (B, width), as in fastText (Joulin et al. 2017);
    "tokens" all of them, (B, T, width). BuildError where an id is none of the vocabulary (on a GPU, CUDA says it).
    """

    def __init__(
        self,
        shape: Shape,
        *,
        vocabulary: int = 4096,
        width: int = 64,
        dropout: float = 0.0,
        output: Literal["mean", "tokens"] = "mean",
    ) -> None:
        super().__init__()
        if len(shape) != 1:
            raise BuildError(f"embedding reads token ids (T), but the shape is {tuple(shape)}; put a hash_words before")
        self.layout = "tokens" if output == "tokens" else "vector"
        self.widths = (width,)
        self.output = output
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.dropout = Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Input) -> Features:
        try:
            tokens: torch.Tensor = self.embedding(x.values.long())
        except IndexError as error:
            raise BuildError(
                f"embedding: a token id is outside the vocabulary of {self.embedding.num_embeddings}; give the encoder "
                "the vocabulary of the transform before it"
            ) from error
        if self.output == "tokens":
            return Features(self.dropout(tokens), x.mask)
        return Features(self.dropout(mean_over_time(tokens, x.mask)))
