"""Every balancing method trains every task it names, with 2, 3 and 4 modalities; what it says of itself is so."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from contract_members import NAMES
from contract_modulations import CASES, KINDS, Case, cases, numbers, once
from contract_training import built, different, train

from cggm_pipeline.build.rooms import specs
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.errors import BuildError
from cggm_pipeline.modulations.base import Modulation

CALLS = ("start_epoch", "objective", "penalty", "modulate_", "rates", "mask", "end_epoch", "backward")
FAMILIES = {"baseline", "gradient", "loss", "rate", "feature", "parameter", "schedule"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_training_moves_every_part_and_its_numbers_are_finite(case: Case) -> None:
    trained = train(case)
    for name, value in trained.state.items():
        assert value.isfinite().all(), name
    assert all(math.isfinite(value) for row in trained.fitted.history for value in row.values())
    moved = different(trained.after, trained.before)
    assert {name.split(".")[1] for name in moved if name.startswith("encoders")} == set(case.names)
    assert any(name.startswith("head") for name in moved)


@pytest.mark.parametrize("case", once(2), ids=str)
def test_another_run_and_another_order_of_the_modalities_give_the_same_bits(case: Case) -> None:
    assert not different(train(case, names=case.names[::-1]).state, train(case).state)


@pytest.mark.parametrize("case", once(0), ids=str)
def test_the_network_starts_the_same_under_every_method(case: Case) -> None:
    plain = built(case, form={"kind": {"modulations": "none", "schedules": "everything"}[case.room]})
    assert not different(built(case).network.state_dict(), plain.network.state_dict())


@pytest.mark.parametrize("case", once(1), ids=str)
def test_what_is_logged_is_a_scalar_or_one_per_modality(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    made, records = built(case), []
    real = made.modulation.modulate_

    def recorded(step: Any) -> dict[str, Any]:
        records.append((step.active, real(step)))
        return records[-1][1]

    monkeypatch.setattr(made.modulation, "modulate_", recorded)
    train(case, made, epochs=1)
    assert records
    for active, record in records:
        for value in record.values():
            values = list(value.values()) if isinstance(value, dict) else [value]
            assert all(isinstance(v, torch.Tensor) and v.dim() == 0 and not v.requires_grad for v in values)
            assert not isinstance(value, dict) or set(value) in ({*case.names}, active)


@pytest.mark.parametrize("case", [case for case in once(0) if max(numbers(case.spec)) < len(NAMES)], ids=str)
def test_too_many_modalities_are_refused(case: Case) -> None:
    with pytest.raises(BuildError, match=rf"{case.form['kind']} balances at most {max(numbers(case.spec))} modalities"):
        built(replace(case, number=max(numbers(case.spec)) + 1))


@pytest.mark.parametrize(("room", "kind"), KINDS)
def test_cases_hold_every_task_and_every_number(room: str, kind: str) -> None:
    spec, found = specs(room)[kind], cases(room, kind)
    assert {case.task for case in found} == set(spec.tasks)
    assert {case.number for case in found} == set(numbers(spec))


@pytest.mark.parametrize("kind", specs("modulations"))
def test_hooks_are_the_calls_that_a_method_overrides(kind: str) -> None:
    made = implementation(TABLES["modulations"][kind])
    overridden = {name for name in CALLS if getattr(made, name) is not getattr(Modulation, name)}
    assert set(specs("modulations")[kind].hooks) == overridden


@pytest.mark.parametrize("kind", specs("modulations"))
def test_a_method_says_its_family_its_source_and_what_it_adds(kind: str) -> None:
    spec = specs("modulations")[kind]
    assert spec.family in FAMILIES
    assert kind == "none" or (spec.source and spec.equation)
    for text in (spec.cost, spec.forwards, spec.backwards, spec.parameters):
        assert text
        assert "PLACEHOLDER" not in text
