"""Weights are downloaded, checked, or taken from a file; else it says what to do."""

from __future__ import annotations

import functools
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.shared.errors import ToolError
from tools.zoo.imagenet import with_weights

# Keras's way of reading a variable, which NumPy warns of.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
FILE = "mobilenet_2_5_224_tf.h5"  # what Keras asks for


@pytest.fixture(scope="module")
def make() -> Any:
    """The smallest network that Keras has weights for: 2 MB."""
    import keras

    return functools.partial(keras.applications.MobileNet, alpha=0.25)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Keras keeps what it downloads, for this test only."""
    from keras.src.utils import file_utils

    real = file_utils.get_file
    folder = tmp_path / "kept"
    folder.mkdir()  # else Keras takes a folder that all tests share
    monkeypatch.setattr(
        file_utils, "get_file", lambda *args, **more: real(*args, cache_dir=str(folder), **more)
    )
    return folder / "models" / FILE


@pytest.fixture
def mirror(tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server with weights, in the format of the real one; gives the network that they are of."""
    import h5py
    from keras.src.applications import mobilenet
    from keras.src.legacy.saving import legacy_h5_format

    network = make(weights=None)
    folder = tmp_path / "mirror"
    folder.mkdir()
    with h5py.File(folder / FILE, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{running.server_address[1]}/"
        monkeypatch.setattr(mobilenet, "BASE_WEIGHT_PATH", address)
        yield network
        running.shutdown()
        thread.join()


def are_equal(one: Any, other: Any) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_imagenets_weights_are_downloaded_once(make: Any, mirror: Any, kept: Path) -> None:
    assert are_equal(with_weights(make, "imagenet"), mirror)
    assert kept.is_file()

    written = kept.stat().st_mtime_ns
    assert are_equal(with_weights(make, "imagenet"), mirror)
    assert kept.stat().st_mtime_ns == written


@pytest.mark.usefixtures("kept")
def test_without_a_network_it_says_what_to_do(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from keras.src.applications import mobilenet

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        monkeypatch.setattr(mobilenet, "BASE_WEIGHT_PATH", address)
        with pytest.raises(ToolError, match="cannot be downloaded .*--weights FILE.*none"):
            with_weights(make, "imagenet")


def test_weights_are_taken_from_a_file_of_either_kind(
    make: Any, mirror: Any, tmp_path: Path
) -> None:
    mirror.save_weights(tmp_path / "mine.weights.h5")

    for path in (tmp_path / "mine.weights.h5", tmp_path / "mirror" / FILE):
        assert are_equal(with_weights(make, str(path)), mirror)
    assert not are_equal(with_weights(make, "none"), mirror)


def test_weights_of_another_network_are_refused(make: Any, mirror: Any, tmp_path: Path) -> None:
    mirror.save_weights(tmp_path / "mine.weights.h5")
    (tmp_path / "broken.h5").write_bytes(b"no weights")
    wider = functools.partial(make, alpha=0.5)

    with pytest.raises(ToolError, match=r"mine.weights.h5 does not fit this network: "):
        with_weights(wider, str(tmp_path / "mine.weights.h5"))
    with pytest.raises(ToolError, match=r"broken.h5 does not fit this network: "):
        with_weights(make, str(tmp_path / "broken.h5"))
    with pytest.raises(ToolError, match="nothing.h5 is no file with weights: name one"):
        with_weights(make, "nothing.h5")
