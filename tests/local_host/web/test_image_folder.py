"""``--images``: a folder of this machine for URLs in the queue."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from local_host.__main__ import main
from tests.support.apps import write_app
from tests.support.servers import LocalHost


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHost]:
    root = tmp_path_factory.mktemp("tree")
    folder = root / "images"
    (folder / "deep er").mkdir(parents=True)
    (folder / "one.png").write_bytes(b"\x89PNG")
    (folder / "deep er" / "two.webp").write_bytes(b"RIFF")
    (folder / "notes.txt").write_text("private", "utf-8")
    (folder / ".env").write_text("private", "utf-8")
    (root / "outside.png").write_bytes(b"private")
    if sys.platform != "win32":
        (folder / "link.png").symlink_to(root / "outside.png")
        (folder / "up.png").symlink_to(root)
    with LocalHost(write_app(root / "app"), arguments=["--images", str(folder)]) as running:
        yield running


def ask(host: LocalHost, path: str, method: str = "GET") -> tuple[int, Message, bytes]:
    """Sends the path as it is; other clients would clean it up. Status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=20)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/images/one.png", "image/png", b"\x89PNG"),
        ("/images/deep%20er/two.webp", "image/webp", b"RIFF"),
    ],
)
def test_images_are_served_with_their_type(
    host: LocalHost, path: str, kind: str, body: bytes
) -> None:
    status, headers, answer = ask(host, path)

    assert (status, headers["content-type"], answer) == (200, kind, body)
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/images/",
        "/images",
        "/images/deep%20er/",
        "/images/notes.txt",
        "/images/.env",
        "/images/missing.png",
        "/images/../outside.png",
        "/images/%2e%2e/outside.png",
        "/images/..%2foutside.png",
        "/images/..%5coutside.png",
        "/images//etc/hostname.png",
        "/images/link.png",
        "/images/up.png/outside.png",
        "/images/one.png%00.png",
    ],
)
def test_nothing_else_is(host: LocalHost, path: str) -> None:
    status, _, answer = ask(host, path)

    assert (status, answer) == (404, b"")


def test_images_can_only_be_read(host: LocalHost) -> None:
    assert ask(host, "/images/one.png", "HEAD")[0] == 200
    for method in ("PUT", "DELETE", "POST"):
        assert ask(host, "/images/one.png", method)[0] == 404
    assert ask(host, "/images/one.png")[0] == 200


def test_folder_is_named_at_the_start(host: LocalHost) -> None:
    host.wait_for_log(rf"Images: http://localhost:{host.port}/images/ serves the images in \S+")


def test_folder_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--root", str(write_app(tmp_path)), "--images", str(tmp_path / "no")]

    assert main([*arguments, "--port", "0"]) == 1
    assert "--images" in capsys.readouterr().err
