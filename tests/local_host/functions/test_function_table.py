from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_host.functions.function_table import FunctionTable
from tests.support.apps import write_app, write_function


def read(root: Path, **environ: str) -> FunctionTable:
    return FunctionTable.read(root, environ)


def test_functions_are_sorted_without_regard_to_case_underscore_after_letters(
    tmp_path: Path,
) -> None:
    write_app(tmp_path)
    for name in ("classify_queue", "Zebra", "classifyx", "alpha"):
        write_function(tmp_path, name, "")

    names = [function.name for function in read(tmp_path).functions]

    assert names == ["alpha", "classifyx", "classify_queue", "Zebra"]


def test_folder_without_function_json_is_no_function(tmp_path: Path) -> None:
    (write_app(tmp_path) / "image_classifier").mkdir()

    assert read(tmp_path) == FunctionTable()


def test_route_is_the_name_when_none_is_given(tmp_path: Path) -> None:
    write_function(write_app(tmp_path), "hello", "", methods=["get", "Post"])

    (function,) = read(tmp_path).functions
    assert (function.route, function.methods, function.entry_point) == (
        "hello",
        ("GET", "POST"),
        "main",
    )


@pytest.mark.parametrize(
    ("bindings", "reason"),
    [
        ([], "At least one binding must be declared"),
        ([{"type": "http", "direction": "out", "name": "$return"}], "must be a trigger; none is"),
        ([{"type": "httpTrigger"}], "a type and a name"),
        ([{"type": "httpTrigger", "name": "req", "direction": "up"}], "in, out or inout"),
        ([{"type": "httpTrigger", "name": "req", "methods": "get"}], "methods must be a list"),
    ],
)
def test_bad_bindings_put_the_function_in_error_and_leave_the_others(
    tmp_path: Path, bindings: list[dict[str, Any]], reason: str
) -> None:
    write_function(write_app(tmp_path), "bad", "", bindings=bindings)
    write_function(tmp_path, "good", "")

    table = read(tmp_path)

    assert reason in table.errors["bad"]
    assert [function.name for function in table.functions] == ["good"]


def test_bad_name_and_bad_json_are_told_with_their_place(tmp_path: Path) -> None:
    write_function(write_app(tmp_path), "2fast", "")
    (write_function(tmp_path, "torn", "") / "function.json").write_text('{\n"bindings": [', "utf-8")

    errors = read(tmp_path).errors

    assert "'2fast' is not a valid function name" in errors["2fast"]
    assert "line 2" in errors["torn"]


@pytest.mark.parametrize(
    ("value", "disabled"), [("true", True), ("1", True), ("false", False), ("", False)]
)
def test_setting_disables_a_function(tmp_path: Path, value: str, disabled: bool) -> None:
    write_function(write_app(tmp_path), "hello", "")

    (function,) = FunctionTable.read(tmp_path, {"AzureWebJobs.hello.Disabled": value}).functions

    assert function.disabled is disabled


@pytest.mark.parametrize(
    ("files", "script_file", "primary"),
    [
        (["only.py"], None, "only.py"),
        (["run.py", "helper.py"], None, "run.py"),
        (["__init__.py", "helper.py"], None, "__init__.py"),
        (["__init__.py", "endpoint.py"], "endpoint.py", "endpoint.py"),
    ],
)
def test_script_is_found_by_the_hosts_rules(
    tmp_path: Path, files: list[str], script_file: str | None, primary: str
) -> None:
    config = {"scriptFile": script_file} if script_file else {}
    folder = write_function(write_app(tmp_path), "hello", "", config=config)
    (folder / "__init__.py").unlink()
    for name in files:
        (folder / name).touch()

    (function,) = read(tmp_path).functions
    assert function.script.name == primary


def test_script_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    write_function(write_app(tmp_path), "hello", "", config={"scriptFile": "gone.py"})

    assert "gone.py" in read(tmp_path).errors["hello"]
