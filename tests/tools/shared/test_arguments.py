"""Commands that write to disks make no folder of an address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from examples.common import parser as example
from tools.add_model.__main__ import main as add_model
from tools.convert.__main__ import main as convert
from tools.export.__main__ import main as export
from tools.zoo.__main__ import main as zoo

WHERE = "azure://models"


def an_example(argv: Sequence[str]) -> int:
    example("pets", "", epochs=None, quick="").parse_args(argv)
    return 0


@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        (zoo, ["build", "resnet50", "--weights", "none", "--size", "32", "--models-dir", WHERE]),
        (zoo, ["head", "f.npz", "--name", "m", "--models-dir", WHERE]),
        (export, ["m.keras", "--labels", "labels.txt", "--name", "m", "--models-dir", WHERE]),
        (add_model, ["export.zip", "--name", "m", "--models-dir", WHERE]),
        (convert, [f"{WHERE}/m/1"]),
        (an_example, ["--models-dir", WHERE]),
    ],
)
def test_an_address_is_refused_and_the_command_that_takes_it_is_named(
    main: Callable[[Sequence[str]], int],
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(arguments)

    said = capsys.readouterr().err
    assert f"{arguments[-1]} is no folder on a disk" in said
    assert "python -m tools.models register" in said
    assert list(tmp_path.iterdir()) == []
