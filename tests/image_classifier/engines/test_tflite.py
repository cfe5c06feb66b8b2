"""TensorFlow Lite models of every kind that is served: real exports, quantised ones, others."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier import Classifier, Settings
from image_classifier.engines.base import EngineOptions
from image_classifier.engines.registry import ENGINES
from image_classifier.errors import ModelError
from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess
from image_classifier.model_files.input_spec import InputSpec
from image_classifier.models.model import Model
from tests.support import custom_vision_exports as exports
from tests.support.builders import COLOURS, colour_graph, colour_image, model_folder
from tests.support.custom_vision_exports import Quantised

pytest.importorskip("ai_edge_litert", reason="LiteRT has no wheel for this machine")
from image_classifier.engines.tflite import load

ROOT = Path(__file__).resolve().parents[3]
QUANTISED: tuple[Quantised, ...] = ("uint8", "int8", "float16")
JSON = {"input": "image", "output": "scores", "size": 32, "channels": "BGR"}


def tflite_folder(models: Path, data: bytes, **options: Any) -> Path:
    folder = model_folder(models, "digits", **options)
    (folder / "model.tflite").write_bytes(data)
    return folder


@cache
def colours(quantised: Quantised | None = None, **options: Any) -> bytes:
    """The colour model of tests.support.builders, 32 x 32, its mean in the graph."""
    return exports.to_tflite(colour_graph(**options), quantised)


def colour_batch(size: int = 32) -> NDArray[np.float32]:
    """Blue, green, red, as the graph takes them."""
    batch = np.zeros((3, size, size, 3), np.float32)
    for channel in range(3):
        batch[channel, ..., channel] = 255
    return batch


@pytest.mark.parametrize("quantised", [None, *QUANTISED])
@pytest.mark.parametrize("colour", COLOURS)
def test_custom_visions_own_export_is_accepted_as_it_is(
    tmp_path: Path, colour: str, quantised: Quantised | None
) -> None:
    data = exports.tflite(exports.general_graph(), quantised)
    tflite_folder(tmp_path / "models", data)
    classifier = Classifier(Settings.from_environ({}), app_root=tmp_path)

    prediction = classifier.classify_bytes(colour_image(colour.lower()))
    assert (prediction.engine, prediction.predicted_tag_name) == ("tflite", colour)


@pytest.mark.parametrize("signature", [False, True])
def test_converters_may_change_the_names_of_tensors(tmp_path: Path, signature: bool) -> None:
    data = exports.to_tflite(exports.s1_graph(), signature=signature)
    folder = tflite_folder(tmp_path / "models", data)
    input_spec = Model("m", 1, folder).load().engine.input_spec

    assert input_spec.output_name == ("PartitionedCall:0" if signature else "model_output:0")
    assert (input_spec.channels, input_spec.resize, input_spec.height) == ("RGB", "crop", 300)


@pytest.mark.parametrize("channels_first", [False, True])
def test_a_model_json_says_it_for_any_other_file(tmp_path: Path, channels_first: bool) -> None:
    folder = tflite_folder(tmp_path / "models", keras_like(channels_first), input_spec=JSON)
    engine = Model("m", 1, folder).load().engine

    # By the names that the signature gives them: the tensors' own are serving_default_image:0 …
    assert engine.predict(colour_batch()).argmax(axis=1).tolist() == [0, 1, 2]


@cache
def keras_like(channels_first: bool = False) -> bytes:
    """A function with a signature, such as Keras models and PyTorch's become."""
    import tempfile

    import tensorflow as tf

    shape = [1, 3, 32, 32] if channels_first else [1, 32, 32, 3]
    axes = [2, 3] if channels_first else [1, 2]
    module = tf.Module()
    module.serve = tf.function(
        lambda image: {"scores": tf.nn.softmax(tf.reduce_mean(image, axes) / 16)},
        input_signature=[tf.TensorSpec(shape, tf.float32, name="image")],
        autograph=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=module.serve)
        return bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def test_a_size_that_the_file_leaves_open_is_that_of_the_model_json(tmp_path: Path) -> None:
    input_spec = {**JSON, "input": "Placeholder", "output": "loss", "size": [48, 40]}
    folder = tflite_folder(tmp_path / "models", any_size(), input_spec=input_spec)
    engine = Model("m", 1, folder).load().engine

    assert engine.predict(np.zeros((2, 48, 40, 3), np.float32)).shape == (2, 3)


