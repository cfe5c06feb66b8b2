"""``python -m tools.models`` over Blob Storage: the same commands, against the real emulator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from image_classifier.stores.blob_container import BlobContainer
from tests.image_classifier.stores.test_blob_store import demo_model, registry_in
from tests.support.azurite import Container
from tests.support.servers import ROOT, LocalHost, free_port
from tools.azurite import Azurite
from tools.models.__main__ import main

Run = Callable[..., int]


@pytest.fixture
def container(blob_azurite: Azurite) -> Container:
    return Container(blob_azurite)


@pytest.fixture
def run(
    container: Container, blob_azurite: Azurite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    monkeypatch.setenv("MODELS_DIR", f"azure://{container.name}/live")
    monkeypatch.setenv("MODELS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("AzureWebJobsStorage", blob_azurite.connection_string)
    return lambda *arguments: main(arguments)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return demo_model(tmp_path / "export")


def test_the_life_of_a_model(
    run: Run, container: Container, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("register", str(export), "--name", "pets", "--tag", "source=run 7") == 0
    assert run("register", str(export), "--name", "pets") == 0
    assert container.names() == [
        f"live/pets/{number}/{file}"
        for number in (1, 2)
        for file in ("labels.txt", "model.onnx", "registry.json", "tags.json")
    ]
    capsys.readouterr()

    assert run("tag", "pets/1", "stage=live") == 0
    assert run("tag", "pets", "owner=Zoë") == 0
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()[3:]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["pets", "2", "onnx"],
        ["pets", "1", "onnx"],
    ]
    assert lines[0].endswith("owner=Zoë") and lines[2].endswith("source=run 7 stage=live")

    assert run("show", "pets/1", "--load", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    sha256 = hashlib.sha256((export / "model.onnx").read_bytes()).hexdigest()
    assert sha256 in {file["sha256"] for file in shown["files"]}
    assert shown["labels"] == list("0123456789") and "onnx" in shown["loaded"]

    assert run("fetch", "pets/1") == 0
    folder = Path(capsys.readouterr().out.strip())
    assert (folder / "model.onnx").read_bytes() == (export / "model.onnx").read_bytes()

    assert run("delete", "pets/1", "--yes", "--force") == 0
    assert run("delete", "pets/2", "--yes", "--force") == 0
    assert container.names() == ["live/.versions.json", "live/pets/tags.json"]


@pytest.mark.parametrize("registered", [True, False])
def test_fetch_replaces_a_copy_that_was_damaged_at_the_same_size(
    run: Run,
    container: Container,
    export: Path,
    registered: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if registered:
        assert run("register", str(export), "--name", "m", "--no-check") == 0
    else:
        monkeypatch.setattr("image_classifier.stores.blob_versions.QUIET_SECONDS", 0)
        container.put_folder(export, "live/m/1")

    def fetch() -> Path:
        capsys.readouterr()
        assert run("fetch", "m") == 0
        return Path(capsys.readouterr().out.strip()) / "model.onnx"

    copy, sound = fetch(), (export / "model.onnx").read_bytes()
    copy.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    assert fetch().read_bytes() == sound
    before = copy.stat().st_ino
    assert fetch().stat().st_ino == before, "what is sound stays"


def test_every_file_carries_a_checksum_that_other_tools_know(
    run: Run, container: Container, export: Path
) -> None:
    run("register", str(export), "--name", "m", "--no-check")
    with container.client() as client:
        blob = client.get_blob_client("live/m/1/model.onnx").get_blob_properties()

    data = (export / "model.onnx").read_bytes()
    assert bytes(blob.content_settings.content_md5 or b"") == hashlib.md5(data).digest()


def test_the_weights_come_last_and_go_first(
    run: Run, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a reader that knows nothing of the tool never takes half a version."""
    prop: Any = BlobContainer.__dict__["client"]
    seen: list[str] = []

    class Watched:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            def call(path: str, *args: Any, **kwargs: Any) -> Any:
                seen.append(f"{name.partition('_')[0]} {path.rpartition('/')[2]}")
                return getattr(self._client, name)(path, *args, **kwargs)

            return call if name in ("upload_blob", "delete_blob") else getattr(self._client, name)

    monkeypatch.setattr(BlobContainer, "client", property(lambda it: Watched(prop.fget(it))))
    run("register", str(export), "--name", "m", "--no-check")
    run("delete", "m/1", "--yes", "--force")

    uploads = ["tags.json", "labels.txt", "model.onnx", "registry.json"]
    uploads += [".versions.json"]  # the number, before it is free
    deletes = ["model.onnx", "labels.txt", "tags.json", "registry.json"]
    assert seen == [f"upload {name}" for name in uploads] + [f"delete {name}" for name in deletes]


