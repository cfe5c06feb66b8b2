"""Models on Blob Storage, as the app's repository sees them; against the real emulator."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from image_classifier import Classifier, Settings
from image_classifier.bindings import http
from image_classifier.bindings.status import status
from image_classifier.errors import ModelError
from image_classifier.storage_settings import StorageSettings
from image_classifier.stores.blob_location import find_location
from tests.support.azurite import Container, wait_until
from tests.support.builders import request
from tests.support.servers import ROOT, free_port
from tools.azurite import Azurite
from tools.bootstrap.azurite_emulator import ACCOUNT
from tools.models.blob_registry import BlobRegistry

POLL_SECONDS = "0.05"
SEVEN = (ROOT / "frontend" / "samples" / "seven.png").read_bytes()


@pytest.fixture
def container(blob_azurite: Azurite) -> Container:
    return Container(blob_azurite)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return demo_model(tmp_path / "export")


def demo_model(folder: Path, prefix: str = "") -> Path:
    """The demo model as ONNX, which loads in no time, with a prefix to all its labels."""
    folder.mkdir(exist_ok=True)
    shutil.copyfile(ROOT / "models" / "digits" / "1" / "model.onnx", folder / "model.onnx")
    (folder / "labels.txt").write_text("\n".join(f"{prefix}{digit}" for digit in range(10)))
    return folder


def registry_in(container: Container, prefix: str = "") -> BlobRegistry:
    where = f"{container.url}{prefix}?{container.signature(write=True)}"
    location = find_location(where, StorageSettings())
    assert location is not None
    return BlobRegistry(location)


def register(container: Container, folder: Path, name: str = "digits") -> int:
    registry = registry_in(container)
    return registry.register(folder, name=name, version=None, tags={}).number


def app(container: Container, tmp_path: Path, **environ: str) -> Classifier:
    environ = {
        "MODELS_DIR": f"{container.url}?{container.signature()}",
        "MODELS_CACHE_DIR": str(tmp_path / "cache"),
        "MODELS_POLL_SECONDS": POLL_SECONDS,
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        **environ,
    }
    return Classifier(Settings.from_environ(environ), app_root=tmp_path)


def answers(classifier: Classifier, name: str | None = None) -> tuple[str | None, int]:
    got = classifier.classify_bytes(SEVEN, model=name)
    return got.predicted_tag_name, got.version


def test_a_registered_model_is_served(container: Container, folder: Path, tmp_path: Path) -> None:
    register(container, folder)
    classifier = app(container, tmp_path)

    assert classifier.repository.names() == ["digits"]
    assert answers(classifier) == ("7", 1)


def test_only_what_is_wanted_is_downloaded(
    container: Container, folder: Path, tmp_path: Path
) -> None:
    for name in ("a", "a", "b"):
        register(container, folder, name)
    classifier = app(container, tmp_path)

    assert answers(classifier, "a") == ("7", 2)
    assert [path.name[:2] for path in (tmp_path / "cache").glob("*/*/[0-9]*")] == ["2-"]
    assert classifier.repository.versions("a") == [2, 1]
    assert classifier.repository.load("a", 1).version == 1


def test_a_new_version_takes_over_and_a_deleted_one_goes(
    container: Container, folder: Path, tmp_path: Path
) -> None:
    register(container, folder)
    classifier = app(container, tmp_path)
    assert answers(classifier) == ("7", 1)

    register(container, demo_model(folder, "n"))
    wait_until(lambda: answers(classifier) == ("n7", 2), "version 2 answers")

    registry = registry_in(container)
    registry.delete(registry.versions("digits")[0])
    wait_until(lambda: answers(classifier) == ("7", 1), "version 1 answers again")


def test_what_another_tool_uploads_counts_when_it_has_been_quiet(
    container: Container, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container.put_folder(folder, "digits/1")
    with pytest.raises(ModelError, match="'digits' is not in http.*there are: none"):
        app(container, tmp_path).repository.load()

    monkeypatch.setattr("image_classifier.stores.blob_versions.QUIET_SECONDS", 0)
    assert answers(app(container, tmp_path)) == ("7", 1)


def test_a_damaged_blob_is_refused_and_the_older_version_goes_on(
    container: Container, folder: Path, tmp_path: Path
) -> None:
    register(container, folder)
    register(container, folder)
    damaged = bytearray((folder / "model.onnx").read_bytes())
    damaged[100] ^= 1
    container.put("digits/2/model.onnx", bytes(damaged))
    classifier = app(container, tmp_path)

    assert answers(classifier) == ("7", 1)
    with pytest.raises(ModelError, match=r"digits/2/model\.onnx is damaged: its SHA-256 is not"):
        classifier.repository.load(version=2)
    assert not list((tmp_path / "cache").glob("*/digits/2-*"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"digits/1/labels.txt": b"0\n1"}, "labels.txt has 3 bytes, not 19"),
        ({"digits/1/labels.txt": None}, "labels.txt is missing"),
        ({"digits/1/registry.json": b"{}"}, "is not the list of files"),
        ({"digits/1/registry.json": b'{"created": "", "files": {"../x": {"bytes": 1, '
                                    b'"sha256": "a"}}}'}, "lists '../x', with what cannot"),
        ({"digits/1/..\\x": b"out"}, "a blob whose name cannot be a file's"),
    ],
)  # fmt: skip
def test_a_version_that_is_not_as_registered_is_refused_in_words(
    container: Container,
    folder: Path,
    tmp_path: Path,
    change: dict[str, bytes | None],
    words: str,
) -> None:
    register(container, folder)
    for name, content in change.items():
        if content is None:
            container.delete(name)
        else:
            container.put(name, content)

    with pytest.raises(ModelError) as caught:
        app(container, tmp_path).repository.load()
    assert words in caught.value.message
    assert "digits/1" in caught.value.message
    assert {path.name for path in tmp_path.iterdir()} == {"export", "cache"}


def test_while_the_storage_is_away_what_is_loaded_goes_on(folder: Path, tmp_path: Path) -> None:
    with Azurite(service="blob") as azurite:
        container = Container(azurite)
        register(container, folder)
        classifier = app(container, tmp_path)
        assert answers(classifier) == ("7", 1)
    for _ in range(5):
        time.sleep(0.06)
        assert answers(classifier) == ("7", 1)
    wait_until(lambda: bool(classifier.repository._store.error()), "it is noticed")

    # A process that starts now has the cache, and for the rest a reason.
    again = app(container, tmp_path)
    assert answers(again) == ("7", 1)
    with pytest.raises(ModelError, match=r"cannot be reached: nothing answers at .* digits\."):
        again.repository.load("cats")


def test_what_could_not_be_downloaded_is_tried_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("image_classifier.stores.blob_store._RETRY_SECONDS", 0.2)
    with Azurite(service="blob", folder=tmp_path / "kept") as azurite:
        container = Container(azurite)
        register(container, folder)
        classifier = app(container, tmp_path, MODELS_POLL_SECONDS="3600")
        assert classifier.repository.names() == ["digits"]
    with pytest.raises(ModelError, match="cannot be reached: nothing answers"):
        classifier.repository.load()
    with Azurite(azurite.port, tmp_path / "kept", service="blob"):
        wait_until(lambda: can_load(classifier), "it is downloaded")


def test_what_a_system_cleared_from_the_cache_is_downloaded_again(
    container: Container, folder: Path, tmp_path: Path
) -> None:
    register(container, folder)
    assert answers(app(container, tmp_path)) == ("7", 1)
    (labels,) = (tmp_path / "cache").glob("*/digits/1-*/labels.txt")
    labels.unlink()

    assert answers(app(container, tmp_path)) == ("7", 1)
    assert labels.is_file()
    assert not list(labels.parent.parent.glob(".gone*"))


def can_load(classifier: Classifier) -> bool:
    try:
        classifier.repository.load()
    except ModelError:
        return False
    return True


def test_the_status_lists_what_is_not_downloaded_yet(
    container: Container, folder: Path, tmp_path: Path
) -> None:
    for name in ("digits", "other"):
        register(container, folder, name)
    classifier = app(container, tmp_path)
    got = http.answer(
        request(), status, service=classifier, function="status", methods="GET"
    ).get_body()
    digits, other = json.loads(got)["models"]

    assert digits["versions"][0]["state"] == "loaded"
    assert digits["versions"][0]["labels"] == list("0123456789")
    assert other["versions"] == [{"version": 1, "labels": [], "engine": None, "state": "available"}]


def test_a_place_that_cannot_be_read_is_said_with_what_to_do(
    container: Container, blob_azurite: Azurite, tmp_path: Path
) -> None:
    absent = Container(blob_azurite, create=False)
    expired = f"{container.url}?{container.signature(hours=-1)}"
    gone = f"http://127.0.0.1:{free_port()}/devstoreaccount1/models"
    endpoint = f"BlobEndpoint={blob_azurite.endpoint.replace('127.0.0.1', 'localhost')}"
    wrong_key = {"AzureWebJobsStorage": f"AccountName={ACCOUNT};AccountKey=bm8=;{endpoint}"}
    for where, words in (
        (f"{absent.url}?{absent.signature()}", "404 ContainerNotFound"),
        (expired, "403 Auth.*the signature in MODELS_DIR has not expired"),
        (container.url, "not public"),
        (f"azure://{container.name}", "Check the key in AzureWebJobsStorage"),
        (gone, "nothing answers at 127.0.0.1"),
        ("https://no-such-account.invalid/models", "there is no host no-such-account.invalid"),
    ):
        with pytest.raises(ModelError, match=words) as caught:
            app(container, tmp_path, MODELS_DIR=where, **wrong_key).repository.load()
        assert "sig=" not in caught.value.message


def test_a_public_container_needs_no_key_and_the_app_takes_its_own(
    blob_azurite: Azurite, folder: Path, tmp_path: Path
) -> None:
    public, own = Container(blob_azurite, public=True), Container(blob_azurite)
    for container in (public, own):
        register(container, folder)
    storage = {"AzureWebJobsStorage": blob_azurite.connection_string}

    assert answers(app(public, tmp_path, MODELS_DIR=public.url)) == ("7", 1)
    assert answers(app(own, tmp_path, MODELS_DIR=f"azure://{own.name}", **storage)) == ("7", 1)
    assert answers(app(own, tmp_path, MODELS_DIR=own.url, **storage)) == ("7", 1)


def test_a_prefix_is_a_registry_of_its_own(
    container: Container, folder: Path, tmp_path: Path
) -> None:
    for prefix in ("live", "lively"):
        registry = registry_in(container, f"/{prefix}")
        registry.register(folder, name=prefix, version=None, tags={})

    where = f"{container.url}/live?{container.signature()}"
    assert app(container, tmp_path, MODELS_DIR=where).repository.names() == ["live"]


def test_a_signature_is_never_logged(
    container: Container, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    register(container, folder)
    assert answers(app(container, tmp_path)) == ("7", 1)
    gone = f"http://127.0.0.1:{free_port()}/devstoreaccount1/models?sig=secret"
    with pytest.raises(ModelError):
        app(container, tmp_path, MODELS_DIR=gone).repository.load()

    ours = [r.getMessage() for r in caplog.records if r.name.startswith("image_classifier")]
    assert any("downloaded digits/1" in line for line in ours)
    assert not [line for line in ours if "sig" in line]


def test_an_app_with_its_models_on_disk_loads_no_client() -> None:
    program = (
        "import sys; from image_classifier import Classifier, Settings\n"
        "Classifier(Settings.from_environ({})).repository.load()\n"
        "print(*[name for name in sys.modules if name.startswith(('azure.', 'msal'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)

    assert (done.returncode, done.stdout.strip()) == (0, "")
