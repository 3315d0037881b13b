"""Missing patterns: which modalities a sample lacks besides those that the data lack. See `data.patterns`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Kind, Positive, Slug, Spec

Share = Annotated[float, Field(ge=0, lt=1)]
"""A share of samples in [0, 1)."""

Kept = Annotated[tuple[Slug, ...], Field(min_length=1, max_length=100, strict=False)]
"""The modalities that a sample keeps."""

Place = tuple[str | int, ...]


class PatternSpec(Kind):
    """A missing pattern. `max_modalities`: for how many it is defined at most (null: any number).

    A modality that the data lack stays missing under every pattern, and no pattern takes the last one that a sample
    has: where it would, the sample keeps what it has.
    """

    max_modalities: ClassVar[int | None] = None

    def draws(self) -> bool:
        """Whether it draws random numbers, so that another epoch can have another draw."""
        return True

    def named(self) -> Iterator[tuple[Place, str]]:
        """Every modality that it names, with its place in this mapping."""
        yield from ()


class Natural(PatternSpec):
    """Only what the data lack by themselves."""

    kind: Literal["natural"] = "natural"

    def draws(self) -> bool:
        return False


class Rate(PatternSpec):
    """Each modality is missing at its rate, independently of the others; one that is there stays.

    Coupled: a sample that lacks a modality at one rate lacks it at every higher one.
    """

    equation: ClassVar[str] = (
        "m is missing where u_m < rate_m;  where all that are there would be, the one with the largest u_m stays\n"
        "u_m: uniform in [0, 1), from SHA-256 of (seed, split, epoch if redrawn, m, id)"
    )

    kind: Literal["rate"]
    rate: Share | dict[Slug, Share] = Field(
        description="share of samples that lack a modality; or by modality, 0 for those that are not named"
    )

    def named(self) -> Iterator[tuple[Place, str]]:
        yield from ((("rate", name), name) for name in (self.rate if isinstance(self.rate, dict) else ()))


class Incomplete(PatternSpec):
    """A share of the samples is incomplete: each has one of the proper subsets of the modalities, equally likely."""

    source: ClassVar[str] = "Guo et al., ACL 2024 (MPLMM, arXiv 2407.05374), section 4: the missing rate"
    equation: ClassVar[str] = "incomplete where u < share;  kept: one of the 2^M - 2 proper non-empty subsets, by v"
    known: ClassVar[str] = "the released code draws anew at every access: docs/paper-vs-code.md#mplmm"
    max_modalities: ClassVar[int | None] = 32

    kind: Literal["incomplete"]
    share: Annotated[float, Field(ge=0, le=1)] = Field(description="of the samples that are incomplete")


class Fixed(PatternSpec):
    """Given subsets of the modalities: with one, every sample has exactly these; with several, each sample one of them.

    A sample that has none of those that it would keep by itself keeps what it has.
    """

    kind: Literal["fixed"]
    kept: Annotated[tuple[Kept, ...], Field(min_length=1, max_length=1000, strict=False)] = Field(
        description="lists of modalities: the subsets that samples keep"
    )
    shares: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=1000, strict=False)] | None = Field(
        None, description="of the samples that keep each subset, 1 in all; null: equal"
    )

    def draws(self) -> bool:
        return len(self.kept) > 1

    def named(self) -> Iterator[tuple[Place, str]]:
        for index, names in enumerate(self.kept):
            yield from ((("kept", index, place), name) for place, name in enumerate(names))


Pattern = Annotated[Natural | Rate | Incomplete | Fixed, Field(discriminator="kind")]


class Missing(Spec):
    """Which modalities the samples of each split lack. Drawn from the run's seed and the samples' ids alone."""

    train: Pattern = Field(Natural(), description="of the training split")
    valid: Pattern = Field(Natural(), description="of the validation split")
    test: Pattern = Field(Natural(), description="of the test split")
    redraw: bool = Field(False, description="the training split's pattern is drawn anew in every epoch")
