"""The command: its options, its words on any terminal, and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.custom_vision_exports import (
    manifest,
)
from tests.support.servers import ROOT
from tests.tools.add_model.exports import add, export_of, packed, unpacked
from tools.add_model.__main__ import main
from tools.shared.signals import INTERRUPTED


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["e.zip", "--name", "../m"], "'../m' cannot be the name of a model"),
        (["e.zip", "--name", "m", "--version", "-1"], "-1 cannot be a version"),
        (["missing.zip", "--name", "m"], "missing.zip is not there"),
        (["model.pb", "--name", "m"], "model.pb is the model alone: give the folder"),
        (["e.zip", "--name", "m", "--sample", "no.png"], "no.png cannot be read"),
        (
            ["e.zip", "--name", "m", "--sample", "text.png"],
            "text.png: This is damaged data or a file of another kind, not an",
        ),
        (["e.zip", "--name", "m", "--models-dir", "text.png"], "cannot be written to"),
    ],
)
def test_what_is_asked_wrongly_is_refused(
    options: list[str],
    words: str,
    colours_pb: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    packed(tmp_path / "e.zip", export_of(colours_pb))
    unpacked(tmp_path, {"model.pb": colours_pb, "text.png": "no image"})
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))

    assert main(options) == 1
    assert words in capsys.readouterr().err
    assert set(tmp_path.rglob("*")) == before


def test_a_version_is_never_overwritten(
    colours_pb: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = packed(tmp_path / "e.zip", export_of(colours_pb))

    assert add(export, "--version", "3")[0] == 0
    assert add(export, "--version", "3")[0] == 1
    assert "never overwritten: leave the version out" in capsys.readouterr().err
    assert add(export)[0] == 0
    assert sorted(path.name for path in (tmp_path / "models" / "m").iterdir()) == ["3", "4"]


def test_what_an_export_says_cannot_reach_the_terminal(
    colours_pb: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = manifest(colours_pb, ExportedDate="\x1b]0;evil\x07\ud800")
    files = {"model.pb": colours_pb, "labels.txt": "\x1b[31mred\nb\nc", "cvexport.manifest": said}

    assert add(packed(tmp_path / "e.zip", files))[0] == 0
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert r"\x1b[31mred" in out and r"\x1b]0;evil\x07\ud800" in out


def test_labels_in_any_script_are_shown_on_any_terminal(colours_pb: bytes, tmp_path: Path) -> None:
    files = {"model.pb": colours_pb, "labels.txt": "Größe\n猫\nb"}
    packed(tmp_path / "e.zip", files)
    done = subprocess.run(
        [sys.executable, "-m", "tools.add_model", str(tmp_path / "e.zip"), "--name", "m"]
        + ["--models-dir", str(tmp_path / "models")],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"labels     3: Gr\xf6\xdfe, \u732b, b" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopped_half_way_it_leaves_nothing(
    sent: signal.Signals, colours_pb: bytes, tmp_path: Path
) -> None:
    export = packed(tmp_path / "e.zip", export_of(colours_pb))
    command = [sys.executable, "-m", "tools.add_model", str(export), "--name", "m"]
    running = subprocess.Popen(
        [*command, "--models-dir", str(tmp_path / "models")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert running.stdout is not None
    read = b""
    while b"load it" not in read:  # which takes seconds: TensorFlow is imported
        piece = os.read(running.stdout.fileno(), 1000)
        assert piece, "it ended before"
        read += piece
    assert list((tmp_path / "models" / "m").iterdir())
    running.send_signal(sent)
    _, err = running.communicate(timeout=60)

    assert running.returncode == INTERRUPTED
    assert err.decode() == "Stopped. Nothing was added.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["e.zip"]
