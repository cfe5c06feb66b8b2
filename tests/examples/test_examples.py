"""Each example trains, exports and is served; the official client and ours ask it both ways."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from examples import fashion_mnist, inception_v3, tabular_binary, text_sentiment
from tests.support.model_servers import Client, ModelServer, fill_spec

ROOT = Path(__file__).resolve().parents[2]
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


def test_fashion_mnist_image_in_label_out(
    models: Path, server: ModelServer, client: Client
) -> None:
    image = models / "fashion_mnist" / "1" / "assets.extra" / "sample.png"
    answer = client.predict("fashion_mnist", {"image": [image.read_bytes()]}, signature="bytes")
    (label,) = answer.outputs["output_0"].string_val

    data = fashion_mnist.digits()
    shown = (data.test[..., 0] == np.asarray(Image.open(image))).all((1, 2)).argmax()
    told = fashion_mnist.DIGITS[data.test_classes[shown]]
    assert label.decode() == told
    for kind in ("GRPC", "REST"):
        assert ask(server, kind, "--model", "fashion_mnist", str(image)) == told


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
    wordless = client.predict("text_sentiment", {"text": [""]}).outputs["score"].float_val[0]
    assert 0.5 <= wordless <= 1
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


@pytest.mark.parametrize(
    "name", ["fashion_mnist", "inception_v3", "text_sentiment", "tabular_binary", "client"]
)
def test_each_runs_as_a_file_from_anywhere(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / f"{name}.py"), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert f"usage: python -m examples.{name}" in done.stdout


@pytest.mark.tensorflow
def test_quick_needs_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--quick", "--models-dir", str(tmp_path)]
    folders = [text_sentiment.main(common), tabular_binary.main(common)]
    folders += [fashion_mnist.main([*common, "--data", "digits"])]

    printed = capsys.readouterr().out
    for folder in folders:
        assert (folder / "saved_model.pb").is_file()
        assert f"--model_name {folder.parent.name} --model_base_path {folder.parent}" in printed


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
    status, words = run(*port, "--model", "no", str(JPEG))
    assert status == 1
    assert words == "client: NOT_FOUND: Servable not found for request: Latest(no)\n"
    status, words = run("-f", "REST", "--port", "1", str(JPEG))
    assert status == 1 and "cannot be asked" in words
