"""Hostile zip files are refused in one sentence by both commands, and leave nothing behind."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from image_classifier.models.model import Model
from tests.support.builders import COLOURS
from tests.support.hostile_zips import Entry, cases, deflated, zip_file
from tools.add_model.__main__ import main as add_model
from tools.models.__main__ import main as models

LABELS = deflated(b"labels.txt", "\n".join(COLOURS).encode())
GRAPH = b"a graph" * 500
# Refused before anybody looks at the graph.
CASES = cases((deflated(b"model.pb", GRAPH), LABELS))
RUN = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def good(colours_pb: bytes) -> tuple[Entry, ...]:
    return deflated(b"model.pb", colours_pb), LABELS


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def add(data: bytes, folder: Path) -> int:
    """Adds a zip file to ``folder/work/models``."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    (work / "export.zip").write_bytes(data)
    return add_model(
        [str(work / "export.zip"), "--name", "m", "--models-dir", str(work / "models")]
    )


def register(data: bytes, folder: Path) -> int:
    """Registers a zip file in ``folder/work/models``, without loading it."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    (work / "export.zip").write_bytes(data)
    arguments = ["register", str(work / "export.zip"), "--name", "m", "--no-check"]
    return models(["--models-dir", str(work / "models"), *arguments])


PREFIXES: dict[Callable[[bytes, Path], int], str] = {add: "refused: ", register: "error: "}
both_commands = pytest.mark.parametrize("command", PREFIXES)


def test_an_honest_zip_file_written_byte_by_byte_is_added(
    good: tuple[Entry, ...], tmp_path: Path
) -> None:
    assert add(zip_file(good), tmp_path) == 0
    assert zipfile.ZipFile(tmp_path / "work" / "export.zip").testzip() is None
    assert everything(tmp_path / "work" / "models") == {
        "m",
        "m/1",
        "m/1/model.pb",
        "m/1/labels.txt",
    }


@both_commands
@pytest.mark.parametrize("case", CASES)
def test_a_hostile_zip_file_is_refused_and_leaves_nothing(
    case: str,
    command: Callable[[bytes, Path], int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, words = CASES[case]

    assert command(data, tmp_path) == 1
    refusal = capsys.readouterr().err
    assert refusal.startswith(PREFIXES[command]) and words in refusal
    assert refusal.endswith(".\n") and refusal.count("\n") == 1 and len(refusal) < 650
    assert refusal[:-1].isprintable()
    assert everything(tmp_path) == {"work", "work/export.zip"}


def test_modes_and_extra_files_of_a_zip_file_count_for_nothing(
    good: tuple[Entry, ...], tmp_path: Path
) -> None:
    strange = [replace(entry, attributes=0o104777 << 16) for entry in good]
    others = [Entry(b"run.sh", b"#!", attributes=0o100755 << 16), Entry(b"python/", b"")]

    assert add(zip_file([*strange, *others]), tmp_path) == 0
    folder = tmp_path / "work" / "models" / "m" / "1"
    assert {path.name: path.stat().st_mode & 0o7133 for path in folder.iterdir()} == {
        "model.pb": 0,
        "labels.txt": 0,
    }


@pytest.mark.slow
def test_a_large_file_is_never_held_in_memory(tmp_path: Path) -> None:
    """The model takes 24 MB, which zipfile and the copying pass on in small pieces."""
    import tracemalloc

    from tools.model_sources.source import copy_file
    from tools.model_sources.zip_archive import Archive

    contents = random.Random(0).randbytes(2**20) * 24
    (tmp_path / "e.zip").write_bytes(zip_file([deflated(b"model.pb", contents)]))
    archive = Archive(tmp_path / "e.zip")
    tracemalloc.start()
    try:
        copy_file(archive, "model.pb", tmp_path / "model.pb")
        assert tracemalloc.get_traced_memory()[1] < 6 * 2**20
    finally:
        tracemalloc.stop()
        archive.close()
    assert (tmp_path / "model.pb").stat().st_size == len(contents)


def changed(data: bytes, seed: int) -> bytes:
    """A zip file with a few random bytes."""
    rng = random.Random(seed)
    copy = bytearray(data)
    directory = copy.index(b"PK\x01\x02")
    for _ in range(rng.choice((1, 1, 2, 5))):
        # The data are most of the file, and their checksum finds every change of them.
        copy[rng.randrange(rng.choice((0, directory)), len(copy))] = rng.randrange(256)
    return bytes(copy)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32))
@RUN
def test_a_changed_zip_file_is_registered_whole_or_refused_in_a_sentence(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    data = changed(zip_file([deflated(b"model.pb", GRAPH), LABELS]), seed)
    with TemporaryDirectory() as name:
        folder = Path(name)
        status = register(data, folder)
        err = capsys.readouterr().err
        if status == 0:
            assert (folder / "work" / "models" / "m" / "1" / "model.pb").read_bytes() == GRAPH
        else:
            assert status == 1
            assert err.startswith("error: ") and err.count("\n") == 1
            assert everything(folder) == {"work", "work/export.zip"}


@given(seed=st.integers(0, 2**32))
@RUN
def test_a_changed_zip_file_is_added_whole_or_refused_in_a_sentence(
    good: tuple[Entry, ...], seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        status = add(changed(zip_file(good), seed), folder)
        err = capsys.readouterr().err
        if status == 0:
            labels = Model("m", 1, folder / "work" / "models" / "m" / "1").load().labels
            assert labels == COLOURS
        else:
            assert status == 1
            assert err.startswith("refused: ") and err.count("\n") == 1
            assert everything(folder) == {"work", "work/export.zip"}
