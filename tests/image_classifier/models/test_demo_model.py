"""The demo model that is in the repository: its shape, its accuracy, the page's samples."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from image_classifier import Classifier, Settings
from tools.train_demo.data import split_digits
from tools.train_demo.evaluate import VARIANTS, FrozenGraph, Variant, score
from tools.train_demo.samples import SAMPLES

ROOT = Path(__file__).resolve().parents[3]
MODEL = ROOT / "models" / "digits" / "1"
SAMPLE_FOLDER = ROOT / "frontend" / "samples"
ENTRIES: list[dict[str, str]] = json.loads((SAMPLE_FOLDER / "samples.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def graph_def() -> Any:
    from tensorflow.core.framework.graph_pb2 import GraphDef

    return GraphDef.FromString((MODEL / "model.pb").read_bytes())


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(Settings.from_environ({}))


def test_graph_has_the_nodes_of_a_custom_vision_export(graph_def: Any) -> None:
    nodes = {node.name: node for node in graph_def.node}
    placeholder = nodes["Placeholder"]
    assert placeholder.op == "Placeholder"
    assert [dim.size for dim in placeholder.attr["shape"].shape.dim] == [-1, 224, 224, 3]
    assert nodes["loss"].op == "Softmax"
    assert (nodes["model_outputs"].op, list(nodes["model_outputs"].input)) == ("Identity", ["loss"])
    mean = [node for name, node in nodes.items() if name.startswith("data_bn") if node.op == "Sub"]
    assert [list(node.input)[0] for node in mean] == ["Placeholder"]


def test_mean_in_the_graph_is_that_of_real_exports(graph_def: Any) -> None:
    from tensorflow import make_ndarray

    nodes = {node.name: node for node in graph_def.node}
    mean = make_ndarray(nodes["data_bn/mean"].attr["value"].tensor)
    assert mean.tolist() == [104, 117, 123]


def test_graph_is_frozen_and_free_of_training_leftovers(graph_def: Any) -> None:
    assert not graph_def.library.function
    ops = {node.op for node in graph_def.node}
    assert not [op for op in ops if re.search("Variable|VarHandle|Read|Assign|Random|Call", op)]
    assert sum(node.op == "Placeholder" for node in graph_def.node) == 1
    assert not any(node.device for node in graph_def.node)


def test_model_is_small() -> None:
    assert (MODEL / "model.pb").stat().st_size < 300_000


def test_labels_are_the_ten_digits_one_a_line() -> None:
    assert (MODEL / "labels.txt").read_bytes() == b"0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"


def test_card_is_about_this_very_model() -> None:
    card = (MODEL / "README.md").read_text("utf-8")
    model = (MODEL / "model.pb").read_bytes()
    assert hashlib.sha256(model).hexdigest() in card
    assert f"{len(model):,} bytes" in card
    for variant in VARIANTS:
        assert f"| {variant.name} |" in card


@pytest.mark.tensorflow
def test_held_out_digits_are_named_rightly_as_the_card_says() -> None:
    row = re.search(rf"\| {re.escape(VARIANTS[0].name)} \| (\d+) \| (\d+) \|", _card())
    assert row is not None
    right, total = int(row[1]), int(row[2])
    assert (total, right / total >= 0.98) == (360, True)
    # Every fourth digit: the drawing of all 360 takes longer than a test should.
    held_out = split_digits()[1][::4]
    with FrozenGraph((MODEL / "model.pb").read_bytes()) as graph:
        measured = score(graph, held_out, VARIANTS[0])
    assert measured.total == 90
    assert measured.accuracy >= 0.98
    assert measured.total - measured.right <= total - right


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "variant",
    [v for v in VARIANTS if re.search("white on black|pen, thin|any light|small|photo", v.name)],
    ids=lambda variant: variant.name,
)
def test_other_ways_of_drawing_work_too(variant: Variant) -> None:
    held_out = split_digits()[1][1::12]
    with FrozenGraph((MODEL / "model.pb").read_bytes()) as graph:
        assert score(graph, held_out, variant).accuracy >= 0.9


def test_samples_are_held_out_digits() -> None:
    held_out = {digit.index: str(digit.label) for digit in split_digits()[1]}
    assert [held_out[sample.index] for sample in SAMPLES] == [e["label"] for e in ENTRIES]


def test_samples_json_names_every_image_there_is() -> None:
    files = sorted(path.name for path in SAMPLE_FOLDER.iterdir() if path.name != "samples.json")
    assert files == sorted(entry["file"] for entry in ENTRIES)
    assert all(entry["alt"] for entry in ENTRIES)


def test_samples_are_light_enough_for_a_page() -> None:
    sizes = [(SAMPLE_FOLDER / entry["file"]).stat().st_size for entry in ENTRIES]
    assert max(sizes) < 60_000
    assert sum(sizes) < 300_000


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_sample_is_named_rightly_and_confidently(
    classifier: Classifier, entry: dict[str, str]
) -> None:
    prediction = classifier.classify_bytes((SAMPLE_FOLDER / entry["file"]).read_bytes())
    assert (prediction.model, prediction.engine) == ("digits", "onnx")
    assert prediction.predicted_tag_name == entry["label"]
    assert max(prediction.scores) > 0.95


def test_an_empty_page_is_no_error(classifier: Classifier, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), "white").save(tmp_path / "empty.png")
    prediction = classifier.classify_bytes((tmp_path / "empty.png").read_bytes())
    assert sum(prediction.scores) == pytest.approx(1)


def _card() -> str:
    return (MODEL / "README.md").read_text("utf-8")
