"""Adds exports that must be refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tools.add_model.exports import Files, add, packed


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Adds an export that cannot be added, checks that nothing is left, gives the sentence."""

    def refused(files: Files, *options: str) -> str:
        export = packed(tmp_path / "e.zip", files)
        before = set(tmp_path.rglob("*"))
        status, _ = add(export, *options)
        sentence = capsys.readouterr().err
        assert status == 1 and sentence.startswith("refused: ") and sentence.count("\n") == 1
        assert set(tmp_path.rglob("*")) == before
        return sentence

    return refused
