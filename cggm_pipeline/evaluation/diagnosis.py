"""What a history says about balance: rules over epochs, each with what to try. Torch-free; nothing is retrained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

COEFFICIENTS = ("B", "factor", "rate", "weight")
"""What methods log per modality as the factor on a gradient, a learning rate or a loss."""
ALONE = "alone"
"""Columns `alone_MODALITY`: the selection metric on the validation split with all other modalities left out."""
LONG = 5
"""Epochs in a row after which a coefficient has stood somewhere for long."""
SMALL, LARGE, OFTEN = 0.02, 10.0, 0.25

History = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Warned:
    """One rule that fired. `modality` None: it is about the whole network. `epoch`: since when, from 0."""

    rule: str
    modality: str | None
    epoch: int
    text: str
    advice: str

    @property
    def key(self) -> tuple[str, str | None]:
        """The same for the same fault at any epoch."""
        return self.rule, self.modality


def diagnose(history: History, *, metric: str, mode: str) -> list[Warned]:
    """Every rule that fires at the history's last epoch.

    `history`: column to one value per epoch. `metric`: the selection metric, `mode` "max" or "min".
    """
    sign = 1.0 if mode == "max" else -1.0
    joint = [sign * value for value in history.get(f"valid_{metric}", ())]
    alone = {
        column.removeprefix(f"{ALONE}_"): [sign * value for value in values]
        for column, values in history.items()
        if column.startswith(f"{ALONE}_")
    }
    return [*_coefficients(history), *_below_the_best(joint, alone, metric), *_stopped(joint, alone)]


def news(rows: Sequence[Mapping[str, float]], *, metric: str, mode: str) -> list[Warned]:
    """The rules that fire at the last of these epochs and did not fire at the one before."""
    known = {warned.key for warned in diagnose(columns(rows[:-1]), metric=metric, mode=mode)}
    return [warned for warned in diagnose(columns(rows), metric=metric, mode=mode) if warned.key not in known]


def columns(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Rows of a history as columns; those that not every row has are left out."""
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ()) if all(name in row for row in rows)}


def _coefficients(history: History) -> Iterator[Warned]:
    for column, values in history.items():
        name, _, modality = column.partition("_")
        if name not in COEFFICIENTS or not modality or len(values) < LONG:
            continue
        since, recent = len(values) - LONG, values[-LONG:]
        if modality == "negative":
            if min(recent) > OFTEN:
                text = f"{name} was negative for some modality in {100 * min(recent):.0f} % of steps or more"
                yield Warned("negative", None, since, f"{text}: that encoder climbs its own loss", BOUNDED)
        elif max(recent) < 0:
            text = f"{name} of {modality} is negative on average: its encoder climbs its own loss"
            yield Warned("negative", modality, since, text, BOUNDED)
        elif max(abs(value) for value in recent) <= SMALL:
            yield Warned("saturated", modality, since, f"{name} of {modality} is 0: it hardly learns", WEAKER)
        elif min(abs(value) for value in recent) >= LARGE:
            text = f"{name} of {modality} is {LARGE:.0f} or more: its encoder takes steps of another size"
            yield Warned("saturated", modality, since, text, BOUNDED)


def _below_the_best(joint: Sequence[float], alone: Mapping[str, Sequence[float]], metric: str) -> Iterator[Warned]:
    """The whole network is worse than itself with one modality alone."""
    if len(alone) < 2 or len(joint) < LONG:
        return
    ahead = {
        name: values
        for name, values in alone.items()
        if all(a > b for a, b in zip(values[-LONG:], joint[-LONG:], strict=True))
    }
    if ahead:
        best = max(ahead, key=lambda name: ahead[name][-1])
        text = f"{best} alone has a better validation {metric} than all modalities together"
        yield Warned("below best modality", best, len(joint) - LONG, text, REFERENCE)


def _stopped(joint: Sequence[float], alone: Mapping[str, Sequence[float]]) -> Iterator[Warned]:
    """A modality has its best epoch in the first half, and the network went on improving without it."""
    epochs = len(joint)
    if epochs < 2 * LONG or len(alone) < 2:
        return
    latest = joint.index(max(joint))
    for name, values in alone.items():
        best = values.index(max(values))
        if best < epochs // 2 and latest > best and values[-1] < values[best]:
            text = f"{name} alone has not improved since epoch {best}, while the network has"
            yield Warned("stopped", name, best, text, TAUGHT)


BOUNDED = "a bounded rule (cggm: preset stable; ogm_ge: form tpami24), a larger batch, or a smaller strength"
WEAKER = "a smaller strength (alpha, rho, ...), or a method that leaves every encoder some gradient"
REFERENCE = "kind: unimodal_losses, the reference that every method must beat; or `use:` without the weak modality"
TAUGHT = "losses of its own (unimodal_losses, mm_pareto), a larger rate for it (mslr), or resampling (schedule: smv)"
