"""Runs the command in this process, on four images and services that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tools.compare.services import (
    Answering,
    Ran,
    Service,
    cat,
)
from tools.compare.__main__ import main


@pytest.fixture
def service() -> Iterator[Callable[..., Service]]:
    """Makes services that end with the test."""
    made: list[Service] = []

    def make(answer: Answering = cat) -> Service:
        made.append(Service(answer))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images, whose bytes are their names."""
    root = tmp_path / "my images"
    for name in ("a.png", "b.JPG", "sub/c.gif", "sub/d.bmp"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    (root / "notes.txt").write_text("no image")
    return root


@pytest.fixture
def compare(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> Callable[..., Ran]:
    """The command, in this process, on those images, at full speed, and mostly without a plot."""
    monkeypatch.delenv("PREDICTION_KEY_A", raising=False)
    monkeypatch.delenv("PREDICTION_KEY_B", raising=False)

    def run(a: str, b: str, *more: str, plot: bool = False) -> Ran:
        out = ["--out", str(tmp_path / "out"), *([] if plot else ["--no-plot"])]
        rate = [] if "--rate" in more else ["--rate", "1000"]
        arguments = ["--endpoint", a, "--endpoint", b, str(folder), *out, *rate, *more]
        try:
            status = main(arguments, pause=0.01)
        except SystemExit as exc:
            status = int(exc.code or 0)
        return Ran(status, *capsys.readouterr())

    return run
