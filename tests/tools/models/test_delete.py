"""A version that is served is not deleted, and a person is asked before any is."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.builders import model_folder
from tests.support.model_servers import ModelServer
from tests.support.servers import ROOT, LocalHost, clean_environment, free_port
from tools.models.__main__ import main
from tools.models.folder_registry import FolderRegistry
from tools.shared.errors import ToolError


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """The app's own model, in two versions."""
    for version in ("1", "2"):
        shutil.copytree(ROOT / "models" / "digits" / "1", tmp_path / "digits" / version)
    return tmp_path


def delete(registry: Path, *arguments: str) -> int:
    return main(["--models-dir", str(registry), "delete", *arguments])


def test_what_the_app_serves_is_kept(
    host: LocalHost, registry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert delete(registry, "digits/1", "--yes", "--app", host.url) == 1
    assert f"digits/1 is served by {host.url}." in capsys.readouterr().err
    assert (registry / "digits" / "1" / "model.onnx").is_file()

    assert delete(registry, "digits/2", "--yes", "--app", host.url) == 0
    assert not (registry / "digits" / "2").exists()


def test_what_a_model_server_serves_is_kept(
    registry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--model_name", "digits", "--model_base_path", str(registry / "digits"))
    with ModelServer(*flags, rest=True) as server:
        assert delete(registry, "digits/2", "--yes", "--app", server.rest_url) == 1
        assert "is served by" in capsys.readouterr().err
        assert delete(registry, "digits/1", "--yes", "--app", server.rest_url) == 0


def test_an_app_that_wants_a_key_is_not_passed_over(
    registry: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalHost(env={"API_KEYS": "k1"}, environment="Production") as closed:
        assert delete(registry, "digits/1", "--yes", "--app", closed.url) == 1
        assert "wants a key" in capsys.readouterr().err
        monkeypatch.setenv("API_KEYS", "k1,k2")
        assert delete(registry, "digits/1", "--yes", "--app", closed.url) == 1
        assert "is served by" in capsys.readouterr().err


def test_an_app_that_was_named_must_answer(
    registry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = f"http://127.0.0.1:{free_port()}"

    assert delete(registry, "digits/1", "--yes", "--app", gone) == 1
    assert "does not answer" in capsys.readouterr().err
    assert delete(registry, "digits/1", "--yes", "--app", "localhost:7071") == 1
    assert "must be an address" in capsys.readouterr().err


class Answers:
    """A server that gives one answer to everything, and notes what it was sent."""

    def __init__(self, status: int, body: bytes) -> None:
        asked = self.asked = list[tuple[str, str | None]]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, self.headers["x-functions-key"]))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Answers:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"<h1>Bad Gateway</h1>"),
        (404, b""),
        (404, b'{"error": "Not Found"}'),
        (403, b'{"error": "no"}'),
        (302, b""),
        (200, b"<h1>another program</h1>"),
        (200, b'{"models": [1]}'),
    ],
)
def test_an_app_that_was_named_and_does_not_say_is_no_leave_to_delete(
    registry: Path, capsys: pytest.CaptureFixture[str], status: int, body: bytes
) -> None:
    with Answers(status, body) as server:
        assert delete(registry, "digits/1", "--yes", "--app", server.url) == 1
    said = f"{server.url} answers {status} and does not say whether it serves digits/1."
    assert said in capsys.readouterr().err
    assert (registry / "digits" / "1" / "model.onnx").is_file()


def test_a_mistyped_path_to_the_app_is_no_leave_to_delete(
    host: LocalHost, registry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert delete(registry, "digits/2", "--yes", "--app", f"{host.url}/api") == 1
    assert "answers 404 and does not say" in capsys.readouterr().err


def test_a_model_server_that_never_had_the_model_says_so(registry: Path) -> None:
    gone = b'{"error": "Could not find any versions of model digits"}'
    with Answers(404, gone) as server:
        assert delete(registry, "digits/2", "--yes", "--app", server.url) == 0


@pytest.mark.parametrize(("status", "deleted"), [(502, 1), (200, 0), (404, 0)])
def test_on_the_usual_ports_another_program_is_passed_over_and_a_broken_server_is_not(
    registry: Path, monkeypatch: pytest.MonkeyPatch, status: int, deleted: int
) -> None:
    with Answers(status, b"<h1>page</h1>") as server:
        monkeypatch.setattr("tools.models.server_status.DEFAULT_APPS", (server.url,))
        assert delete(registry, "digits/1", "--yes") == deleted


def test_no_proxy_sees_the_key_for_this_machine(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("API_KEYS", "k1")
    with Answers(200, b'{"models": []}') as server, Answers(200, b'{"models": []}') as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert delete(registry, "digits/2", "--yes", "--app", server.url) == 0
    assert (server.asked, proxy.asked) == ([("/api/status", "k1")], [])


def test_the_last_version_of_the_default_model_is_kept(
    registry: Path, host: LocalHost, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(registry / "digits" / "1")

    assert delete(registry, "digits/2", "--yes", "--app", host.url) == 1
    assert "only version of the app's default model" in capsys.readouterr().err
    assert delete(registry, "digits/2", "--yes", "--force") == 0
    assert [path.name for path in registry.iterdir()] == [".versions.json"]


def test_who_may_not_delete_is_told_so(colours_onnx: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        registry = Path(folder)
        model_folder(registry, "m", onnx=colours_onnx)
        for each, mode in ((registry, 0o777), (registry / "m", 0o555)):
            each.chmod(mode)
        is_root = os.geteuid() == 0  # who may do everything
        if is_root:
            os.seteuid(65534)
        try:
            version = FolderRegistry(registry).versions("m")[0]
            with pytest.raises(ToolError, match=r"m/1 cannot be removed: Permission denied\."):
                FolderRegistry(registry).delete(version)
        finally:
            if is_root:
                os.seteuid(0)
            (registry / "m").chmod(0o755)
        assert (registry / "m" / "1" / "model.onnx").is_file()


@pytest.mark.parametrize(
    ("typed", "is_deleted"), [("y\n", True), ("\n", False), ("\x03", False), ("\x04", False)]
)
def test_a_person_at_a_terminal_is_asked(registry: Path, typed: str, is_deleted: bool) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tools.models", "--models-dir", str(registry)]
    process = subprocess.Popen(
        [*command, "delete", "digits/2", "--force"],
        cwd=ROOT,
        env=clean_environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(ours, 1000)
    status = None
    for _ in range(
        30
    ):  # a signal that comes just before it reads is lost, so that it is sent again
        os.write(ours, typed.encode())
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = process.wait(2)
            break
    said += os.read(ours, 10_000)
    os.close(ours)

    assert b"Traceback" not in said
    assert b"Version 1 will answer instead; this cannot be undone." in said
    assert status == (0 if is_deleted else 130 if typed == "\x03" else 1)
    assert (registry / "digits" / "2").exists() is not is_deleted


def _take_terminal() -> None:
    """Makes the pseudo terminal the child's own, so that Ctrl+C in it reaches the child."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
