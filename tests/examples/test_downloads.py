"""The examples download what they can, and say what they do without."""

from __future__ import annotations

import gzip
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples import fashion_mnist, inception_v3
from tools.zoo import imagenet


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """A server with a very small Fashion-MNIST, in the format of the real one."""
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 60), ("t10k", 20)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8).tobytes()
        classes = rng.integers(0, 10, count, np.uint8).tobytes()
        folder = tmp_path / "mirror"
        folder.mkdir(exist_ok=True)
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(16) + images))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8) + classes))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path / "mirror"))

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is downloaded is kept for this test only."""
    import keras

    real = keras.utils.get_file
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(
        keras.utils, "get_file", lambda *args, **more: real(*args, cache_dir=str(folder), **more)
    )


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens, for as long as the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.mark.usefixtures("cache")
def test_fashion_mnist_is_downloaded_where_it_can_be(mirror: str) -> None:
    data = fashion_mnist.fashion_or_digits(mirror)

    assert data.labels == fashion_mnist.CLOTHES
    assert data.train.shape == (60, 28, 28, 1)
    assert data.test_classes.shape == (20,)


@pytest.mark.usefixtures("cache")
def test_without_a_network_the_digits_are_taken_and_it_is_said(
    nobody: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = fashion_mnist.fashion_or_digits(nobody)

    assert data.labels == fashion_mnist.DIGITS
    assert "taking scikit-learn's digits instead" in capsys.readouterr().out


@pytest.mark.usefixtures("cache")
def test_without_a_network_inception_v3_says_what_to_do(
    nobody: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from keras.src.applications import inception_v3 as keras_inception_v3

    monkeypatch.setattr(keras_inception_v3, "WEIGHTS_PATH", f"{nobody}/weights.h5")
    monkeypatch.setattr(imagenet, "LABELS_URL", f"{nobody}/labels.json")

    assert imagenet.imagenet_labels()[-1] == "class 999"
    assert "cannot be downloaded" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="cannot be downloaded .*--weights none"):
        inception_v3.network("imagenet", 299, 1000)


@pytest.mark.usefixtures("cache")
def test_imagenets_two_cranes_get_two_names(
    tmp_path: Path, mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = {"0": ["n1", "crane"], "1": ["n2", "crane"], "2": ["n3", "tench"]}
    (tmp_path / "mirror" / "classes.json").write_text(json.dumps(classes))
    monkeypatch.setattr(imagenet, "LABELS_URL", f"{mirror}/classes.json")

    assert imagenet.imagenet_labels() == ["crane", "crane (n2)", "tench"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "none", "--size", "74"], "--size must be 75 or more"),
        (["--size", "200"], "the ImageNet weights are for --size 299"),
    ],
)
def test_inception_v3_refuses_sizes_that_cannot_be(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        inception_v3.main(arguments)
    assert words in capsys.readouterr().err