def test_of_two_who_register_at_once_one_gets_the_number(
    run: Run, container: Container, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = registry_in(container, "/live")
    registry.names()  # looks, and then another one is quicker
    assert run("register", str(export), "--name", "m", "--no-check") == 0
    before = container.names()

    with pytest.raises(Exception, match="is there already.*Does another command register m/1"):
        registry.register(export, name="m", version=None, tags={})
    assert container.names() == before


def test_the_number_of_a_deleted_version_is_not_given_out_again(
    run: Run, container: Container, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register = ("register", str(export), "--no-check", "--name")
    assert [run(*register, "m"), run(*register, "m")] == [0, 0]
    assert run("delete", "m/2", "--yes", "--force") == 0
    assert run("delete", "m/1", "--yes", "--force") == 0
    assert container.names() == ["live/.versions.json"]
    assert run("list") == 0
    assert "There is no model in" in capsys.readouterr().out

    assert run(*register, "m") == 0
    assert run(*register, "m", "--version", "2") == 0, "who says it, may"
    registry = registry_in(container, "/live")
    assert [each.number for each in registry.versions("m")] == [3, 2]
    container.put("live/.versions.json", b"?")
    assert run(*register, "m") == 1
    assert ".versions.json is not the list of the highest numbers" in capsys.readouterr().err


def test_deletions_at_once_are_all_noted(container: Container) -> None:
    names = [f"m{number}" for number in range(4)]
    for name in names:
        container.put(f"live/{name}/5/model.onnx", b"x")

    def delete(name: str) -> None:
        registry = registry_in(container, "/live")
        registry.delete(registry.versions(name)[0])

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(delete, names))
    with container.client() as client:
        notes = json.loads(client.download_blob("live/.versions.json").readall())
    assert notes == dict.fromkeys(names, 5)


def test_after_the_last_number_that_a_server_sees_comes_none(
    run: Run, container: Container, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = "9" * 18
    assert run("register", str(export), "--name", "m", "--no-check", "--version", last) == 0
    before = container.names()

    assert run("register", str(export), "--name", "m", "--no-check") == 1
    assert f"After {last} m has no next number" in capsys.readouterr().err
    assert container.names() == before


def test_an_upload_that_is_stopped_leaves_nothing(
    run: Run,
    container: Container,
    export: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry = registry_in(container, "/live")

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tools.models.blob_registry.now", stopped)  # at the manifest

    with pytest.raises(KeyboardInterrupt):
        registry.register(export, name="m", version=None, tags={})
    assert container.names() == []
    assert run("register", str(export), "--name", "m", "--no-check") == 130
    assert capsys.readouterr().err == "\nStopped. No partial output was written.\n"


def test_what_other_tools_left_half_is_listed_with_the_reason_and_can_be_deleted(
    run: Run, container: Container, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    container.put("live/m/1/labels.txt", b"a")
    container.put_folder(export, "live/m/2")

    assert run("list") == 0
    _, second, first = capsys.readouterr().out.splitlines()
    assert "it has no model.onnx" in first
    assert "it was uploaded less than 30 s ago" in second
    assert run("fetch", "m/1") == 1
    assert "m/1 is not ready: it has no model.onnx" in capsys.readouterr().err
    assert run("delete", "m/1", "--yes", "--force") == 0


def test_converting_uploads_the_new_file_and_the_list_of_files(
    run: Run, container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = ROOT / "models" / "digits" / "1" / "model.pb"
    assert run("register", str(demo), "--name", "m", "--no-check") == 0

    assert run("convert", "m") == 0
    capsys.readouterr()
    assert run("show", "m", "--json", "--load") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["engines"] == ["onnx", "tensorflow"]
    assert all(file["sha256"] for file in shown["files"])
    assert shown["loaded"].startswith("yes, with onnx")


def test_a_version_in_a_folder_with_a_leading_zero_stays_there(
    run: Run, container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = ROOT / "models" / "digits" / "1"
    for file in ("model.pb", "labels.txt"):
        container.put(f"live/m/01/{file}", (demo / file).read_bytes())

    assert run("tag", "m/1", "stage=live") == 0
    assert run("convert", "m/1") == 0
    capsys.readouterr()
    assert run("show", "m/1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["tags"] == {"stage": "live"}
    files = ("labels.txt", "model.onnx", "model.pb", "registry.json", "tags.json")
    assert container.names() == [f"live/m/01/{file}" for file in files]
    assert run("delete", "m/1", "--yes", "--force") == 0
    assert container.names() == ["live/.versions.json"]


def test_what_an_app_serves_from_there_is_kept(
    run: Run,
    container: Container,
    blob_azurite: Azurite,
    export: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("register", str(export), "--name", "digits")
    run("register", str(export), "--name", "digits", "--version", "0")
    env = {
        "MODELS_DIR": f"azure://{container.name}/live",
        "MODELS_CACHE_DIR": str(tmp_path / "cache"),
        "AzureWebJobsStorage": blob_azurite.connection_string,
    }
    with LocalHost(env=env) as host:
        assert run("delete", "digits/1", "--yes", "--app", host.url) == 1
        assert f"digits/1 is served by {host.url}" in capsys.readouterr().err
        assert run("delete", "digits/0", "--yes", "--app", host.url) == 0


def test_a_signature_that_only_reads_says_what_is_missing(
    run: Run, container: Container, export: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("MODELS_DIR", f"{container.url}?{container.signature()}")

    assert run("list") == 0
    assert "There is no model in" in capsys.readouterr().out
    assert run("register", str(export), "--name", "m", "--no-check") == 1
    said = capsys.readouterr().err
    assert "must allow to read, list, write and delete" in said
    assert "sig=" not in said
    assert container.names() == []


def test_a_signature_on_the_command_line_is_refused_without_being_repeated(
    run: Run, container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    signature = container.signature()

    assert run("--models-dir", f"{container.url}?{signature}", "list") == 1
    said = capsys.readouterr().err
    assert "everybody on this machine" in said and "sig=" not in said


def test_a_storage_that_is_away_is_one_sentence(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = f"http://127.0.0.1:{free_port()}/devstoreaccount1/models"

    assert run("--models-dir", gone, "list") == 1
    assert capsys.readouterr().err.startswith(f"error: {gone} cannot be reached")
