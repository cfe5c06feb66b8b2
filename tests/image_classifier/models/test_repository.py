import os
import shutil
import time
from pathlib import Path

import pytest

from image_classifier import Settings
from image_classifier.errors import ModelError, UnknownModel
from image_classifier.models.repository import Repository
from tests.support.builders import model_folder


def repository(root: Path, **environ: str) -> Repository:
    return Repository(Settings.from_environ(environ), app_root=root)


def test_the_highest_version_is_current_by_number_not_by_text(tmp_path: Path) -> None:
    for version in (2, 10, 0):
        model_folder(tmp_path / "models", "m", version)
    found = repository(tmp_path)

    assert found.versions("m") == [10, 2, 0]
    assert found.get("m").version == 10
    assert found.get("m", 0).folder == tmp_path / "models" / "m" / "0"


def test_the_same_model_is_handed_out_each_time(tmp_path: Path) -> None:
    model_folder(tmp_path / "models", "m", 1)
    found = repository(tmp_path)

    assert found.get("m") is found.get("m", 1)


def test_a_new_version_is_found_without_a_restart(tmp_path: Path) -> None:
    model_folder(tmp_path / "models", "m", 1)
    found = repository(tmp_path)
    assert found.get("m").version == 1

    model_folder(tmp_path / "models", "m", 2)

    assert found.get("m").version == 2


def old(folder: Path) -> None:
    """Makes a folder look as if nobody had touched it for an hour."""
    then = time.time() - 3600
    os.utime(folder, (then, then))


def test_folders_that_did_not_change_are_not_read_for_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old(model_folder(tmp_path / "models", "digits", 1).parent)
    found = repository(tmp_path)
    model = found.get()

    def trap(folder: object) -> None:
        raise AssertionError(f"{folder} was read once more")

    monkeypatch.setattr(os, "scandir", trap)

    assert found.get() is model


def test_what_changes_is_seen_at_once_after_hours_of_quiet(tmp_path: Path) -> None:
    old(model_folder(tmp_path / "models", "digits", 1).parent)
    (tmp_path / "classify").mkdir()
    old(tmp_path / "classify")
    found = repository(tmp_path)
    assert (found.get().version, found.get().version) == (1, 1)

    model_folder(tmp_path / "models", "digits", 2)
    assert found.get().version == 2
    old(tmp_path / "models" / "digits")
    assert found.get().version == 2

    shutil.rmtree(tmp_path / "models" / "digits" / "2")
    assert found.get().version == 1

    (tmp_path / "classify" / "labels.txt").write_text("a")
    assert found.get().name == "classify"


def test_what_changes_is_seen_soon_where_folders_keep_their_time_stamps(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "models", "digits", 1).parent
    old(folder)
    found = repository(tmp_path)
    assert found.get().version == 1

    stamp = folder.stat().st_mtime_ns
    model_folder(tmp_path / "models", "digits", 2)
    os.utime(folder, ns=(stamp, stamp))

    deadline = time.monotonic() + 5
    while found.get().version != 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        model_folder(tmp_path / "models", name)

    with pytest.raises(UnknownModel, match="no model 'birds'; there are: cats, dogs"):
        repository(tmp_path).get("birds")


def test_an_unknown_version_lists_the_known_ones(tmp_path: Path) -> None:
    for version in (1, 3):
        model_folder(tmp_path / "models", "m", version)

    with pytest.raises(UnknownModel, match="no version 2; it has: 3, 1"):
        repository(tmp_path).get("m", 2)


@pytest.mark.parametrize("name", ["..", ".", "../other", "m/1", "/etc", "m\x00", "", "a\nb", "ü"])
def test_a_name_never_leaves_the_models_folder(tmp_path: Path, name: str) -> None:
    model_folder(tmp_path / "models", "m", 1)
    model_folder(tmp_path, "other", 1)

    assert repository(tmp_path).versions(name) == []


def test_the_default_is_the_demo_model(tmp_path: Path) -> None:
    model_folder(tmp_path / "models", "digits")
    model_folder(tmp_path / "models", "a")

    assert repository(tmp_path).get().name == "digits"


def test_the_tutorials_pair_in_classify_is_the_default(tmp_path: Path, colours_pb: bytes) -> None:
    model_folder(tmp_path / "models", "digits")
    (tmp_path / "classify").mkdir()
    (tmp_path / "classify" / "model.pb").write_bytes(colours_pb)
    (tmp_path / "classify" / "labels.txt").write_text("Blue\r\nGreen\r\nRed")
    found = repository(tmp_path)

    assert found.names() == ["classify", "digits"]
    assert found.get().name == "classify"
    assert found.get().load().labels == ("Blue", "Green", "Red")


@pytest.mark.tensorflow
def test_half_of_the_tutorials_pair_is_reported_not_overlooked(tmp_path: Path) -> None:
    model_folder(tmp_path / "models", "digits")
    (tmp_path / "classify").mkdir()
    (tmp_path / "classify" / "model.pb").write_bytes(b"")

    with pytest.raises(ModelError, match=r"labels\.txt is missing"):
        repository(tmp_path).get().load()


@pytest.mark.parametrize("name", ["\x00", "..", "../secret", "a/b", "m\n", "\udc80", "x" * 200])
def test_no_path_is_made_of_a_name_that_cannot_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    model_folder(tmp_path / "models", "m", 1)
    found = repository(tmp_path)
    real, asked = os.stat, []

    def trap(path: object, *args: object, **kwargs: object) -> object:
        asked.append(str(path))
        return real(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", trap)

    with pytest.raises(UnknownModel):
        found.get(name)
    assert not [path for path in asked if name in path]


def test_default_model_names_another(tmp_path: Path) -> None:
    model_folder(tmp_path / "models", "digits")
    model_folder(tmp_path / "models", "cats")

    assert repository(tmp_path, DEFAULT_MODEL="cats").get().name == "cats"


def test_a_default_model_that_is_not_there_is_the_apps_fault(tmp_path: Path) -> None:
    model_folder(tmp_path / "models", "cats")

    with pytest.raises(ModelError, match="default model 'dogs'.*there are: cats.*DEFAULT_MODEL"):
        repository(tmp_path, DEFAULT_MODEL="dogs").get()


def test_no_models_at_all_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there are: none"):
        repository(tmp_path).get()


def test_files_without_a_version_folder_get_a_hint(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "cats"
    folder.mkdir(parents=True)
    (folder / "model.pb").write_bytes(b"")

    with pytest.raises(UnknownModel, match="belong in a version folder"):
        repository(tmp_path).get("cats")


def test_models_dir_may_be_anywhere(tmp_path: Path) -> None:
    model_folder(tmp_path / "elsewhere", "digits")

    assert repository(tmp_path, MODELS_DIR=str(tmp_path / "elsewhere")).names() == ["digits"]
    assert repository(tmp_path, MODELS_DIR="elsewhere").names() == ["digits"]
