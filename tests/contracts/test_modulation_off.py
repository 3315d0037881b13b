"""A method that is off is joint training, bit for bit: where the spec knows it, and in the method's own code."""

from __future__ import annotations

import pytest
from contract_modulations import CASES, ROOMS, Case, once
from contract_training import different, train

from cggm_pipeline.build.rooms import specs

PLAIN = {"modulations": {"kind": "none"}, "schedules": {"kind": "everything"}}
OFF = [case for place in (0, 1) for case in once(place) if getattr(case.spec, "off", None) is not None]


@pytest.mark.parametrize("itself", [False, True], ids=["by the spec", "by itself"])
@pytest.mark.parametrize("case", OFF, ids=str)
def test_a_method_that_is_off_is_joint_training(case: Case, itself: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if itself and hasattr(case.spec, "effective"):
        monkeypatch.setattr(case.spec, "effective", lambda spec: spec)
    off = train(case, form={**case.form, **case.spec.off})
    plain = train(case, form=PLAIN[case.room])
    assert not different(off.after, plain.after)


@pytest.mark.parametrize("case", [case for case in once(0) if case.form != PLAIN[case.room]], ids=str)
def test_a_method_acts(case: Case) -> None:
    """Every form changes the training somewhere: otherwise the contract tests would say nothing of it."""
    same = (each for each in CASES if each.form == case.form)
    assert any(different(train(each).after, train(each, form=PLAIN[each.room]).after) for each in same)


def test_some_methods_have_a_switch() -> None:
    assert len({(room, kind) for room in ROOMS for kind, spec in specs(room).items() if getattr(spec, "off", None)}) > 1