@cache
def any_size() -> bytes:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3], name="Placeholder")
        tf.nn.softmax(tf.reduce_mean(pixels, axis=[1, 2]), name="loss")
    return exports.to_tflite(bytes(graph.as_graph_def().SerializeToString()))


def test_batches_run_and_so_does_none(tmp_path: Path) -> None:
    folder = tflite_folder(tmp_path / "models", colours())
    engine = Model("m", 1, folder).load().engine
    batch = colour_batch()

    scores = engine.predict(batch)
    assert scores.dtype == np.float32
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]
    assert np.array_equal(scores, np.concatenate([engine.predict(image[None]) for image in batch]))
    assert engine.predict(batch[:0]).shape == (0, 3)


def test_what_cannot_be_run_is_refused_and_the_next_runs(tmp_path: Path) -> None:
    folder = tflite_folder(tmp_path / "models", colours())
    engine = Model("m", 1, folder).load().engine
    before = engine.predict(colour_batch())

    with pytest.raises(ModelError, match=r"input of shape \[1, 31, 32, 3\].*Got 31") as error:
        engine.predict(np.zeros((1, 31, 32, 3), np.float32))
    assert "\n" not in error.value.message
    assert np.array_equal(engine.predict(colour_batch()), before)


def test_threads_that_run_at_once_get_their_own_answers(tmp_path: Path) -> None:
    data = exports.tflite(exports.general_graph())
    engine = Model("m", 1, tflite_folder(tmp_path / "models", data)).load().engine
    batch = colour_batch(224)
    wanted = engine.predict(batch)
    start = threading.Barrier(8)
    found: list[tuple[int, NDArray[np.float32]]] = []

    def ask(first: int) -> None:
        start.wait()
        for turn in range(30):
            which = (first + turn) % 3
            found.append((which, engine.predict(batch[which : which + 1])))

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert len(found) == 240
    assert all(np.array_equal(scores[0], wanted[which]) for which, scores in found)


def test_threads_for_one_inference_can_be_set(tmp_path: Path) -> None:
    folder = tflite_folder(tmp_path / "models", colours())
    answers = [
        load(folder / "model.tflite", None, EngineOptions(threads=threads)).predict(colour_batch())
        for threads in (0, 1, 3)
    ]

    assert np.allclose(answers, answers[0], atol=1e-6)


@pytest.mark.parametrize("quantised", ["uint8", "int8"])
def test_pixels_are_rounded_as_tensorflow_lite_rounds_them(
    tmp_path: Path, quantised: Quantised
) -> None:
    """A file with float32 outside and 8 bits inside does it itself."""
    inside, outside = (
        load(tflite_folder(tmp_path / name, data) / "model.tflite", PIXELS, EngineOptions())
        for name, data in (
            ("inside", pixels_model("int8", is_inside=True)),
            ("outside", pixels_model(quantised)),
        )
    )
    halves = (np.arange(-100, 924) / 2).astype(np.float32).reshape(1, 32, 32, 1)

    assert np.array_equal(inside.predict(halves), outside.predict(halves))


PIXELS = InputSpec(
    input_name="x:0", output_name="y:0", height=32, width=32, channels="GRAY", mean=(0.0,)
)


