"""Each example trains, exports and is served; the official client and ours ask it both ways."""

from __future__ import annotations

import gzip
import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples import fashion_mnist, inception_v3, tabular_binary, text_sentiment
from tests.model_servers import Client, ModelServer, fill_spec

ROOT = Path(__file__).resolve().parents[2]
SEVEN = ROOT / "frontend" / "samples" / "seven.png"
JPEG = ROOT / "frontend" / "samples" / "four.jpg"
# Keras's way of reading a variable, which NumPy warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All four, trained for seconds."""
    root = tmp_path_factory.mktemp("examples")
    common = ["--models-dir", str(root)]
    fashion_mnist.main([*common, "--data", "digits"])
    text_sentiment.main(common)
    tabular_binary.main(common)
    inception_v3.main([*common, "--weights", "none", "--size", "75", "--classes", "3"])
    return root


@pytest.fixture(scope="module")
def server(models: Path) -> Iterator[ModelServer]:
    config = models / "models.config"
    listed = [
        f"config {{ name: '{folder.name}' base_path: '{folder}' }}"
        for folder in sorted(models.iterdir())
        if folder.is_dir()
    ]
    config.write_text(f"model_config_list {{ {' '.join(listed)} }}")
    with ModelServer(f"--model_config_file={config}") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: ModelServer) -> Iterator[Client]:
    with Client(server.address) as made:
        yield made


