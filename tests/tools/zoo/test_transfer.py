"""A network is taught new classes from a folder of images, and its accuracy is told as it is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from image_classifier import Classifier, Settings
from tests.support.builders import colour_image
from tools.shared.errors import ToolError
from tools.zoo.__main__ import main
from tools.zoo.features import Features, read_features
from tools.zoo.head import accuracy, train_head
from tools.zoo.networks import Recipe

# Keras's way of reading a variable, which NumPy warns of.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
RECIPE = Recipe(network="vgg16", weights="none", size=32)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reddish, greenish and bluish images, ten of each, one that is none, and hidden ones."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for index, colour in enumerate(("red", "green", "blue")):
        (root / colour).mkdir()
        for number in range(10):
            pixel = rng.integers(0, 90, 3)
            pixel[index] = rng.integers(150, 256)
            data = colour_image(tuple(map(int, pixel)), (40, 30))
            (root / colour / f"{number}.png").write_bytes(data)
    (root / "red" / "broken.png").write_bytes(b"<html>")
    for hidden in (".thumbnails/a.png", "red/.ipynb_checkpoints/0-checkpoint.png", "red/._0.png"):
        path = root / hidden
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return root


@pytest.fixture(scope="module")
def written(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``tools.zoo features`` wrote of them."""
    path = tmp_path_factory.mktemp("features") / "colours.npz"
    command = ["features", "vgg16", str(images), "-o", str(path)]
    assert main([*command, "--weights", "none", "--size", "32"]) == 0
    return path


def made_up(*counts: int, apart: float = 1.0, seed: int = 0) -> Features:
    """Features of as many images of each class; the classes' means are ``apart`` from another."""
    rng = np.random.default_rng(seed)
    labels = [f"class {index}" for index, count in enumerate(counts) for _ in range(count)]
    means = np.eye(len(counts), 8)[[int(label[-1]) for label in labels]] * apart
    values = (means + rng.normal(size=(len(labels), 8)) * 0.3).astype(np.float32)
    files = tuple(f"{label}/{index}.png" for index, label in enumerate(labels))
    return Features(values * 1000, files, tuple(labels), RECIPE, "0")


def test_the_file_says_what_each_image_is_and_what_the_features_are_of(
    written: Path, images: Path
) -> None:
    import keras

    found = read_features(written)
    assert Counter(found.labels) == {"red": 10, "green": 10, "blue": 10}
    assert found.values.shape == (30, 4096)
    assert found.values.dtype == np.float32
    assert found.files[0] == "blue/0.png"
    assert found.recipe == RECIPE

    featuriser = RECIPE.featuriser(RECIPE.complete())
    rgb = np.array(image_pixel(images / found.files[-1]), np.float32)
    fed = keras.applications.vgg16.preprocess_input(np.tile(rgb, (1, 32, 32, 1)))
    assert found.values[-1] == pytest.approx(np.asarray(featuriser(fed))[0], abs=1e-4)


def image_pixel(path: Path) -> tuple[int, ...]:
    from PIL import Image

    with Image.open(path) as image:
        pixel = image.convert("RGB").getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return tuple(map(int, pixel))


