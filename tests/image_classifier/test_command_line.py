"""The command line, run as people run it: in a process of its own."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from image_classifier import __main__ as cli
from tests.support.builders import colour_image, model_folder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, colours_onnx: bytes) -> Path:
    models = tmp_path_factory.mktemp("models")
    model_folder(models, "digits", 1, onnx=colours_onnx)
    model_folder(models, "bad", 1, onnx=b"no model")
    return models


@pytest.fixture
def run(models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Run":
    monkeypatch.setenv("MODELS_DIR", str(models))
    return Run(capsys)


class Run:
    """Calls main; keeps exit status, standard output and standard error."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *args: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        status = cli.main(args)
        return status, *self._capsys.readouterr()


def test_one_image_is_one_readable_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(colour_image("blue"))
    status, out, _ = run(str(tmp_path / "a.png"))

    assert status == 0
    assert out.count("\n") == 1
    assert "a.png" in out
    assert "Blue" in out


def test_json_is_the_web_answer_and_the_image(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(colour_image("blue"))
    _, out, _ = run(str(tmp_path / "a.png"), "--json")
    line = json.loads(out)

    assert list(line) == ["image", "created", "predictedTagName", "prediction"]
    assert line["image"] == str(tmp_path / "a.png")
    assert line["predictedTagName"] == "Blue"


def test_a_folder_is_walked_and_a_bad_image_fails_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "a.PNG").write_bytes(colour_image("red"))
    (tmp_path / "b.jpg").write_bytes(b"no image")
    (tmp_path / "deeper" / "c.webp").write_bytes(colour_image("green", kind="WEBP"))
    (tmp_path / "notes.txt").write_text("passed over")
    status, out, err = run(str(tmp_path), "--json")
    lines = [json.loads(line) for line in out.splitlines()]

    assert status == 1
    assert [line.get("predictedTagName") for line in lines] == ["Red", None, "Green"]
    assert lines[1]["error"]["code"] == "UnsupportedImage"
    assert "1 of 3 images failed" in err


def test_a_file_that_is_not_there_is_one_failed_image(run: Run, tmp_path: Path) -> None:
    status, out, _ = run(str(tmp_path / "none.png"))

    assert status == 1
    assert "cannot be read: No such file" in out


def test_an_empty_folder_is_an_error(run: Run, tmp_path: Path) -> None:
    assert run(str(tmp_path))[0] == 1


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--model", "none"), "there are: bad, digits"),
        (("--model", "bad"), "model.onnx is not an ONNX model"),
        (("--version", "9"), "it has: 1"),
    ],
)
def test_a_model_that_cannot_answer_is_exit_1_in_words(
    run: Run, tmp_path: Path, option: tuple[str, str], words: str
) -> None:
    (tmp_path / "a.png").write_bytes(colour_image())
    status, out, _ = run(str(tmp_path / "a.png"), *option)

    assert status == 1
    assert words in out


def test_a_wrong_setting_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_IMAGE_BYTES", "lots")
    status, _, err = run("a.png")

    assert status == 1
    assert err.startswith("error: MAX_IMAGE_BYTES='lots'")


def test_a_url_goes_through_the_same_rules_as_over_http(run: Run) -> None:
    status, out, _ = run("http://127.0.0.1:9/a.png", "--json")

    assert status == 1
    assert json.loads(out)["error"]["code"] == "FetchBlocked"


def test_the_module_runs_as_a_command(models: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(colour_image("green"))
    done = subprocess.run(
        [sys.executable, "-m", "image_classifier", str(tmp_path / "a.png"), "--json"],
        cwd=ROOT,
        env={"MODELS_DIR": str(models), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predictedTagName"] == "Green"


def read_all(terminal: int) -> str:
    """What is waiting there; it comes in pieces."""
    os.set_blocking(terminal, False)
    pieces = []
    with contextlib.suppress(BlockingIOError, OSError):
        while piece := os.read(terminal, 65536):
            pieces.append(piece)
    return b"".join(pieces).decode()


def test_a_folder_shows_its_progress_on_a_terminal_only(models: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(colour_image("green"))
    termios = pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))  # a terminal without width shows no bar
    try:
        done = subprocess.run(
            [sys.executable, "-m", "image_classifier", str(tmp_path)],
            cwd=ROOT,
            env={"MODELS_DIR": str(models), "PATH": "/usr/bin:/bin", "TERM": "xterm"},
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=120,
            check=True,
        )
        shown = read_all(ours)
    finally:
        os.close(ours)
        os.close(theirs)

    assert "/2 [" in shown  # tqdm's bar: 0/2 [00:00<?, ?image/s]
    assert done.stdout.count(b"Green") == 2
    assert b"/2 [" not in done.stdout
