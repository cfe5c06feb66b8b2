"""Reads images to queue from lines of URLs, from a folder that the local host serves, or samples.

A source is a list of bodies of messages, each of them a URL, or JSON with a "url".
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import urllib3
from azure.functions import QueueMessage

from image_classifier.bindings.queue_message import read_message
from image_classifier.images.files import images_in
from tools.shared.errors import ToolError

__all__ = ["Body", "Source", "from_file", "from_folder", "from_samples", "messages"]

SAMPLES = Path(__file__).resolve().parents[2] / "frontend" / "samples"
PROBE_SECONDS = 5


@dataclass(frozen=True)
class Body:
    """The body of one message.

    Attributes:
        text: a URL or JSON.
        where: the origin in errors, such as "urls.txt, line 7".
    """

    text: str
    where: str


@dataclass(frozen=True)
class Source:
    """A list of images.

    Attributes:
        read: yields all bodies from the start; standard input can be read once only.
        total: the number of bodies; None if it is unknown before they are read.
    """

    read: Callable[[], Iterator[Body]]
    total: int | None


def from_file(path: Path) -> Source:
    """Reads the lines of a file, and checks all of them before the first is queued.

    Raises:
        ToolError: the file cannot be read, is empty, or has a line that cannot be queued.
    """

    def read() -> Iterator[Body]:
        with path.open("rb") as file:
            yield from _lines(file, path.name)

    try:
        total = sum(1 for body in read() if message_of(body, id="1", model=None))
    except OSError as exc:
        raise ToolError(f"{path} cannot be read: {exc.strerror}.") from exc
    if not total:
        raise ToolError(f"{path} has no lines but empty ones and comments.")
    return Source(read, total)


def from_stream(stream: BinaryIO) -> Source:
    """Reads the lines of a stream; each is checked when it is queued."""
    return Source(lambda: _lines(stream, "standard input"), None)


def _lines(lines: Iterable[bytes], name: str) -> Iterator[Body]:
    for number, line in enumerate(lines, 1):
        where = f"{name}, line {number}"
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as exc:
            raise ToolError(f"{where}: it is not UTF-8 text.") from exc
        if text and not text.startswith("#"):
            yield Body(text, where)


def from_folder(folder: Path, base_url: str) -> Source:
    """Lists the images in a folder by the URLs at which the local host serves them.

    Raises:
        ToolError: the folder has no images, or the host does not serve them.
    """
    files = images_in(folder)
    if not files:
        raise ToolError(f"There are no images in {folder}.")
    _check_served(
        _served_at(f"{base_url}/images/", folder, files[0]),
        files[0],
        "Start the host so, in another terminal: "
        f"python -m local_host --images {shlex.quote(str(folder))}",
    )
    return _of_files(f"{base_url}/images/", folder, files)


def from_samples(base_url: str) -> Source:
    """Lists the sample images of the local host's page.

    Raises:
        ToolError: the host does not serve them.
    """
    names = [sample["file"] for sample in json.loads((SAMPLES / "samples.json").read_text("utf-8"))]
    files = [SAMPLES / name for name in names]
    _check_served(
        _served_at(f"{base_url}/samples/", SAMPLES, files[0]),
        files[0],
        "Start the host in another terminal: python -m local_host",
    )
    return _of_files(f"{base_url}/samples/", SAMPLES, files)


def _of_files(prefix: str, folder: Path, files: list[Path]) -> Source:
    return Source(
        lambda: (Body(_served_at(prefix, folder, file), str(file)) for file in files), len(files)
    )


def _served_at(prefix: str, folder: Path, file: Path) -> str:
    return prefix + quote(file.relative_to(folder).as_posix())


def _check_served(url: str, file: Path, advice: str) -> None:
    """Downloads one image, before a million messages are sent in vain."""
    with urllib3.PoolManager(timeout=PROBE_SECONDS, retries=False) as pool:
        try:
            response = pool.request("GET", url)
        except (urllib3.exceptions.HTTPError, ValueError) as exc:
            raise ToolError(
                f"Nothing answers at {url}. {advice} (or say where it runs with --base-url)."
            ) from exc
    if response.status != 200:
        raise ToolError(f"{url} answers {response.status}, not the image. {advice}.")
    if response.data != file.read_bytes():
        raise ToolError(f"{url} is not the image {file}. {advice}.")


def messages(bodies: Iterable[Body], *, run: str, model: str | None) -> Iterator[str]:
    """Makes the messages for the queue, as JSON; ids are the run and a number from 1.

    Raises:
        ToolError: a body cannot become a message.
    """
    for number, body in enumerate(bodies, 1):
        yield message_of(body, id=f"{run}-{number}", model=model)


def message_of(body: Body, *, id: str, model: str | None) -> str:
    """Makes one message. The id and the model of a body take precedence.

    Raises:
        ToolError: the function would refuse the message.
    """
    request = read_message(QueueMessage(id=id, body=body.text))
    if request.problem is not None:
        raise ToolError(f"{body.where}: {request.problem}")
    url = request.url or ""
    if not url.lower().startswith(("http://", "https://")):
        raise ToolError(f"{body.where}: {url[:60]!r} is not a URL that starts with https://.")
    message: dict[str, str | int] = {"id": request.id, "url": url}
    if request.model or model:
        message["model"] = request.model or model or ""
    if request.version is not None:
        message["version"] = request.version
    return json.dumps(message, ensure_ascii=False)