def test_a_head_is_trained_and_served_with_its_network(
    written: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["head", str(written), "--name", "colours", "--models-dir", str(tmp_path)]
    assert main([*command, "--test", str(written)]) == 0
    printed = capsys.readouterr().out
    assert "learned from 24 images" in printed
    assert "on those held out: 6 of 6 right (100.0%); always naming" in printed
    assert f"{written}: 30 of 30 right (100.0%)" in printed

    folder = tmp_path / "colours" / "1"
    assert (folder / "labels.txt").read_text() == "blue\ngreen\nred\n"
    about = json.loads((folder / "zoo.json").read_text())
    assert about["head"]["accuracy"]["held_out"] == "6 of 6 right (100.0%)"
    settings = Settings.from_environ({"MODELS_DIR": str(tmp_path), "DEFAULT_MODEL": "colours"})
    classifier = Classifier(settings)
    for path in images.rglob("[0-9].png"):
        prediction = classifier.classify_bytes(path.read_bytes())
        assert prediction.predicted_tag_name == path.parent.name


def test_the_head_is_not_joined_to_other_weights(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    other = read_features(written)
    replace(other, recipe=replace(other.recipe, seed=2)).save(tmp_path / "other.npz")
    command = ["head", str(tmp_path / "other.npz"), "--name", "m", "--rounds", "1"]

    assert main([*command, "--models-dir", str(tmp_path / "models")]) == 1
    assert "These weights are not those that the features were made with" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_where_there_is_no_room_the_older_file_stays(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    resource = pytest.importorskip("resource", reason="Windows limits no file's size")
    path = tmp_path / "f.npz"
    made_up(3, 3).save(path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(ToolError, match=r"f\.npz cannot be written: File too large\. Name"):
            made_up(5000, 5000).save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["f.npz"]
    assert capfd.readouterr().err == ""


def test_a_damaged_file_is_refused_in_words_whatever_is_wrong_with_it(tmp_path: Path) -> None:
    made_up(3, 3).save(tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    path = tmp_path / "f.npz"
    rng = np.random.default_rng(0)
    damaged = [whole[:end] for end in range(0, len(whole), 97)]
    damaged += [
        whole[:at] + bytes([whole[at] ^ rng.integers(1, 256)]) + whole[at + 1 :]
        for at in rng.integers(0, len(whole), 300)
    ]
    refused = 0
    for data in damaged:
        path.write_bytes(data)
        try:
            read_features(path)  # some bytes, such as a date's, tell nothing
        except ToolError as exc:
            refused += 1
            assert "\n" not in str(exc)
    assert refused > len(damaged) / 2


@pytest.mark.parametrize("seed", ["-1", "4294967296", "x"])
@pytest.mark.parametrize("verb", [["build", "vgg16"], ["head", "f.npz", "--name", "m"]])
def test_a_seed_that_cannot_be_one_is_refused(
    verb: list[str], seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*verb, "--seed", seed])
    assert f"{seed} is no seed: use a whole number from 0 to 4294967295" in capsys.readouterr().err


def test_what_can_be_told_apart_is_learned_and_what_cannot_is_not() -> None:
    easy, hopeless = train_head(made_up(60, 60, 60)), train_head(made_up(60, 60, 60, apart=0))

    assert easy.held_out.right.total() >= 34
    assert 4 <= hopeless.held_out.right.total() <= 22  # of 36; by chance 12
    fresh = made_up(100, 100, 100, seed=7)
    assert accuracy(easy, fresh).right.total() >= 280


def test_a_hidden_layer_learns_what_a_line_cannot_part() -> None:
    rng = np.random.default_rng(0)
    values = rng.choice([-1.0, 1.0], (200, 2)).astype(np.float32)
    labels = tuple("same" if x == y else "other" for x, y in values)
    values += rng.normal(size=values.shape).astype(np.float32) * 0.1
    corners = Features(values, tuple(map(str, range(200))), labels, RECIPE, "0")

    assert train_head(corners).held_out.right.total() < 32
    assert train_head(corners, hidden=16).held_out.right.total() >= 38


def test_the_same_seed_gives_the_same_head() -> None:
    first, again, other = (
        train_head(made_up(20, 20), seed=seed, rounds=3).head.get_weights() for seed in (1, 1, 2)
    )

    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_of_every_label_some_images_are_held_out_and_some_are_not() -> None:
    found = train_head(made_up(50, 3, 2), rounds=1)

    assert found.held_out.images == {"class 0": 10, "class 1": 1, "class 2": 1}
    assert found.learned_from == 43
    assert found.held_out.of_most_frequent == pytest.approx(10 / 12)


def test_features_that_hardly_differ_do_not_drown_the_others() -> None:
    found = made_up(30, 30)
    rng = np.random.default_rng(0)
    still = np.full((60, 500), 7.0) + rng.normal(size=(60, 500)) * 1e-4
    crowded = Features(
        np.concatenate([found.values, still], 1, dtype=np.float32), found.files, found.labels,
        RECIPE, "0",
    )  # fmt: skip

    assert train_head(crowded).held_out.right.total() >= 11  # of 12


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (("a", "a", "", ""), "2 images are in no sub-folder"),
        (("a", "a", "a", "b"), "'b' has one image: there must be two labels"),
        (("a", "a", "a", "a"), "there is one label"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(labels: tuple[str, ...], words: str) -> None:
    values = np.zeros((4, 8), np.float32)
    with pytest.raises(ToolError, match=words):
        train_head(Features(values, tuple("wxyz"), labels, RECIPE, "0"))


def test_a_label_that_was_not_trained_is_refused() -> None:
    trained = train_head(made_up(5, 5), rounds=1)
    with pytest.raises(ToolError, match="There are images of 'class 2', which were not"):
        accuracy(trained, made_up(5, 5, 5))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["features", "vgg16", "EMPTY", "-o", "a.npz"], "There are no images that can be read"),
        (["features", "vgg16", "nowhere", "-o", "a.npz"], "nowhere is no folder"),
        (["features", "vgg16", "EMPTY", "-o", "a.txt"], "must end in .npz"),
        (["features", "vgg16", "EMPTY", "-o", "no/a.npz"], "no/a.npz cannot be written: No such"),
        (["features", "vgg16", "EMPTY", "-o", "/proc/a.npz"], "/proc/a.npz cannot be written"),
        (["head", "nowhere.npz", "--name", "m"], "nowhere.npz cannot be read"),
        (["head", "OTHER", "--name", "m"], "is no file that `python -m tools.zoo features` wrote"),
        (["head", "WRITTEN", "--name", "m", "--held-out", "1"], "--held-out must be between"),
        (["head", "WRITTEN", "--name", "m", "--hidden", "-1"], "--hidden must be 0 or more"),
        (["head", "WRITTEN", "--name", "m", "--test", "STRANGE"], "has features of other weights"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    arguments: list[str],
    words: str,
    written: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    made_up(3, 3).save(tmp_path / "strange.npz")
    places = {
        "EMPTY": str(tmp_path / "empty"),
        "OTHER": str(tmp_path / "other.npz"),
        "STRANGE": str(tmp_path / "strange.npz"),
        "WRITTEN": str(written),
    }
    given = [places.get(word, word) for word in arguments]
    if given[0] == "features":
        given += ["--weights", "none", "--size", "32"]

    assert main(given) == 1
    assert words in capsys.readouterr().err
