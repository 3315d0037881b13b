"""Generated files are fresh: what `cggm compile` and `cggm schema` would write is what is committed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cggm_pipeline.cli import cggm


@pytest.mark.parametrize("command", ["compile", "schema"])
def test_generated_files_are_fresh(command: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    result = CliRunner().invoke(cggm, [command, "--check"])
    assert result.exit_code == 0, result.output + str(result.exception or "")
