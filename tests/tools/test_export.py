"""An exported model takes image files, answers as the app does, and is never half there."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from image_classifier import Classifier, Settings
from image_classifier.model_files.input_spec import InputSpec
from image_classifier.models.model import Model
from image_classifier.protocols.tf_serving.service import ModelSpec, TensorFlowServing
from tests.support.builders import colour_image, noise
from tools.export import export_classifier, preset
from tools.export.__main__ import main
from tools.export.verification import Verification
from tools.shared.errors import ToolError

ROOT = Path(__file__).resolve().parents[2]
# Keras's way of reading a variable, which NumPy warns of.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
LABELS = ("Red", "Green", "Blue")


@pytest.fixture(scope="module")
def colours() -> Any:
    """A Keras model whose scores are the softmax of the mean of each channel, as 0..255."""
    import keras

    pixels = keras.Input((24, 24, 3))
    means = keras.layers.GlobalAveragePooling2D()(pixels)
    scores = keras.layers.Dense(3, use_bias=False, activation="softmax")
    model = keras.Model(pixels, scores(means))
    scores.set_weights([np.eye(3, dtype=np.float32) / 16])
    return model


@pytest.fixture(scope="module")
def exported(colours: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("exported") / "models"
    input_spec = preset("none", size=(24, 24))
    return export_classifier(
        colours, LABELS, input_spec, name="colours", models_dir=root, version=0
    )


def served(folder: Path) -> tuple[Classifier, TensorFlowServing]:
    environ = {"MODELS_DIR": str(folder.parents[1]), "DEFAULT_MODEL": folder.parent.name}
    classifier = Classifier(Settings.from_environ(environ))
    return classifier, TensorFlowServing(classifier)


def files(*data: bytes) -> Any:
    array = np.empty(len(data), object)
    array[:] = data
    return array


def test_there_are_four_signatures_as_everywhere_in_the_app(exported: Path) -> None:
    from image_classifier.models.image_signatures import image_signatures

    loaded = Model("colours", 0, exported).load()
    assert loaded.saved_model is not None
    own = loaded.saved_model.signatures
    ours = image_signatures(loaded.engine.input_spec, loaded.labels)

    assert set(own) - {"__saved_model_init_op"} == set(ours)
    for name, signature in ours.items():
        for side in ("inputs", "outputs"):
            wanted, found = getattr(signature, side), getattr(own[name], side)
            assert {key: (info.dtype, info.shape) for key, info in found.items()} == {
                key: (info.dtype, info.shape) for key, info in wanted.items()
            }


def test_each_signature_answers(exported: Path) -> None:
    _, serving = served(exported)
    red, blue = colour_image("red"), colour_image("blue", kind="JPEG")

    def ask(name: str, *images: bytes) -> Any:
        return serving.predict(
            ModelSpec("colours", signature_name=name), {"image": files(*images)}
        ).outputs

    encoded = [encode(red) for encode in (base64.urlsafe_b64encode, base64.b64encode)]
    assert ask("serving_default", *encoded)["output_0"].tolist() == [b"Red", b"Red"]
    assert ask("bytes", red, blue)["output_0"].tolist() == [b"Red", b"Blue"]
    found = ask("probabilities", red, blue)
    assert found["label"].tolist() == [b"Red", b"Blue"]
    assert found["probabilities"].shape == (2, 3)
    assert ask("bytes")["output_0"].tolist() == []


def test_the_app_classifies_with_it(exported: Path) -> None:
    classifier, _ = served(exported)

    prediction = classifier.classify_bytes(colour_image("green"))

    assert prediction.predicted_tag_name == "Green"
    assert (prediction.model, prediction.version) == ("colours", 0)


def test_what_is_no_image_is_refused(exported: Path) -> None:
    from image_classifier.protocols.tf_serving.errors import Code, ServingError

    _, serving = served(exported)
    with pytest.raises(ServingError, match="image") as caught:
        serving.predict(ModelSpec("colours", signature_name="bytes"), {"image": files(b"<html>")})
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("name", "resize", "channels"),
    [
        ("tf", "crop", None),
        ("caffe", "stretch", None),
        ("0-1", "custom_vision", "BGR"),
        ("none", "crop", "GRAY"),
        ("torch", "crop", None),
        ("none", "accel", None),
    ],
)
def test_every_preprocessing_agrees_with_the_pipeline(
    tmp_path: Path, name: str, resize: str, channels: str | None
) -> None:
    import tensorflow as tf

    input_spec = preset(name, size=(40, 32), resize=resize, channels=channels)
    depth = 1 if channels == "GRAY" else 3
    rng = np.random.default_rng(0)

    class Mixed(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(rng.normal(size=(40, 32, depth, 5)).astype(np.float32))

        def __call__(self, batch: Any) -> Any:
            scale = np.max(input_spec.scale) / 40
            return tf.einsum("nhwc,hwck->nk", batch * scale, self.weights) * 0.01

    found: list[Verification] = []
    export_classifier(
        Mixed(),
        "abcde",
        input_spec,
        name="mixed",
        models_dir=tmp_path,
        softmax=True,
        report=found.append,
    )
    assert found[0].images.inputs == 19
    assert found[0].exact.largest_difference <= 1e-4
    if resize in ("custom_vision", "accel"):
        assert found[0].images.largest_difference <= 0.02


@pytest.mark.parametrize(
    ("labels", "size", "words"),
    [
        (("a", "b"), (24, 24), r"output of shape \[1, 3\].*with 2 labels it must be \[1, 2\]"),
        (("a", "b", "b"), (24, 24), "differ from each other"),
        (("a", "b", " "), (24, 24), "not empty"),
        (("a", "b", "c\nd"), (24, 24), "of one line"),
        (LABELS, (10, 10), r"cannot take an input of shape \[1, 10, 10, 3\]"),
    ],
)
def test_a_model_that_does_not_fit_leaves_nothing_behind(
    colours: Any, tmp_path: Path, labels: tuple[str, ...], size: tuple[int, int], words: str
) -> None:
    with pytest.raises(ToolError, match=words):
        export_classifier(colours, labels, preset("none", size=size), name="m", models_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_disagrees_with_the_pipeline_leaves_nothing_behind(
    colours: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.export import preprocessing_graph

    real: Callable[..., Any] = preprocessing_graph._normalised
    monkeypatch.setattr(
        preprocessing_graph, "_normalised", lambda pixels, input_spec: real(pixels, input_spec) / 2
    )

    with pytest.raises(ToolError, match="differ by"):
        export_classifier(
            colours, LABELS, preset("none", size=(24, 24)), name="m", models_dir=tmp_path
        )
    assert list(tmp_path.iterdir()) == []


def test_each_weight_is_written_once(colours: Any, exported: Path) -> None:
    size = sum(path.stat().st_size for path in (exported / "variables").glob("*.data-*"))
    weights = sum(each.numpy().nbytes for each in colours.variables)

    import tensorflow as tf

    listed = tf.train.load_checkpoint(str(exported / "variables" / "variables"))
    saved = [name for name in listed.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    assert len(saved) == len(colours.variables)
    assert size < weights + 10_000


def test_images_that_tensorflow_reads_otherwise_are_left_out_and_named(
    colours: Any, tmp_path: Path
) -> None:
    names = ("rotated.jpg", "a.tiff", "broken.png", "cut.jpg", "p.bmp", "moving.webp")
    rotated, tiff, broken, cut, palette, moving = (tmp_path / name for name in names)
    image = Image.new("RGB", (40, 20), "red")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    image.save(rotated, exif=exif)
    image.save(tiff)
    broken.write_bytes(b"<html>")
    noise((90, 80)).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])  # its header is whole
    image.quantize(8).save(palette)
    image.save(moving, save_all=True, append_images=[image.rotate(90)])
    found: list[Verification] = []

    export_classifier(
        colours,
        LABELS,
        preset("none", size=(24, 24)),
        name="m",
        models_dir=tmp_path / "models",
        images=[rotated, tiff, broken, cut, palette, moving],
        report=found.append,
    )

    assert found[0].images.inputs == 19
    reasons = {path.name: reason for path, reason in found[0].left_out.items()}
    assert reasons.keys() == set(names)
    assert reasons["rotated.jpg"] == "TensorFlow does not turn it upright"
    assert reasons["a.tiff"] == "TensorFlow reads no TIFF"
    assert "not an image that can be decoded" in reasons["broken.png"]
    assert "the file is damaged, cut short" in reasons["cut.jpg"]
    assert reasons["p.bmp"] == "TensorFlow takes its palette for greys"
    assert reasons["moving.webp"].startswith("TensorFlow cannot read it: ")


def test_logits_are_noticed(tmp_path: Path) -> None:
    import tensorflow as tf

    class Logits(tf.Module):  # type: ignore[misc]
        def __call__(self, batch: Any) -> Any:
            return tf.reduce_mean(batch, [1, 2]) / 10

    found: list[Verification] = []

    def export(softmax: bool) -> None:
        export_classifier(
            Logits(),
            LABELS,
            preset("none", size=(24, 24)),
            name="m",
            models_dir=tmp_path,
            softmax=softmax,
            tolerance=1,
            report=found.append,
        )

    export(softmax=False)
    export(softmax=True)
    assert "export it with softmax" in found[0].advice()
    assert found[1].advice() == ""


def test_presets_are_kerass_own() -> None:
    import keras
    import tensorflow as tf

    from tools.export.preprocessing_graph import _normalised

    pixels = np.random.default_rng(0).uniform(0, 255, (4, 5, 3)).astype(np.float32)
    for name, module in (
        ("tf", keras.applications.inception_v3),
        ("caffe", keras.applications.resnet),
        ("torch", keras.applications.densenet),
    ):
        ours = _normalised(tf.constant(pixels), preset(name, size=(4, 5))).numpy()
        assert np.allclose(ours, module.preprocess_input(pixels.copy()), atol=1e-4)


def test_what_model_json_cannot_say_is_refused() -> None:
    with pytest.raises(ToolError, match="there are: none, 0-1, tf, caffe, torch"):
        preset("mean", size=(4, 4))
    for name in ("caffe", "torch"):
        with pytest.raises(ToolError, match="each of three channels"):
            preset(name, size=(4, 4), channels="GRAY")


def test_the_command_exports_what_it_is_given(
    colours: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A .keras file, a SavedModel and a function; the result is converted to ONNX, too."""
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    colours.save(tmp_path / "colours.keras")
    colours.export(tmp_path / "saved", verbose=False)
    (tmp_path / "made.py").write_text(
        "import keras\ndef make():\n"
        f"    return keras.models.load_model({str(tmp_path / 'colours.keras')!r})\n"
    )
    common = ["--labels", str(tmp_path / "labels.txt"), "--name", "m"]
    common += ["--models-dir", str(tmp_path / "models")]

    assert main([str(tmp_path / "colours.keras"), *common]) == 0
    assert main([str(tmp_path / "saved"), *common]) == 0
    assert main([f"{tmp_path / 'made.py'}:make", *common, "--version", "0"]) == 0
    assert main([str(tmp_path / "models" / "m" / "0"), *common]) == 0  # what it wrote itself
    out = capsys.readouterr().out
    assert "[2/2] write it" in out and "images: probabilities differ" in out
    for version in (1, 2, 3, 0):
        folder = tmp_path / "models" / "m" / str(version)
        assert json.loads((folder / "model.json").read_text())["size"] == [24, 24]
        assert (
            served(folder)[0]
            .classify_bytes(colour_image("blue"), version=version)
            .predicted_tag_name
            == "Blue"
        )

    from tools.convert.__main__ import main as convert

    assert convert([str(folder)]) == 0
    loaded = Model("m", 0, folder).load()
    assert loaded.engine_name == "onnx"
    assert set(loaded.signatures) == {"serving_default", "bytes", "probabilities", "tensors"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "is no .keras file, no folder with a saved_model.pb, and no module:function"),
        (["no_such_module:make"], "is not there"),
        (["MODEL", "--images", "nowhere"], "nowhere is no folder"),
        (["MODEL", "--preprocessing", "torch", "--channels", "GRAY"], "each of three channels"),
    ],
)
def test_the_command_refuses_in_words(
    colours: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    colours.save(tmp_path / "m.keras")
    given = [str(tmp_path / "m.keras") if word == "MODEL" else word for word in arguments]
    common = ["--labels", str(tmp_path / "labels.txt"), "--name", "m"]

    assert main([*given, *common, "--models-dir", str(tmp_path / "models")]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_a_input_spec_of_ones_own_can_be_given(colours: Any, tmp_path: Path) -> None:
    input_spec = InputSpec(
        input_name="input", output_name="output", height=24, width=24, channels="BGR"
    )
    folder = export_classifier(colours, LABELS, input_spec, name="m", models_dir=tmp_path)

    assert served(folder)[0].classify_bytes(colour_image("red")).predicted_tag_name == "Blue"
