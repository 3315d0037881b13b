"""Every balancing method as the contract tests train it: which cases there are. Their training: contract_training.py.

A method is a kind of `modulations` (under the schedule that it asks for) or a kind of `schedules` (with `none`). What a
spec class says of itself (tasks, number of modalities, fusions, blocks, schedule) decides what it is trained with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, cycle, islice
from typing import Any

from contract_members import NAMES, REQUIRED, spec_of

from cggm_pipeline.build.rooms import specs
from cggm_pipeline.spec.describe import annotations_of, strip

QUIET = {"attention_dropout": 0.0, "relu_dropout": 0.0, "residual_dropout": 0.0}
"""Without dropout: then two processes and two micro-batches compute what one does."""
ENCODERS: dict[str, dict[str, Any]] = {
    "vector": {"kind": "mlp", "hidden": [6]},
    "tokens": {"kind": "transformer", "width": 10, "layers": 1, **QUIET},
    "pyramid": {"kind": "conv", "channels": [2, 3, 4], "output": "pyramid"},
}
"""By the layout of the features."""
FUSIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "blocks": ("vector", {"kind": "concat"}),
    "projected": ("vector", {"kind": "concat", "width": 8}),
    "late": ("vector", {"kind": "late"}),
    "tokens": ("tokens", {"kind": "transformer", "layers": 1, "output_dropout": 0.0, **QUIET}),
    "deeplab": ("pyramid", {"kind": "deeplab", "width": 8, "low_width": 3, "low_level": 1, "dropout": [0.0, 0.0]}),
}
"""Layout of the features and the fusion, by name. A kind that a method names and that is not here gets its defaults."""
EARLY: dict[tuple[str, str], dict[str, Any]] = {
    ("modulations", "g_blending"): {"super_epoch": 1},
    ("modulations", "greedy"): {"start_epoch": 0},
    ("schedules", "alternating"): {"epochs": 1, "rectify": 1},
    ("schedules", "smv"): {"warmup": 0},
}
"""What lets a method act within two epochs; that it does is tested."""
Form = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One method in one form, and what it is trained with."""

    room: str
    form: Form
    task: str
    fusion: str
    number: int

    def __str__(self) -> str:
        words = [value for value in self.form.values() if isinstance(value, str)]
        return "-".join([*words, self.task, self.fusion, str(self.number)])

    @property
    def spec(self) -> Any:
        return specs(self.room)[self.form["kind"]]

    @property
    def names(self) -> tuple[str, ...]:
        return NAMES[: self.number]


def forms(room: str, kind: str) -> Iterator[Form]:
    """The kind with its defaults, once per value of every closed list it has (preset, form)."""
    spec, given = specs(room)[kind], least(room, kind)
    lists = {
        n: strip(a)[0].__args__
        for n, a in annotations_of(spec).items()
        if n != "kind" and "Literal" in str(strip(a)[0])
    }
    if not lists:
        yield given
    required = {n: values[0] for n, values in lists.items() if spec.model_fields[n].is_required()}
    for name, values in lists.items():
        for value in values:
            yield {**given, **required, name: value}


def least(room: str, kind: str) -> Form:
    """The kind with what it requires, and what lets it act early."""
    return {"kind": kind, **REQUIRED.get((room, kind), {}), **EARLY.get((room, kind), {})}


def fusions(spec: Any) -> dict[str, tuple[str, Form]]:
    """The fusions a method is trained with, by name: all it works with of FUSIONS, and those it names itself."""
    wanted = getattr(spec, "fusions", None)
    known = {form["kind"] for _, form in FUSIONS.values()}
    found = {name: entry for name, entry in FUSIONS.items() if wanted is None or entry[1]["kind"] in wanted}
    for kind in sorted((wanted or set()) - known):
        accepts = specs("fusions")[kind].accepts
        layout = next(name for name in ("vector", "tokens", "pyramid") if name in accepts)
        found[kind] = layout, {"kind": kind, **REQUIRED.get(("fusions", kind), {})}
    if getattr(spec, "reads_blocks", False):
        found = {n: (lay, form) for n, (lay, form) in found.items() if spec_of("fusions", **form).concatenates()}
    return found


def fits(fusion: Form, task: str) -> bool:
    """Whether the task can read this fusion's z."""
    spec = specs("fusions")[fusion["kind"]]
    return spec.layout in specs("tasks")[task].accepts and task in (spec.tasks or specs("tasks"))


def numbers(spec: Any) -> list[int]:
    """2, 3 and 4 modalities, as far as the method can balance so many."""
    least, most = getattr(spec, "min_modalities", 2), getattr(spec, "max_modalities", None)
    return [number for number in (2, 3, 4) if least <= number <= (most or 4)]


def cases(room: str, kind: str) -> list[Case]:
    """Cases in which every form meets every task and every number, and the kind every fusion it works with."""
    spec = specs(room)[kind]
    found = []
    for turn, form in enumerate(forms(room, kind)):
        pairs = [(t, f) for f, (_, fusion) in fusions(spec).items() for t in tasks(spec) if fits(fusion, t)]
        count = max(len(tasks(spec)), len(numbers(spec)))
        chosen = covering(pairs, turn, count if turn else max(count, len(fusions(spec))))
        size = islice(cycle(numbers(spec)), turn, None)
        found += [Case(room, form, task, fusion, number) for (task, fusion), number in zip(chosen, size, strict=False)]
    return found


def tasks(spec: Any) -> list[str]:
    return sorted(getattr(spec, "tasks", specs("tasks")))


def covering(pairs: list[tuple[str, str]], turn: int, count: int) -> list[tuple[str, str]]:
    """`count` pairs: each time one whose task, then whose fusion, was taken least; ties change with `turn`."""
    taken: list[tuple[str, str]] = []
    rotated = pairs[turn % len(pairs) :] + pairs[: turn % len(pairs)]
    for _ in range(count):
        task, fusion = ([pair[side] for pair in taken] for side in (0, 1))
        taken.append(min(rotated, key=lambda pair: fusion.count(pair[1]) + 2 * task.count(pair[0])))
    return taken


ROOMS = ("modulations", "schedules")
KINDS = [(room, kind) for room in ROOMS for kind in specs(room) if kind != "everything"]
CASES = list(chain.from_iterable(cases(room, kind) for room, kind in KINDS))
"""Every method, form, task, number of modalities and fusion, but not every combination of them."""


def once(place: int, task: str = "") -> list[Case]:
    """One case per method and form, another one for another `place`; `task`: of this task alone."""
    found: dict[str, list[Case]] = {}
    for case in CASES if not task else [case for case in CASES if case.task == task]:
        found.setdefault(str(case.form), []).append(case)
    return [group[place % len(group)] for group in found.values()]
