"""``python -m tools.models`` over a folder, as a person would use it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from image_classifier import Classifier, Settings
from tests.support.builders import colour_image, model_folder
from tests.support.saved_models import half_plus_two
from tests.support.servers import ROOT
from tools.list_package import list_package
from tools.models.__main__ import _parser, main
from tools.models.folder_registry import FolderRegistry


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    return tmp_path / "registry"


@pytest.fixture
def export(tmp_path: Path, colours_onnx: bytes) -> Path:
    """A folder as somebody downloaded it."""
    return model_folder(tmp_path / "downloads", "export", onnx=colours_onnx)


def run(registry: Path, *arguments: str) -> int:
    return main(["--models-dir", str(registry), *arguments])


def test_a_registered_folder_is_served_and_listed(
    registry: Path, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(registry, "register", str(export), "--name", "pets", "--tag", "source=run 7") == 0
    assert "It loads with onnx: 3 labels." in capsys.readouterr().out
    classifier = Classifier(
        Settings.from_environ({"MODELS_DIR": str(registry), "DEFAULT_MODEL": "pets"})
    )

    assert classifier.classify_bytes(colour_image("red")).predicted_tag_name == "Red"
    assert run(registry, "list") == 0
    header, line = capsys.readouterr().out.splitlines()
    assert header.split() == ["MODEL", "VERSION", "ENGINE", "SIZE", "CREATED", "(UTC)", "TAGS"]
    assert line.startswith("pets         1  onnx") and line.endswith("source=run 7")


def test_versions_count_up_and_a_lower_one_says_which_answers(
    registry: Path, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([], ["--version", "7"], [], ["--version", "3"]):
        assert run(registry, "register", str(export), "--name", "m", "--no-check", *arguments) == 0

    assert "Version 8 is higher" in capsys.readouterr().out
    assert [each.number for each in FolderRegistry(registry).versions("m")] == [8, 7, 3, 1]
    assert run(registry, "register", str(export), "--name", "m", "--no-check", "--version", "7")
    assert "never overwritten" in capsys.readouterr().err


def test_the_number_of_a_deleted_version_is_not_given_out_again(
    registry: Path, export: Path, colours_onnx: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server may hold it still, and would go on answering with it."""
    register = ("register", str(export), "--no-check", "--name")
    for _ in range(3):
        assert run(registry, *register, "m") == 0
    for number in (3, 2):
        assert run(registry, "delete", f"m/{number}", "--yes", "--force") == 0
    assert json.loads((registry / ".versions.json").read_text()) == {"m": 3}

    assert run(registry, *register, "m") == 0
    assert run(registry, *register, "other") == 0
    assert run(registry, *register, "m", "--version", "2") == 0, "who says it, may"
    capsys.readouterr()
    assert run(registry, "list") == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[:2] for line in lines] == [
        ["m", "4"],
        ["m", "2"],
        ["m", "1"],
        ["other", "1"],
    ]
    environ = {"MODELS_DIR": str(registry), "DEFAULT_MODEL": "m"}
    assert Classifier(Settings.from_environ(environ)).repository.names() == ["m", "other"]


def test_when_all_of_a_model_is_deleted_its_numbers_go_on(registry: Path, export: Path) -> None:
    run(registry, "register", str(export), "--name", "m", "--no-check")
    run(registry, "delete", "m/1", "--yes", "--force")
    assert not (registry / "m").exists()

    run(registry, "register", str(export), "--name", "m", "--no-check")
    assert [each.number for each in FolderRegistry(registry).versions("m")] == [2]


@pytest.mark.parametrize("text", ["", "[1]", '{"m": "2"}', '{"m": -1}'])
def test_numbers_that_cannot_be_read_are_not_guessed(
    registry: Path, export: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(registry, "register", str(export), "--name", "m", "--no-check")
    (registry / ".versions.json").write_text(text)

    assert run(registry, "register", str(export), "--name", "m", "--no-check") == 1
    assert run(registry, "delete", "m/1", "--yes", "--force") == 1
    said = capsys.readouterr().err
    assert said.count(".versions.json is not the list of the highest numbers") == 2
    assert (
        run(registry, "register", str(export), "--name", "m", "--no-check", "--version", "5") == 0
    )


@pytest.mark.skipif(sys.platform == "win32", reason="a folder cannot be locked there")
def test_deletions_at_once_are_all_noted(registry: Path, colours_onnx: bytes) -> None:
    names = [f"m{number}" for number in range(24)]
    for name in names:
        model_folder(registry, name, 5, onnx=colours_onnx)

    def delete(name: str) -> None:
        one = FolderRegistry(registry)
        one.delete(one.versions(name)[0])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(delete, names))
    assert json.loads((registry / ".versions.json").read_text()) == dict.fromkeys(sorted(names), 5)


