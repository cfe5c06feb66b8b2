"""The client gets answers from a model server: sync and asyncio, by path, bytes, pixels, arrays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import numpy as np
import pytest
from PIL import Image

from image_classifier_client import (
    AsyncPredictionClient,
    Classification,
    InvalidInput,
    PredictionClient,
    TensorInfo,
    VersionStatus,
)
from image_classifier_client.tensors import Array
from tests.support.model_servers import Client, ModelServer
from tests.support.prediction_clients import Asker


@pytest.fixture
def client(served: ModelServer, kind: str) -> Asker:
    return Asker(kind, "127.0.0.1", served.port)


@pytest.fixture
def half(served: ModelServer, kind: str) -> Asker:
    return Asker(kind, served.address, model="half", signature="two_outputs")


def test_classify_gives_labels_the_most_probable_first(client: Asker, nine: Path) -> None:
    found = client.classify(nine)

    assert len(found) == 5
    assert isinstance(found[0], Classification)
    assert found[0].label == "9"
    probabilities = [each.probability for each in found]
    assert probabilities == sorted(probabilities, reverse=True)
    assert [len(client.classify(nine, top)) for top in (1, 10, 1000)] == [1, 10, 10]


def test_score_file_gives_the_probabilities_in_label_order(client: Asker, nine: Path) -> None:
    scores = client.score_file(str(nine))

    assert (scores.shape, scores.dtype, scores.argmax()) == ((10,), np.float32, 9)
    labels, same = client.score_file(nine, outputs=["labels", "probabilities"])
    assert [label.decode() for label in labels] == [str(digit) for digit in range(10)]
    assert np.array_equal(same, scores)
    assert client.score_file(nine, "image", "label", 5.0) == b"9"


def test_of_several_outputs_an_image_gives_the_probabilities(
    served: ModelServer, client: Asker, kind: str, nine: Path
) -> None:
    named = Asker(kind, served.address, model="digits", signature="probabilities")

    assert list(named.metadata().signatures["probabilities"].outputs) == ["label", "probabilities"]
    for score in (named.score_file, named.score_image):
        assert np.array_equal(score(nine, "image"), client.score_file(nine))
    assert named.score_file(nine, "image", "label") == b"9"
    with pytest.raises(InvalidInput, match="several outputs: label, probabilities. Name one"):
        named.score_numpy_arrays({"image": [nine.read_bytes()]})


def test_an_image_may_come_as_bytes_or_path_or_pillow_image_or_pixels(
    client: Asker, nine: Path
) -> None:
    scores = client.score_file(nine)
    with Image.open(nine) as opened:
        forms = [nine.read_bytes(), bytearray(nine.read_bytes()), str(nine), opened]
        forms += [np.asarray(opened.convert("RGB")), np.asarray(opened.convert("RGBA"))]
        for form in forms:
            assert np.array_equal(client.score_image(form), scores)
            assert client.classify(form, 1)[0].label == "9"


def test_score_numpy_arrays_feeds_the_graph(client: Asker) -> None:
    shape = client.metadata().signatures["tensors"].inputs["input"].shape
    scores = client.score_numpy_arrays({"images": np.zeros((2, *shape[1:]), np.float32)})

    assert (scores.shape, scores.dtype) == ((2, 10), np.float32)


def test_a_model_that_is_no_image_classifier_is_fed_by_its_signature(half: Asker) -> None:
    texts, numbers = half.score_numpy_arrays({"x": [[1.0], [2.0]]}, outputs=["label_bytes", "y"])

    assert texts.reshape(-1).tolist() == [b"2.5", b"3.0"]
    assert numbers.tolist() == [[2.5], [3.0]]
    assert half.score_numpy_arrays({"x:0": [[3.0]]}, "y:0").tolist() == [[3.5]]
    with pytest.raises(InvalidInput, match="several outputs: label_bytes, y. Name one"):
        half.score_numpy_arrays({"x": [[1.0]]})


def test_without_a_signature_the_one_that_takes_the_input_answers(
    served: ModelServer, kind: str
) -> None:
    half = Asker(kind, served.address, service_name="half")

    assert half.score_numpy_arrays({"x": [[1.0]]}).tolist() == [[2.5]]
    with pytest.raises(InvalidInput, match="serving_default: x -> y"):
        half.score_numpy_arrays({"z": [[1.0]]})
    with pytest.raises(InvalidInput, match="takes images and gives probabilities, labels"):
        half.classify(b"any")


@pytest.mark.parametrize("named", [{"model": "half"}, {"service_name": "half"}])
def test_metadata_and_status_are_those_of_the_model(
    served: ModelServer, kind: str, named: dict[str, str]
) -> None:
    half = Asker(kind, served.address, **named)
    found = half.metadata()

    assert (found.name, found.version) == ("half", 3)
    assert found.signatures["serving_default"].inputs == {
        "x": TensorInfo("x:0", "DT_FLOAT", (-1, 1))
    }
    assert half.status() == [VersionStatus(3, "AVAILABLE")]
    assert Asker(kind, served.address).metadata().name == "digits", "the default"


def test_a_batch_may_be_larger_than_grpcs_four_megabytes(half: Asker) -> None:
    batch = np.ones((2_000_000, 1), np.float32)

    assert half.score_numpy_arrays({"x": batch}, "y").shape == batch.shape


def test_a_unix_socket_is_an_address_too(served: ModelServer, kind: str, nine: Path) -> None:
    (path,) = [word for word in served.command if word.startswith("--grpc_socket_path=")]
    client = Asker(kind, f"unix:{path.partition('=')[2]}")

    assert client.classify(nine, 1)[0].label == "9"


def test_a_call_may_take_a_year(served: ModelServer, kind: str) -> None:
    year = 365 * 24 * 3600

    assert Asker(kind, served.address, timeout=year).status(timeout=year)


def test_a_closed_client_says_so(served: ModelServer, kind: str) -> None:
    client = Asker(kind, served.address)
    assert client.status()
    client.close()
    client.close()

    with pytest.raises(ValueError, match="This client is closed"):
        client.status()


def test_many_calls_at_once_in_one_loop(served: ModelServer, nine: Path) -> None:
    """As in a cell of a notebook, where a loop runs already."""

    async def ask() -> list[list[Classification]]:
        async with AsyncPredictionClient(served.address) as client:
            return await asyncio.gather(*(client.classify(nine, 1) for _ in range(8)))

    assert [found[0].label for found in asyncio.run(ask())] == ["9"] * 8


def test_the_sync_client_works_where_a_loop_runs(served: ModelServer, nine: Path) -> None:
    async def cell() -> str:
        with PredictionClient(served.address) as client:
            return client.classify(nine, 1)[0].label

    assert asyncio.run(cell()) == "9"


def test_types_follow_what_is_asked_for(served: ModelServer, nine: Path) -> None:
    """The type checker reads this; the server is asked all the same."""
    with PredictionClient(served.address) as client:
        assert_type(client.score_file(nine), Array)
        assert_type(client.score_image(nine, "images", "labels", 5.0), Array)
        assert_type(client.score_file(nine, outputs=["labels"]), list[Array])
        assert_type(client.score_file(nine, "images", ["labels"]), list[Array])
        assert_type(client.score_image(nine, "images", ("labels",), 5.0), list[Array])
        half = PredictionClient(served.address, model="half")
        assert_type(half.score_numpy_arrays({"x": [[1.0]]}, "y"), Array)
        several = half.score_numpy_arrays({"x": [[1.0]]}, ["y"])
        assert_type(several, list[Array])
        several[0] += 1  # what is given belongs to the caller

    async def awaited() -> None:
        async with AsyncPredictionClient(served.address) as client:
            assert_type(await client.score_file(nine), Array)
            assert_type(await client.score_image(nine, outputs=("labels",)), list[Array])
            assert_type(await client.score_image(nine, "images", ["labels"]), list[Array])
            assert_type(await client.score_file(nine, "images", ("labels",), 5.0), list[Array])
            assert_type(await client.classify(nine), list[Classification])

    asyncio.run(awaited())


@pytest.fixture
def official(served: ModelServer) -> Iterator[Client]:
    with Client(served.address) as made:
        yield made


def test_the_official_stubs_live_in_the_same_process(
    official: Client, served: ModelServer, nine: Path
) -> None:
    with PredictionClient(served.address) as client:
        for _ in range(2):
            assert client.classify(nine, 1)[0].label == "9"
            answer = official.predict("digits", {"image": [nine.read_bytes()]}, signature="bytes")
            assert answer.outputs["output_0"].string_val == [b"9"]
