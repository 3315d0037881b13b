"""A training that was stopped and goes on ends with the bits of one that was not, under every method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contract_modulations import Case, once
from contract_training import different, train

from cggm_pipeline.training.checkpoint import Checkpoints


class Stopped(BaseException):
    """Stands for a kill: nothing in the package may catch it and go on."""


def stop(case: Case, state: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until checkpoint number `after` of this start is written: one is, after every batch."""
    real, left = Checkpoints.save, [after]

    def save(checkpoints: Checkpoints, content: dict[str, Any]) -> None:
        real(checkpoints, content)
        left[0] -= 1
        if not left[0]:
            raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", save)
        with pytest.raises(Stopped):
            train(case, state=state, checkpoint_steps=1)


@pytest.mark.parametrize("case", once(2), ids=str)
def test_a_stopped_training_goes_on_bit_for_bit(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for after in (2, 2):  # within the first epoch of three batches, and within the second
        stop(case, tmp_path, after, monkeypatch)
    found, whole = train(case, state=tmp_path, checkpoint_steps=1), train(case)
    assert found.fitted.history == whole.fitted.history
    assert not different(found.state, whole.state)