def test_deleting_removes_what_killed_commands_left_long_ago(
    registry: Path, colours_onnx: bytes
) -> None:
    model_folder(registry, "m", onnx=colours_onnx)
    left = registry / "m" / ".deleted-x"
    left.mkdir()
    os.utime(left, (0, 0))

    assert run(registry, "delete", "m/1", "--yes", "--force") == 0
    assert [path.name for path in registry.iterdir()] == [".versions.json"]


def test_what_is_noted_of_deleted_versions_is_not_deployed(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / ".funcignore", tmp_path / ".funcignore")
    model_folder(tmp_path / "models", "m", graph=b"graph")
    (tmp_path / "models" / ".versions.json").write_text("{}")

    assert [path.as_posix() for path in list_package(tmp_path)] == [
        "models/m/1/labels.txt",
        "models/m/1/model.pb",
    ]


def test_after_the_last_number_that_a_server_sees_comes_none(
    registry: Path, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = "9" * 18
    register = ("register", str(export), "--no-check", "--name", "m")
    assert run(registry, *register, "--version", last) == 0

    assert run(registry, *register) == 1
    assert f"After {last} m has no next number" in capsys.readouterr().err
    (registry / "m" / last).rename(registry / "m" / f"{last}0")  # no version any more
    assert run(registry, *register) == 0
    assert (registry / "m" / "1").is_dir()


def test_show_has_every_file_with_its_checksum(
    registry: Path, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(registry, "register", str(export), "--name", "m", "--no-check")
    capsys.readouterr()
    assert run(registry, "show", "m", "--json", "--load") == 0
    shown = json.loads(capsys.readouterr().out)

    data = (export / "model.onnx").read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    assert {"path": "model.onnx", "bytes": len(data), "sha256": sha256} in shown["files"]
    assert shown["labels"] == ["Blue", "Green", "Red"]
    assert shown["engines"] == ["onnx"]
    assert json.loads(shown["input_spec"])["size"] == [32, 32]
    assert run(registry, "show", "m/1") == 0
    text = capsys.readouterr().out
    assert sha256 in text and "3: Blue, Green, Red" in text


def test_what_is_no_image_classifier_has_no_input_spec(
    registry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half_plus_two(registry / "half" / "1")

    assert run(registry, "show", "half") == 0
    assert "input     said by the graph itself; --load reads it\n" in capsys.readouterr().out
    assert run(registry, "show", "half", "--load") == 0
    assert "input     none: served through its signatures only\n" in capsys.readouterr().out


def test_a_relative_folder_is_meant_from_where_the_command_is_typed(
    registry: Path,
    export: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(registry.parent)
    here = Path(registry.name)
    assert run(here, "register", str(export), "--name", "m", "--no-check") == 0
    capsys.readouterr()

    assert run(here, "fetch", "m") == 0
    assert capsys.readouterr().out == f"{registry / 'm' / '1'}\n"


def test_a_file_that_changed_after_it_was_registered_is_pointed_out(
    registry: Path, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(registry, "register", str(export), "--name", "m", "--no-check")
    (registry / "m" / "1" / "labels.txt").write_text("\n".join(["Blue", "Green", "Ref"]))

    assert run(registry, "show", "m/1") == 0
    assert "not as registered any more: labels.txt" in capsys.readouterr().out


def test_a_zip_of_an_export_and_a_file_of_weights_can_be_registered(
    registry: Path, export: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for path in export.iterdir():
            archive.write(path, path.name)
        archive.writestr("__MACOSX/._labels.txt", "of a desktop")
    (export / "model.onnx").rename(export / "my-graph.onnx")
    (export / "secret.txt").write_text("not part of the model")

    assert run(registry, "register", str(tmp_path / "export.zip"), "--name", "zipped") == 0
    assert run(registry, "register", str(export / "my-graph.onnx"), "--name", "file") == 0
    for name in ("zipped", "file"):
        files = {each.path for each in FolderRegistry(registry).versions(name)[0].files}
        assert files == {"model.onnx", "labels.txt"}


def test_a_model_in_a_folder_of_a_zip_is_registered_with_what_stands_beside_it(
    registry: Path, export: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for path in export.iterdir():
            archive.write(path, f"pets/app/{path.name}")
        archive.writestr("pets/app/variables/variables.index", "of a SavedModel")
        archive.writestr("pets/app/registry.json", "another registry's")
        archive.writestr("pets/Dockerfile", "FROM scratch")

    assert run(registry, "register", str(tmp_path / "export.zip"), "--name", "m") == 0
    files = {each.path for each in FolderRegistry(registry).versions("m")[0].files}
    assert files == {"model.onnx", "labels.txt", "variables/variables.index"}


def test_a_zip_with_several_models_is_refused_with_their_folders(
    registry: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a/model.onnx", "x")
        archive.writestr("b/c/model.pb", "x")

    assert run(registry, "register", str(tmp_path / "two.zip"), "--name", "m") == 1
    assert "two.zip has models in several folders: a, b/c. Unpack it" in capsys.readouterr().err
    assert not registry.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links there need a right of their own")
def test_links_to_files_elsewhere_are_followed(
    registry: Path, export: Path, tmp_path: Path
) -> None:
    """As Hugging Face's cache and DVC keep what is large."""
    (tmp_path / "blobs").mkdir()
    for path in list(export.iterdir()):
        path.rename(tmp_path / "blobs" / path.name)
        path.symlink_to(Path("../../../blobs") / path.name)

    assert run(registry, "register", str(export), "--name", "folder") == 0
    assert run(registry, "register", str(export / "model.onnx"), "--name", "file") == 0
    for name in ("folder", "file"):
        for file in ("model.onnx", "labels.txt"):
            kept = registry / name / "1" / file
            assert not kept.is_symlink()
            assert kept.read_bytes() == (tmp_path / "blobs" / file).read_bytes()


@pytest.mark.parametrize(
    "name", ["../../labels.txt", "/etc/labels.txt", "C:\\labels.txt", "a/../b"]
)
def test_a_zip_writes_nothing_outside_of_its_place(
    registry: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), "x")
        archive.writestr("model.pb", "x")

    assert run(registry, "register", str(tmp_path / "bad.zip"), "--name", "m") == 1
    assert "is a path that could lead out of the folder" in capsys.readouterr().err
    assert not registry.exists()


def test_a_zip_that_cannot_be_unpacked_is_one_sentence(
    registry: Path, export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "bad.zip"

    def said() -> str:
        assert run(registry, "register", str(broken), "--name", "m", "--no-check") == 1
        err = capsys.readouterr().err
        assert err.startswith(f"error: {broken}") and err.count("\n") == 1
        return err

    for names in (("a", "a/b"), ("a/b", "a")):
        with zipfile.ZipFile(broken, "w") as archive:
            for name in names:
                archive.writestr(name, "x")
        assert "'a' is both a file and a folder" in said()
    for method, words in (
        (zipfile.ZIP_DEFLATED, "model.onnx is damaged or cut short"),
        (zipfile.ZIP_LZMA, "is compressed by method 14, not as the portal does"),
        (zipfile.ZIP_BZIP2, "is compressed by method 12, not as the portal does"),
    ):
        with zipfile.ZipFile(broken, "w", method) as archive:
            archive.write(export / "model.onnx", "model.onnx")
        data = bytearray(broken.read_bytes())
        data[60:120] = bytes(60)
        broken.write_bytes(data)
        assert words in said()
    broken.write_bytes(b"PK" + bytes(100))
    assert "cannot be read: it is something else" in said()


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".zip", "x/" * 3000])
def test_a_source_whose_name_is_too_long_is_one_sentence(
    registry: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(registry, "register", name, "--name", "m") == 1
    assert "cannot be read or copied: File name too long." in capsys.readouterr().err


def test_what_no_server_could_load_is_refused_and_leaves_nothing(
    registry: Path, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (export / "labels.txt").write_text("only one")

    assert run(registry, "register", str(export), "--name", "m") == 1
    assert "No server could load it" in capsys.readouterr().err
    assert not registry.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--name", "../m"], "cannot be the name of a model"),
        (["--name", "m", "--version", "-1"], "cannot be a version"),
        (["--name", "m", "--tag", "no-value"], "write key=value"),
        (["--name", "m", "--tag", "a=b\nc"], "write key=value"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_loaded(
    registry: Path,
    export: Path,
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(registry, "register", str(export), *arguments) == 1
    assert words in capsys.readouterr().err
    assert not registry.exists()


def test_a_folder_without_weights_points_to_the_one_that_has_them(
    registry: Path, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(registry, "register", str(export.parent), "--name", "m") == 1
    assert f"but {export} does: register that folder." in capsys.readouterr().err


def test_tags_are_added_changed_and_removed_and_servers_do_not_mind(
    registry: Path, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(registry, "register", str(export), "--name", "m", "--no-check")
    capsys.readouterr()

    assert run(registry, "tag", "m/1", "stage=test", "accuracy=0.97") == 0
    assert run(registry, "tag", "m/1", "stage=live", "--remove", "accuracy") == 0
    assert run(registry, "tag", "m", "owner=Zoë") == 0
    assert run(registry, "tag", "m/1", "--remove", "missing") == 1
    assert "there are: stage" in capsys.readouterr().err
    assert run(registry, "list", "--json") == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert model["tags"] == {"owner": "Zoë"}
    assert model["versions"][0]["tags"] == {"stage": "live"}
    assert run(registry, "show", "m/1", "--load") == 0


def test_names_that_are_not_there_list_those_that_are(
    registry: Path, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(registry, "register", str(export), "--name", "cats", "--no-check")
    for arguments in (["show", "dogs"], ["list", "dogs"], ["tag", "dogs"], ["delete", "dogs/1"]):
        assert run(registry, *arguments) == 1
        assert "no model 'dogs'" in capsys.readouterr().err
    assert run(registry, "show", "cats/2") == 1
    assert "no version '2'; there are: 1" in capsys.readouterr().err
    for number in ("9" * 5000, "²", "-1", ""):
        assert run(registry, "show", f"cats/{number}") == 1
        assert f"no version {number[:40]!r}; there are: 1" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["..", "../registry", ""])
def test_nothing_outside_of_the_registry_can_be_named(
    tmp_path: Path, colours_onnx: bytes, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = tmp_path / "registry"
    folders = [model_folder(tmp_path, each, 7, onnx=colours_onnx) for each in (".", "registry")]

    for arguments in (["show"], ["tag"], ["delete", "--yes", "--force"]):
        assert run(registry, arguments[0], f"{name}/7", *arguments[1:]) == 1
        assert f"There is no model {name.partition('/')[0]!r}" in capsys.readouterr().err
    assert run(registry, "list", "..") == 1
    assert all((folder / "model.onnx").is_file() for folder in folders)


def test_a_version_registered_by_hand_is_listed_like_any_other(
    registry: Path, colours_onnx: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    model_folder(registry, "m", 4, onnx=colours_onnx)
    model_folder(registry, "m", 5)  # labels, and no weights

    assert run(registry, "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "not served: it has no model.onnx or" in lines[1]
    assert lines[2].split()[:3] == ["m", "4", "onnx"]


@pytest.mark.tensorflow
def test_converting_adds_onnx_and_keeps_the_checksums_right(
    registry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = ROOT / "models" / "digits" / "1"
    assert run(registry, "register", str(demo / "model.pb"), "--name", "m", "--no-check") == 0

    (registry.parent / "empty").mkdir()
    assert run(registry, "convert", "m", "--images", str(registry.parent / "empty")) == 1
    assert "error: m/1 was not converted: There are no images in" in capsys.readouterr().err
    assert not (registry / "m" / "1" / "model.onnx").exists()
    assert run(registry, "convert", "m") == 0
    capsys.readouterr()
    assert run(registry, "show", "m", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["engines"] == ["onnx", "tensorflow"]
    assert shown["problem"] is None
    assert run(registry, "convert", "m") == 1
    assert "--again" in capsys.readouterr().err


def test_the_pages_commands_are_those_of_the_program() -> None:
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    lines = re.findall(r"^python -m tools\.models (.*)$", blocks, re.MULTILINE)
    used = {_parser().parse_args(shlex.split(line)).command for line in lines}

    assert used == {"register", "list", "show", "convert", "tag", "delete"}
    assert "python -m tools.models fetch pets" in page


def test_without_a_terminal_deleting_needs_yes(
    registry: Path,
    export: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(registry, "register", str(export), "--name", "m", "--no-check")
    with open(os.devnull) as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)

        assert run(registry, "delete", "m/1", "--force") == 1
        assert "say --yes" in capsys.readouterr().err
        assert run(registry, "delete", "m", "--force", "--yes") == 1
        assert "Say which version, as in m/1" in capsys.readouterr().err
        assert run(registry, "delete", "m/1", "--force", "--yes") == 0
    assert [path.name for path in registry.iterdir()] == [".versions.json"]