@cache
def pixels_model(quantised: Quantised, *, is_inside: bool = False) -> bytes:
    """Gives back the 1024 pixels, 0..301, in steps of about 1.18."""
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [1, 32, 32, 1], name="x")
        tf.reshape(tf.nn.max_pool2d(x, 1, 1, "VALID"), [1, 1024], name="y")
    data = bytes(graph.as_graph_def().SerializeToString())
    samples = [np.linspace(0, 301, 1024, dtype=np.float32).reshape(32, 32, 1)]
    return exports.to_tflite(data, quantised, samples=samples, float_outside=is_inside)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: b"", "is not a TensorFlow Lite model: it is empty"),
        (lambda: b"hello, this is no model", "is not a TensorFlow Lite model"),
        (lambda: b"\x18\0\0\0TFL3", "is damaged: it holds no graph"),
        (lambda: colours()[:-40], "damaged, cut short"),
        (
            lambda: colours(input_name="x"),
            r"does not say how it is fed \(its inputs: x\).*model\.json",
        ),
        (lambda: colours(output_name="probabilities"), r"does not say how it is fed.*model\.json"),
        (lambda: colours(rank=4), "object detection"),
        (lambda: exports.tflite(exports.detection_graph("general")), "object detection"),
        (lambda: exports.tflite(exports.detection_graph("s1")), "object detection"),
        (lambda: colours(width=4), "gives 4 scores but labels.txt beside it has 3"),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(
    tmp_path: Path, make: Callable[[], bytes], words: str
) -> None:
    folder = tflite_folder(tmp_path / "models", make())

    with pytest.raises(ModelError, match=words) as error:
        Model("m", 1, folder).load()
    assert "model.tflite" in error.value.message
    assert "\n" not in error.value.message


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"input": "pixels"}, "has no input 'pixels:0'; it has: serving_default_image:0"),
        ({"output": "logits"}, "has no output 'logits:0'; it has: PartitionedCall:0"),
        ({"size": 31}, r"serving_default_image:0 has shape \[1, 32, 32, 3\], not \[1, 31, 31, 3\]"),
    ],
)
def test_a_model_json_that_does_not_fit_is_refused_in_words(
    tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    folder = tflite_folder(tmp_path / "models", keras_like(), input_spec={**JSON, **changed})

    with pytest.raises(ModelError, match=words):
        Model("m", 1, folder).load()


def test_operations_that_the_runtime_has_not_are_named(tmp_path: Path) -> None:
    folder = tflite_folder(tmp_path / "models", needs_tensorflow())

    with pytest.raises(ModelError, match=r"this LiteRT can run: .*custom op.*Erfinv") as error:
        Model("m", 1, folder).load()
    assert "\n" not in error.value.message


@cache
def needs_tensorflow() -> bytes:
    """A file that only runs where somebody has written the operation."""
    import tensorflow as tf

    module = tf.Module()
    module.serve = tf.function(
        lambda Placeholder: tf.math.erfinv(Placeholder),
        input_signature=[tf.TensorSpec([1, 8, 8, 3], tf.float32, name="Placeholder")],
        autograph=False,
    )
    function = module.serve.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    converter.allow_custom_ops = True
    return bytes(converter.convert())


# Loads and runs every file of a folder; each must end in an answer or in a ModelError.
TRY_ALL = """
import sys
from pathlib import Path
import numpy as np
from image_classifier.engines import tflite
from image_classifier.engines.base import EngineOptions
from image_classifier.errors import ModelError

ran = refused = 0
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(path.name, file=sys.stderr, flush=True)
    try:
        engine = tflite.load(path, None, EngineOptions(threads=1))
        size = engine.input_spec.height, engine.input_spec.width
        engine.predict(np.zeros((1, *size, 3), np.float32))
        ran += 1
    except ModelError as exc:
        assert str(path) in exc.message or exc.message.startswith("The model cannot run"), exc
        refused += 1
print(ran, refused)
"""


def damaged(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(8, len(data))
        changed[at] = rng.choice((0, 1, 2, 127, 128, 255, changed[at] ^ 1, rng.randrange(256)))
    return bytes(changed)


def test_damaged_files_do_not_end_the_process(tmp_path: Path) -> None:
    """Of these. In one of some thousand, damage to quantisation still ends in LiteRT's abort()."""
    rng = random.Random(0)
    whole = [colours(), colours("int8"), exports.tflite(exports.s1_graph(), "uint8")]
    files = [data[:cut] for data in whole for cut in (8, 9, 40, len(data) // 2, len(data) - 1)]
    files += [damaged(data, rng) for data in whole * 100]
    for number, data in enumerate(files):
        (tmp_path / f"{number:04}.tflite").write_bytes(data)

    done = subprocess.run(
        [sys.executable, "-c", TRY_ALL, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-300:]
    ran, refused = map(int, done.stdout.split())
    assert ran + refused == len(files)
    assert ran > 30  # damage to a weight is not seen
    assert refused > 150


def schema() -> Any:
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


def changed_tflite(data: bytes, change: Callable[[Any], None]) -> bytes:
    """A file with something else in one place.

    Args:
        data: the file.
        change: is given the file as objects.
    """
    import flatbuffers  # type: ignore[import-untyped]

    model = schema().ModelT.InitFromObj(schema().Model.GetRootAs(data, 0))
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def without_graphs(model: Any) -> None:
    model.subgraphs = None


def with_scale(scale: float) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        output = model.subgraphs[0].outputs[0]
        model.subgraphs[0].tensors[output].quantization.scale = np.array([scale], np.float32)

    return change


def with_zero_point(zero_point: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        output = model.subgraphs[0].outputs[0]
        model.subgraphs[0].tensors[output].quantization.zeroPoint = np.array([zero_point])

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_graphs, "it holds no graph"),
        (with_scale(-1.0), "the scale or the zero point of its tensor .* is out of range"),
        (with_scale(0.0), "out of range"),
        (with_scale(1e-40), "out of range"),
        (with_scale(float("nan")), "out of range"),
        (with_zero_point(128), "out of range"),
        (with_zero_point(-70_000), "out of range"),
    ],
)
def test_what_ends_the_process_in_litert_is_refused_before(
    tmp_path: Path, change: Callable[[Any], None], words: str
) -> None:
    data = changed_tflite(colours("int8"), change)

    with pytest.raises(ModelError, match=words):
        Model("m", 1, tflite_folder(tmp_path / "models", data)).load()


TFLITE_ALONE = """
import sys
from pathlib import Path
from image_classifier import Classifier, Settings
from image_classifier.protocols.tf_serving.service import ModelSpec, TensorFlowServing
import numpy as np

root = Path(sys.argv[1])
classifier = Classifier(Settings.from_environ({}), app_root=root)
image = (root / "red.png").read_bytes()
prediction = classifier.classify_bytes(image)
assert (prediction.engine, prediction.predicted_tag_name) == ("tflite", "Red"), prediction
serving = TensorFlowServing(classifier)
spec = ModelSpec("digits", signature_name="probabilities")
found = serving.predict(spec, {"image": np.array([image, image], object)}).outputs
assert found["label"].tolist() == [b"Red", b"Red"], found
spec = ModelSpec("digits", signature_name="tensors")
batch = np.zeros((5, 32, 32, 3), np.float32)
assert serving.predict(spec, {"input": batch}).outputs["output"].shape == (5, 3)
heavy = {"tensorflow", "keras", "onnxruntime", "onnx", "torch"}
print(*sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
maps = Path("/proc/self/maps")
libraries = maps.read_text() if maps.exists() else ""
print(*sorted(name for name in heavy if f"/{name}/" in libraries))
"""


def test_an_app_with_tflite_models_only_serves_them_without_another_runtime(
    tmp_path: Path,
) -> None:
    tflite_folder(tmp_path / "models", colours())
    (tmp_path / "red.png").write_bytes(colour_image("red"))

    done = subprocess.run(
        [sys.executable, "-c", TFLITE_ALONE, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "\n\n"
    # LiteRT's own line cannot be turned off.
    lines = [line for line in done.stderr.splitlines() if "XNNPACK delegate" not in line]
    assert lines == []


BEFORE_TENSORFLOW = """
import sys
from pathlib import Path
import numpy as np
from image_classifier.engines.base import EngineOptions
from image_classifier.engines.registry import ENGINES

batch = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)
engines = []
for kind in (ENGINES["tflite"], ENGINES["tensorflow"]):
    engines.append(kind.load(kind.find(Path(sys.argv[1])), None, EngineOptions()))
    engines[-1].predict(batch)
scores = [engine.predict(batch) for engine in engines]
print(np.abs(scores[0] - scores[1]).max())
"""


def test_tensorflow_may_come_into_the_process_after_it(tmp_path: Path) -> None:
    folder = tflite_folder(tmp_path / "models", colours(), graph=colour_graph())

    done = subprocess.run(
        [sys.executable, "-c", BEFORE_TENSORFLOW, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1e-5


def test_tensorflow_may_be_in_the_process_before_it(tmp_path: Path) -> None:
    folder = tflite_folder(tmp_path / "models", colours(), graph=colour_graph())
    tensorflow, tflite = (Model("m", 1, folder, engine=n) for n in ("tensorflow", "tflite"))
    batch = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)

    scores = [model.load().engine.predict(batch) for model in (tensorflow, tflite, tensorflow)]
    assert np.abs(np.subtract(scores, scores[0])).max() < 1e-5


def test_the_engine_setting_chooses_and_auto_takes_it_last(tmp_path: Path) -> None:
    tflite_folder(tmp_path / "models", colours(), graph=colour_graph())
    for wanted, engine in (("auto", "tensorflow"), ("tflite", "tflite")):
        classifier = Classifier(Settings.from_environ({"ENGINE": wanted}), app_root=tmp_path)

        assert classifier.classify_bytes(colour_image("red")).engine == engine
    assert list(ENGINES)[-1] == "tflite"


def converted(fixtures: Path, name: str, folder: Path, quantised: Quantised | None = None) -> Path:
    """A real export with its model.pb converted."""
    source = fixtures / "custom_vision" / name
    samples = [tensor(path) for path in sorted((fixtures / "images" / "catdog").iterdir())]
    labels = (source / "labels.txt").read_text("utf-8-sig")
    data = exports.to_tflite((source / "model.pb").read_bytes(), quantised, samples=samples)
    return tflite_folder(folder / "models", data, labels=labels)


def tensor(path: Path) -> NDArray[np.float32]:
    input_spec = InputSpec(input_name="Placeholder:0", output_name="loss:0", height=227, width=227)
    return preprocess(decode(path.read_bytes(), max_pixels=10**9), input_spec)


def test_the_real_exports_answer_as_the_exporters_own_script(
    fixtures: Path, tmp_path: Path
) -> None:
    expected = json.loads((fixtures / "expected.json").read_text("utf-8"))["predictions"]
    checked = 0
    for model, images in expected.items():
        converted(fixtures, model, tmp_path / model)
        classifier = Classifier(Settings.from_environ({}), app_root=tmp_path / model)
        for name, wanted in images.items():
            prediction = classifier.classify_bytes((fixtures / "images" / name).read_bytes())
            got = {tag.tag_name: tag.probability for tag in prediction.tags}
            for tag in {*wanted, *got}:
                assert got.get(tag, 0) == pytest.approx(wanted.get(tag, 0), abs=1e-3), (model, name)
            checked += 1

    assert checked == 66


@pytest.mark.parametrize("quantised", QUANTISED)
def test_a_real_export_with_small_weights_names_the_same_tags(
    fixtures: Path, tmp_path: Path, quantised: Quantised
) -> None:
    model = "viktordudas-catdog"
    expected = json.loads((fixtures / "expected.json").read_text("utf-8"))["predictions"][model]
    converted(fixtures, model, tmp_path, quantised)
    classifier = Classifier(Settings.from_environ({}), app_root=tmp_path)
    wrong = [
        name
        for name, wanted in expected.items()
        if classifier.classify_bytes((fixtures / "images" / name).read_bytes()).predicted_tag_name
        != max(wanted, key=lambda tag: wanted[tag])
    ]

    assert len(expected) == 46
    assert len(wrong) <= (0 if quantised == "float16" else 2), wrong
