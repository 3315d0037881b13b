"""Whether missing patterns fit the modalities in use: what they name, what they keep, and whether they can act."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isclose

from cggm_pipeline.spec.in_use import MODALITIES, USE, not_in_use
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.load import Keys
from cggm_pipeline.spec.patterns import Fixed, Natural, PatternSpec
from cggm_pipeline.spec.repeated import repeated
from cggm_pipeline.spec.sections import Sections

SPLITS = ("train", "valid", "test")


def check_missing(sections: Sections) -> Iterator[Finding]:
    """Every misfit of `missing` and of `evaluation.missing_rates` with the modalities that take part."""
    used, missing, evaluation = sorted(sections.used()), sections.missing, sections.evaluation
    if missing is not None and used:
        for split in SPLITS:
            yield from _pattern(getattr(missing, split), ("missing", split), used)
        if missing.redraw and not missing.train.draws():
            message = f"the training split's pattern, {missing.train.kind}, draws nothing that could be drawn anew"
            yield Finding(("missing", "redraw"), message, "false", also=(("missing", "train"),))
    if evaluation is not None:
        yield from repeated(evaluation.missing_rates, ("evaluation", "missing_rates"), "rate")


def _pattern(pattern: PatternSpec, path: Keys, used: Sequence[str]) -> Iterator[Finding]:
    if len(used) < 2 and not isinstance(pattern, Natural):
        message = f"{pattern.kind} takes no sample's last modality, and one is in use: it would do nothing"
        yield Finding((*path, "kind"), message, hint="use kind: natural", also=(USE, MODALITIES))
        return
    if pattern.max_modalities is not None and len(used) > pattern.max_modalities:
        message = f"{pattern.kind} is defined for {pattern.max_modalities} modalities at most, {len(used)} are in use"
        yield Finding((*path, "kind"), message, hint="select some with use:", also=(USE, MODALITIES))
    for place, name in pattern.named():
        if name not in used:
            yield not_in_use((*path, *place), name, used, on="key" if isinstance(place[-1], str) else "value")
    if isinstance(pattern, Fixed):
        yield from _kept(pattern, path)


def _kept(pattern: Fixed, path: Keys) -> Iterator[Finding]:
    for index, names in enumerate(pattern.kept):
        yield from repeated(names, (*path, "kept", index), "modality")
    sets = ["{" + ", ".join(sorted(set(names))) + "}" for names in pattern.kept]
    yield from repeated(sets, (*path, "kept"), "subset")
    if pattern.shares is None:
        return
    where: Keys = (*path, "shares")
    if len(pattern.shares) != len(pattern.kept):
        message = f"{len(pattern.shares)} shares for {len(pattern.kept)} subsets"
        yield Finding(where, message, f"{len(pattern.kept)} of them, or null: equal", also=((*path, "kept"),))
    elif not isclose(sum(pattern.shares), 1, abs_tol=1e-6):
        message = f"the shares add up to {sum(pattern.shares):g}"
        yield Finding(where, message, "numbers that add up to 1, or null: equal", also=((*path, "kept"),))
