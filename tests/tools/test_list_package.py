from __future__ import annotations

from pathlib import Path

import pytest

from tools.list_package import FuncIgnore, list_package, main


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("tests", "tests/test_a.py"),
        ("/tests", "tests/test_a.py"),
        ("  tests  ", "tests/test_a.py"),
        ("tests/", "tests/test_a.py"),
        ("tests", "tests-old/test_a.py"),  # a word ends at the hyphen
        (".venv", ".venv-conformance/pyvenv.cfg"),
        ("local.settings.json", "local.settings.json.example"),
        ("*.md", "README.md"),
        (".*", ".venv/lib/python3.11/site-packages/six.py"),
        ("**/.*", "models/digits/.DS_Store"),
        ("**/__pycache__", "classify/__pycache__/__init__.cpython-311.pyc"),
        ("**/__pycache__", "image_classifier/engines/__pycache__/tensorflow.cpython-311.pyc"),
    ],
)
def test_rule_leaves_out(rule: str, path: str) -> None:
    assert FuncIgnore(rule).leaves_out(path)


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("test", "tests/test_a.py"),  # no word ends there
        ("tests/", "tests/.cache/state"),  # no word begins after the slash
        ("tests", "classify/tests/a.py"),  # anchored at the root
        ("__pycache__", "classify/__pycache__/a.pyc"),
        ("**/__pycache__", "__pycache__/dev.cpython-311.pyc"),
        ("*.md", "models/digits/1/README.md"),
        ("readme.md", "README.md"),  # case counts
        ("# tests", "tests/test_a.py"),
        ("", "tests/test_a.py"),
        ("local_host", "local.settings.json"),
        ("c++", "c++/a.h"),  # no word ends at a plus
        ("a.b", "a-b/c"),  # a point is a point
    ],
)
def test_rule_keeps(rule: str, path: str) -> None:
    assert not FuncIgnore(rule).leaves_out(path)


def test_an_exclamation_mark_wins_wherever_it_stands() -> None:
    rules = FuncIgnore("!models/digits\nmodels\n")

    assert rules.leaves_out("models/catdog/1/model.pb")
    assert not rules.leaves_out("models/digits/1/model.pb")
    assert not rules.leaves_out_folder("models")


def test_some_files_are_never_packed(tmp_path: Path) -> None:
    for name in ("host.json", "local.settings.json", ".gitignore", ".git/config", "a/.vscode/x"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")

    assert [path.as_posix() for path in list_package(tmp_path)] == ["host.json"]


def test_command_prints_each_file_and_the_sum(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "host.json").write_text("{}")
    (tmp_path / "classify").mkdir()
    (tmp_path / "classify" / "__init__.py").write_text("x" * 1498)
    (tmp_path / "README.md").write_text("not shipped")
    (tmp_path / ".funcignore").write_text("*.md\n")

    assert main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["1,498", "classify/__init__.py"]
    assert lines[1].split() == ["2", "host.json"]
    assert lines[2].split()[:5] == ["1,500", "bytes", "in", "2", "files;"]


def test_a_folder_that_is_no_app_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 1
    assert "no host.json" in capsys.readouterr().err
