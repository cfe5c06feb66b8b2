"""The command as people use it: wrong arguments, Ctrl+C, a terminal, and the app itself."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.azurite import wait_until
from tests.support.builders import colour_image, model_folder
from tests.support.servers import ROOT, LocalHost
from tests.support.terminals import run_on_a_terminal
from tests.tools.compare.services import (
    KEY_A,
    KEY_B,
    NAMED,
    Compare,
    Serve,
    figure,
    posix_only,
    rows,
)
from tools.compare.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate", "0"], "'0' is not a number above 0"),
        (["--concurrency", "65"], "'65' is not a number from 1 to 64"),
        (["--limit", "0"], "'0' is not a whole number of 1 or more"),
        (["--least-agreement", "99"], "'99' is not a share"),
        (["--resume", "--overwrite"], "not allowed with"),
        (["--endpoint", "http://h/image"], "--endpoint is there 3 times"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: Sequence[str], words: str, compare: Compare
) -> None:
    ran = compare("http://127.0.0.1:9/image", "http://127.0.0.1:9/image", *arguments)

    assert ran.status in (1, 2)
    assert words in ran.err


def test_a_folder_without_images_is_said(tmp_path: Path, capsys: Any) -> None:
    both = ["--endpoint", "http://127.0.0.1:9/image"] * 2

    assert main([*both, str(tmp_path)]) == 1
    assert "There are no images in" in capsys.readouterr().err
    assert main([*both, str(tmp_path / "nowhere")]) == 1
    assert "There is no folder" in capsys.readouterr().err


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tools.compare", *arguments]


@posix_only
def test_ctrl_c_shows_what_there_is_and_the_rest_can_follow(
    service: Serve, folder: Path, tmp_path: Path
) -> None:
    for number in range(96):
        (folder / f"z{number}.png").write_bytes(f"z{number}".encode())
    a, b = service(), service()
    arguments = ["--endpoint", a.url, "--endpoint", b.url, str(folder)]
    arguments += ["--out", str(tmp_path / "out"), "--rate"]
    process = subprocess.Popen(
        command(*arguments, "20"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_until(lambda: len(a.asked) >= 10, "ten images", 30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    found = re.search(r"The two agree on (\d+) of (\d+) images", out)

    assert process.returncode == 130
    assert found and found[1] == found[2]
    assert 9 <= int(found[1]) < 100
    assert err.endswith("To go on: the same command with --resume\n")
    assert f"It ended early: {int(found[1])} of 100 images are in." in out
    again = command(*arguments, "1000", "--resume")
    done = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "The two agree on 100 of 100 images" in done.stdout
    # Nothing was asked twice, but what was on its way to one of them.
    assert 100 <= len(a.asked) <= 104


def test_progress_is_shown_on_a_terminal_only(service: Serve, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    pytest.importorskip("termios")
    arguments = ["--endpoint", service().url, "--endpoint", service().url, str(folder)]
    shown, written = run_on_a_terminal(command(*arguments, "--out", str(tmp_path / "out")))

    assert b"4/4 [" in shown
    assert b"4/4 [" not in written


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, colours_onnx: bytes) -> Iterator[LocalHost]:
    """The app with a key and two models, of which one mixes up two colours."""
    models = tmp_path_factory.mktemp("models")
    model_folder(models, "colours", 1, onnx=colours_onnx)
    model_folder(models, "mixed", 1, onnx=colours_onnx, labels="Green\nBlue\nRed")
    env = {
        "MODELS_DIR": str(models),
        "API_KEYS": f"{KEY_A},{KEY_B}",
        "CUSTOM_VISION_MODELS": "Iteration1=colours,Iteration2=mixed",
    }
    with LocalHost(env=env) as running:
        yield running


@pytest.fixture
def colours(folder: Path) -> None:
    """Real images in place of the folder's, and one that is none."""
    for path in folder.rglob("*.*"):
        path.unlink()
    for colour in ("red", "green", "blue"):
        (folder / colour.title()).mkdir()
        for width in (30, 40, 50):
            file = folder / colour.title() / f"{width}.png"
            file.write_bytes(colour_image(colour, (width, 40)))
    (folder / "Red" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")


@pytest.mark.usefixtures("colours")
def test_the_app_agrees_with_itself(
    compare: Compare, app: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_A", KEY_A)
    monkeypatch.setenv("PREDICTION_KEY_B", KEY_B)
    ran = compare(f"{app.url}{NAMED}/Iteration1/image", app.url, "--labelled")

    assert ran.status == 0, ran.err
    assert "The two agree on 9 of 9 images (100.0 %, at least 70.1 % with" in ran.out
    assert "probabilities differ by 0 on average and by at most 0." in ran.out
    assert figure(ran, "right, of 9")[0].startswith("9 (100.0 %")
    (broken,) = [cells for cells in rows(ran.out) if cells[0] == "Red/broken.jpg"]
    assert broken[1].startswith("answered 400 BadRequestImageFormat: ")
    assert broken[1] == broken[2]


@pytest.mark.usefixtures("colours")
def test_two_published_names_of_the_app_are_told_apart(
    compare: Compare, app: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_A", KEY_A)
    monkeypatch.setenv("PREDICTION_KEY_B", KEY_B)
    one, two = (f"{app.url}{NAMED}/{name}/image" for name in ("Iteration1", "Iteration2"))
    ran = compare(one, two, "--labelled", "--least-agreement", "0.9")

    assert ran.status == 1
    assert "The two agree on 3 of 9 images (33.3 %" in ran.out
    assert figure(ran, "right where the other is wrong") == ["6", "0"]
    assert ["Blue", "Green", "0", "3"] in rows(ran.out)


@pytest.mark.usefixtures("colours")
def test_the_apps_own_words_say_what_is_wrong(
    compare: Compare, app: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = f"{app.url}{NAMED}/Iteration1/image"
    no_key = compare(here, here)
    monkeypatch.setenv("PREDICTION_KEY_A", KEY_A)
    monkeypatch.setenv("PREDICTION_KEY_B", KEY_B)
    no_name = compare(here, here.replace("Iteration1", "Iteration9"))

    assert "answered 401 Forbidden: Access denied due to invalid subscription key" in no_key.err
    assert "B answered 404 NotFoundIteration: Invalid iteration: 'Iteration9'" in no_name.err
