"""Versions in the cache are whole, written once, and survive processes that are killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from image_classifier.errors import ModelError
from image_classifier.stores.download_cache import ModelCache, default_cache_dir
from tests.support.azurite import wait_until
from tests.support.servers import ROOT

KEY = "0123456789ab"

PROGRAM = """
import os, sys, time
from pathlib import Path
from image_classifier.stores.download_cache import ModelCache

def write(folder):
    (folder / "a").write_text("half")
    Path(sys.argv[2], f"started-{os.getpid()}").touch()
    time.sleep(float(sys.argv[3]))
    (folder / "a").write_text("whole")

cache = ModelCache(Path(sys.argv[1]), "place")
target = cache.folder("m", 1, "0123456789ab")
cache.fill(target, write)
assert (target / "a").read_text() == "whole"
"""


def filler(tmp_path: Path, seconds: float) -> subprocess.Popen[bytes]:
    (tmp_path / "notes").mkdir(exist_ok=True)
    arguments = (str(tmp_path / "cache"), str(tmp_path / "notes"), str(seconds))
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT)


def started(tmp_path: Path) -> int:
    return len(list((tmp_path / "notes").iterdir()))


def write(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "a").write_text("whole")


def test_of_several_processes_one_writes_and_the_others_wait(tmp_path: Path) -> None:
    processes = [filler(tmp_path, 0.5) for _ in range(4)]

    assert [process.wait(20) for process in processes] == [0, 0, 0, 0]
    assert started(tmp_path) == 1


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    killed = filler(tmp_path, 60)
    wait_until(lambda: started(tmp_path) == 1, "it writes")
    waiting = filler(tmp_path, 0)
    killed.kill()
    killed.wait()

    assert waiting.wait(20) == 0
    (model,) = (tmp_path / "cache").glob("*/m")
    assert sorted(path.name for path in model.iterdir()) == [f".lock-1-{KEY}", f"1-{KEY}"]


def test_a_version_is_found_again_by_another_process(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path, "place")
    target = cache.folder("m", 2, KEY)

    assert cache.fill(target, write)
    assert not ModelCache(tmp_path, "place").fill(target, write)
    assert ModelCache(tmp_path, "place").versions() == {"m": {2: target}}
    assert ModelCache(tmp_path, "other").versions() == {}


def test_a_write_that_fails_leaves_nothing_and_is_told(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path, "place")
    target = cache.folder("m", 1, KEY)

    def fails(folder: Path) -> None:
        write(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(ModelError, match="No space left on device.*MODELS_CACHE_DIR"):
        cache.fill(target, fails)
    assert [path.name for path in target.parent.iterdir()] == [f".lock-1-{KEY}"]
    assert cache.versions() == {}


def test_old_versions_go_when_a_new_one_comes_and_two_stay(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path, "place")
    week_ago = time.time() - 7 * 24 * 3600
    for number in range(1, 6):
        folder = cache.folder("m", number, KEY)
        cache.fill(folder, write)
        os.utime(folder, (week_ago + number, week_ago + number))
    cache.fill(cache.folder("m", 6, KEY), write)

    assert list(cache.versions()["m"]) == [6, 5]


def test_what_was_used_today_stays(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path, "place")
    for number in range(1, 6):
        cache.fill(cache.folder("m", number, KEY), write)

    assert list(cache.versions()["m"]) == [5, 4, 3, 2, 1]


def test_of_one_number_the_last_used_content_counts(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path, "place")
    older, newer = cache.folder("m", 1, KEY), cache.folder("m", 1, "f" * 12)
    for folder in (newer, older):
        cache.fill(folder, write)
    os.utime(older, (1, 1))

    assert cache.versions() == {"m": {1: newer}}


@pytest.mark.skipif(os.name == "nt", reason="folders have no such rights there")
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    cache = ModelCache(shared, "place")

    with pytest.raises(ModelError, match="others can write there"):
        cache.fill(cache.folder("m", 1, KEY), write)
    own = ModelCache(tmp_path / "own", "place")
    own.fill(own.folder("m", 1, KEY), write)
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = ModelCache(tmp_path / "file", "place")

    with pytest.raises(ModelError, match="Set MODELS_CACHE_DIR to a folder"):
        cache.fill(cache.folder("m", 1, KEY), write)
    assert cache.versions() == {}


def test_the_default_is_a_folder_of_this_user() -> None:
    assert default_cache_dir().name.startswith("image-classifier-models-")
