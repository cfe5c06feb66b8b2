"""The trainer, run as people run it, on a handful of digits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tools.train_demo import __main__ as trainer
from tools.train_demo.augment import training_images
from tools.train_demo.card import model_card
from tools.train_demo.data import split_digits
from tools.train_demo.evaluate import Score

ROOT = Path(__file__).resolve().parents[3]


def _train(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    # A process of its own: training sets TensorFlow's seeds and determinism for good.
    command = [sys.executable, "-m", "tools.train_demo", "--limit=4", "--epochs=1", *options]
    return subprocess.run(
        [*command, f"--out={folder / 'model'}", f"--samples={folder / 'samples'}"],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_bad_model_does_not_replace_a_good_one(tmp_path: Path) -> None:
    good = tmp_path / "model" / "model.pb"
    good.parent.mkdir()
    good.write_bytes(b"a good model")
    done = _train(tmp_path)
    assert done.returncode == 1
    assert "Not good enough: the goal is 98%" in done.stderr
    assert "--force" in done.stderr
    assert [path.name for path in good.parent.iterdir()] == ["model.pb"]
    assert good.read_bytes() == b"a good model"
    assert not (tmp_path / "samples").exists()


def test_force_keeps_a_bad_model_and_says_how_bad(tmp_path: Path) -> None:
    done = _train(tmp_path, "--force")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr  # TensorFlow has things to say there, on some machines
    written = {path.name for path in (tmp_path / "model").iterdir()}
    assert written == {"model.pb", "labels.txt", "README.md"}
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    line = next(line for line in done.stdout.splitlines() if "white on black" in line)
    right = line.split(" of ")[0].split()[-1]
    assert f"| marker, white on black | {right} | 4 |" in card
    assert "--epochs 1 --seed 0" in card
    assert (tmp_path / "samples" / "samples.json").is_file()


def test_trial_never_writes_to_the_committed_folders(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        trainer.main(["--limit", "10"])
    assert stopped.value.code == 2
    assert "name other folders with --out and --samples" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "-3", "many"])
def test_epochs_must_be_a_count(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        trainer.main([f"--epochs={value}"])
    assert value in capsys.readouterr().err


def test_held_out_digits_are_a_fifth_and_never_trained_on() -> None:
    train, held_out = split_digits()
    assert (len(train), len(held_out)) == (1437, 360)
    assert not {digit.index for digit in train} & {digit.index for digit in held_out}
    counts = np.bincount([digit.label for digit in held_out])
    assert counts.min() >= 34 and counts.max() <= 38


def test_split_is_always_the_same() -> None:
    first, again = split_digits(), split_digits()
    assert [d.index for d in first[1]] == [d.index for d in again[1]]


def test_a_filled_loop_is_not_drawn_with_a_pen() -> None:
    digits = [digit for part in split_digits() for digit in part]
    filled_six = next(digit for digit in digits if digit.label == 6 and digit.shape.holes == 0)
    assert not filled_six.has_pen


@pytest.mark.slow
def test_training_draws_dark_on_light_and_light_on_dark() -> None:
    digits = split_digits()[0][:60]
    images = training_images(digits, np.random.default_rng(0))
    assert images.shape == (60, 28, 28, 3)
    assert images.min() >= 0 and images.max() <= 255
    border = images[:, 0].mean(axis=(1, 2))
    middle = images[:, 8:20, 8:20].mean(axis=(1, 2, 3))
    assert 15 < int((border > middle).sum()) < 45


def test_card_tells_the_scores_it_was_given() -> None:
    names = ("tags", "weights", "total", "train", "held_out", "split_seed", "epochs", "seed")
    facts = dict.fromkeys((*names, "tensorflow", "sklearn", "numpy", "pillow"), "x")
    card = model_card(b"123", [Score("upside down", 3, 8)], goal=0.98, **facts)
    assert "| upside down | 3 | 8 | 37.5 % |" in card
    assert "below 98 %" in card
