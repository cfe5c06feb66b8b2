"""Every hostile image gets its answer, in bounded time and memory, from the real pipeline."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import model_folder
from tests.support.hostile_images import HOSTILE_IMAGES
from tests.support.servers import ROOT, clean_environment

# After so long the process is ended, and what it was at has failed. Making a file counts, too.
HARD_LIMIT_SECONDS = 60
# Of processor time, as other work on the machine does not count; most take 0.01, the worst 1.5.
CPU_SECONDS = 5
# 49 million pixels are 200 MB as RGB; the worst, CMYK and WebP, take 560 while they are decoded.
ALLOWED_MEGABYTES = 600
REFUSED_MEGABYTES = 100

Report = dict[str, Any]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, colours_onnx: bytes) -> dict[str, Report]:
    """What a process of its own measured for each image; those that it did not survive lack."""
    app_root = tmp_path_factory.mktemp("app")
    model_folder(app_root / "models", "digits", 1, onnx=colours_onnx)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.hostile_images_process", str(app_root)],
        cwd=ROOT,
        env=clean_environment({"TF_CPP_MIN_LOG_LEVEL": "3"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    try:
        return {line["name"]: line for line in _lines(process) if "status" in line}
    finally:
        process.kill()
        process.communicate()


def _lines(process: subprocess.Popen[str]) -> Iterator[Report]:
    """The process's lines, until it ends or is silent for too long."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    thread = threading.Thread(target=read)
    thread.start()
    try:
        while line := lines.get(timeout=HARD_LIMIT_SECONDS):
            yield json.loads(line)
    except queue.Empty:
        pass
    finally:
        process.kill()
        thread.join()


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE_IMAGES) >= 60
    assert {status for _, (status, _) in HOSTILE_IMAGES.values()} == {200, 400, 413, 415}


@pytest.mark.parametrize("name", HOSTILE_IMAGES)
def test_a_hostile_image_gets_its_answer(name: str, reports: dict[str, Report]) -> None:
    report = reports.get(name)
    assert report, f"the process ended or took more than {HARD_LIMIT_SECONDS} s, here or before"

    assert (report["status"], report["code"]) == HOSTILE_IMAGES[name][1]
    assert report["cpu_seconds"] < CPU_SECONDS
    if report["megabytes"] is not None:
        allowed = ALLOWED_MEGABYTES if report["status"] == 200 else REFUSED_MEGABYTES
        assert report["megabytes"] < allowed


def test_the_corpus_can_be_written_as_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.support import hostile_images

    some = {name: HOSTILE_IMAGES[name] for name in ("one byte", "svg", "jpeg in grey")}
    monkeypatch.setattr(hostile_images, "HOSTILE_IMAGES", some)

    hostile_images.main(tmp_path / "corpus")

    assert "3 files in" in capsys.readouterr().out
    assert (tmp_path / "corpus" / "000.bin").read_bytes() == b"\xff"
    assert "002.bin\t200\t-\tjpeg in grey\n" in (tmp_path / "corpus" / "index.tsv").read_text()