def ask(server: ModelServer, kind: str, *arguments: str) -> str:
    """What examples/client.py prints."""
    port = server.port if kind == "GRPC" else int(server.rest_url.rsplit(":", 1)[1])
    done = subprocess.run(
        [sys.executable, "examples/client.py", "-f", kind, "--host", "127.0.0.1"]
        + ["--port", str(port), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_fashion_mnist_image_in_label_out(server: ModelServer, client: Client) -> None:
    answer = client.predict("fashion_mnist", {"image": [SEVEN.read_bytes()]}, signature="bytes")
    (label,) = answer.outputs["output_0"].string_val

    assert label.decode() in fashion_mnist.DIGITS
    for kind in ("GRPC", "REST"):
        assert ask(server, kind, "--model", "fashion_mnist", str(SEVEN)) == label.decode()


def test_fashion_mnist_learns_what_it_is_shown(server: ModelServer, client: Client) -> None:
    data = fashion_mnist.digits()
    batch = data.test[:50].astype(np.float32) / 255
    answer = client.predict("fashion_mnist", {"input": batch}, signature="tensors")
    scores = np.array(answer.outputs["output"].float_val).reshape(50, 10)

    assert (scores.argmax(1) == data.test_classes[:50]).mean() > 0.7


def test_inception_v3_is_version_0_and_takes_a_jpeg(server: ModelServer, client: Client) -> None:
    answer = client.predict("inception_v3", {"image": [JPEG.read_bytes()]}, signature="bytes")

    assert answer.model_spec.version.value == 0
    assert answer.outputs["output_0"].string_val[0].decode().startswith("class ")
    for kind in ("GRPC", "REST"):
        assert ask(server, kind, "--model", "inception_v3", str(JPEG)).startswith("class ")
    probabilities = ask(
        server, "REST", "--model", "inception_v3", "--signature", "probabilities", str(JPEG)
    )
    assert '"probabilities": [' in probabilities


def test_text_sentiment_text_in_label_and_score_out(server: ModelServer, client: Client) -> None:
    texts = ["What a wonderful, beautiful day!", "terrible food and rude staff", "qwertz", ""]
    answer = client.predict("text_sentiment", {"text": texts})
    labels = [each.decode() for each in answer.outputs["label"].string_val]

    assert labels[:2] == ["positive", "negative"]
    assert all(0.5 <= score <= 1 for score in answer.outputs["score"].float_val)
    rest = server.post("/v1/models/text_sentiment:predict", {"instances": texts}).json()
    assert [each["label"] for each in rest["predictions"]] == labels
    for kind in ("GRPC", "REST"):
        printed = ask(server, kind, "--model", "text_sentiment", "--text", texts[0])
        assert printed.startswith('{"label": "positive", "score": ')


def test_tabular_binary_named_columns_in(server: ModelServer, client: Client) -> None:
    table = tabular_binary.read_table()
    rows = range(40)
    inputs = {
        name: [each.encode() if isinstance(each, str) else float(each) for each in column[:40]]
        for name, column in table.columns.items()
    }
    answer = client.predict("tabular_binary", inputs)
    named = [each.decode() for each in answer.outputs["class"].string_val]
    told = [tabular_binary.CLASSES[table.classes[row]] for row in rows]

    assert sum(a == b for a, b in zip(named, told, strict=True)) > 30
    row = {name: each if isinstance(each := column[0], str) else float(each)
           for name, column in table.columns.items()}  # fmt: skip
    rest = server.post("/v1/models/tabular_binary:predict", {"instances": [row]}).json()
    assert rest["predictions"][0]["class"] == named[0]
    assert 0.5 <= rest["predictions"][0]["probability"] <= 1


def test_tabular_binary_classifies_examples(server: ModelServer, client: Client) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import classification_pb2

    table = tabular_binary.read_table()
    example = tf.train.Example()
    row: dict[str, Any] = {}
    for name, column in table.columns.items():
        feature = example.features.feature[name]
        if name == tabular_binary.WORD:
            row[name] = column[0]
            feature.bytes_list.value.append(column[0].encode())
        else:
            row[name] = float(column[0])
            feature.float_list.value.append(column[0])
    request = classification_pb2.ClassificationRequest()
    fill_spec(request.model_spec, "tabular_binary", "examples")
    request.input.example_list.examples.append(example)
    answer = client.prediction.Classify(request, timeout=60)
    classes = {each.label: each.score for each in answer.result.classifications[0].classes}

    assert classes.keys() == set(tabular_binary.CLASSES)
    assert sum(classes.values()) == pytest.approx(1, abs=1e-5)
    body = {"signature_name": "examples", "examples": [row]}
    rest = server.post("/v1/models/tabular_binary:classify", body).json()["results"]
    assert dict(rest[0]) == pytest.approx(classes, abs=1e-5)


def test_the_client_says_what_is_wrong(server: ModelServer) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "examples.client", "--host", "127.0.0.1", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stderr

    port = ["--port", str(server.port)]
    assert run(*port) == (2, "client: Name an image file, or give --text or --columns.\n")
    status, words = run(*port, "--model", "no", str(SEVEN))
    assert status == 1
    assert words == "client: NOT_FOUND: Servable not found for request: Latest(no)\n"
    status, words = run("-f", "REST", "--port", "1", str(SEVEN))
    assert status == 1 and "cannot be asked" in words


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """A server with a very small Fashion-MNIST, in the format of the real one."""
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 60), ("t10k", 20)):
        pictures = rng.integers(0, 256, (count, 28, 28), np.uint8).tobytes()
        classes = rng.integers(0, 10, count, np.uint8).tobytes()
        folder = tmp_path / "mirror"
        folder.mkdir(exist_ok=True)
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(16) + pictures))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8) + classes))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path / "mirror"))

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
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


@pytest.mark.usefixtures("cache")
def test_fashion_mnist_is_downloaded_where_it_can_be(mirror: str) -> None:
    data = fashion_mnist.fashion_or_digits(mirror)

    assert data.labels == fashion_mnist.CLOTHES
    assert data.train.shape == (60, 28, 28, 1)
    assert data.test_classes.shape == (20,)


@pytest.mark.usefixtures("cache")
def test_without_a_network_the_digits_are_taken_and_it_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        data = fashion_mnist.fashion_or_digits(f"http://127.0.0.1:{nobody.getsockname()[1]}")

    assert data.labels == fashion_mnist.DIGITS
    assert "taking scikit-learn's digits instead" in capsys.readouterr().out
