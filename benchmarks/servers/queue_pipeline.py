"""Runs the live pipeline: emulator, images, host and queues, all on this machine."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from azure.storage.queue import QueueClient

from benchmarks import ROOT
from benchmarks.servers.app_host import free_ports, wait_until_ready
from benchmarks.servers.processes import Program, running
from tools.azurite import Azurite
from tools.enqueue.sending import Sender
from tools.shared.queue_client import count_messages, create_queue, sending_url

__all__ = [
    "FAILED",
    "IMAGES",
    "POISON",
    "QUEUES",
    "QueueHost",
    "copy_app",
    "images",
    "put",
    "queue_host",
]

IMAGES, FAILED, POISON = QUEUES = ("images", "images-failed", "images-poison")
SENDERS = 2
SECONDS = 1.0


@dataclass(frozen=True)
class QueueHost:
    """A running host and the storage that it polls.

    Attributes:
        azurite: the storage emulator.
        program: the local host; with several workers, their parent.
        url: of the host, without a slash at the end.
    """

    azurite: Azurite
    program: Program
    url: str

    def put(self, texts: Iterable[str]) -> None:
        """Queues messages as the host expects them, in base64."""
        put(self.azurite, texts)

    def depth(self, name: str) -> int:
        """Counts the messages of a queue, hidden ones included."""
        with client(self.azurite, name) as queue:
            return count_messages(queue) or 0

    def take_all(self, name: str) -> Iterator[dict[str, Any]]:
        """Empties a queue of JSON messages."""
        with client(self.azurite, name) as queue:
            while batch := list(queue.receive_messages(max_messages=32)):
                for message in batch:
                    yield json.loads(base64.b64decode(message.content))
                    queue.delete_message(message)

    def worker_processes(self) -> list[psutil.Process]:
        """Lists the host's workers, without multiprocessing's own helper."""
        return [
            child
            for child in psutil.Process(self.program.process.pid).children()
            if "spawn_main" in " ".join(child.cmdline())
        ]


def put(azurite: Azurite, texts: Iterable[str], *, keep_below: int = 200) -> None:
    """Queues messages on ``images`` as ``tools.enqueue`` does, which costs little itself.

    Args:
        azurite: the emulator; the more messages it holds, the slower it gives them out.
        texts: the messages.
        keep_below: waits while the queue holds so many.
    """
    with client(azurite, IMAGES) as queue:

        def room() -> int:
            return keep_below - (count_messages(queue) or 0)

        sender = Sender(sending_url(queue), iter(texts), threads=SENDERS, room=room)
        sender.start()
        while not sender.wait(SECONDS):
            pass
        if sender.problem is not None:
            raise sender.problem


def client(azurite: Azurite, name: str) -> QueueClient:
    return QueueClient.from_connection_string(azurite.connection_string, name)


def copy_app(root: Path, queues: Mapping[str, Any]) -> None:
    """Copies the app, with settings of its own for ``extensions.queues`` in host.json."""
    folders = [path.parent.name for path in ROOT.glob("*/function.json")]
    for name in [*folders, "image_classifier", "models"]:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    host["extensions"].setdefault("queues", {}).update(queues)
    (root / "host.json").write_text(json.dumps(host), "utf-8")


@contextmanager
def images(folder: Path, *, delay_ms: float) -> Iterator[str]:
    """Serves a folder of images, each after a delay; yields the address."""
    arguments = [str(folder), "--delay-ms", str(delay_ms)]
    with running("benchmarks.servers.image_server", arguments, {}, read_output=True) as program:
        assert program.process.stdout is not None
        yield f"http://127.0.0.1:{int(program.process.stdout.readline())}"


@contextmanager
def queue_host(
    root: Path,
    azurite: Azurite,
    *,
    workers: int,
    environ: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[QueueHost]:
    """Runs an app with its queue function on, against empty or filled queues."""
    for name in QUEUES:
        with client(azurite, name) as queue:
            create_queue(queue)
    [port] = free_ports(1)
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "AzureWebJobs.classify_queue.Disabled": "false",
        "AzureSignalRConnectionString": "",
        "FETCH_ALLOW_PRIVATE_ADDRESSES": "true",
        "API_KEYS": "",
        **(environ or {}),
    }
    command = ["--root", str(root), "--port", str(port), "--workers", str(workers), *arguments]
    with running("local_host", command, settings) as program:
        wait_until_ready(program, port)
        yield QueueHost(azurite, program, f"http://127.0.0.1:{port}")
