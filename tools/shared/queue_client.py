"""Opens queues of the app's storage account by the setting that a function's `connection` names.

A connection string is a secret: it is read from the environment or from local.settings.json, and
never from the command line, which every user of the machine can see.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.queue import (
    LinearRetry,
    QueueClient,
    QueueSasPermissions,
    QueueServiceClient,
    generate_queue_sas,
)

from local_host.configuration.local_settings import LocalSettings
from local_host.errors import HostError
from tools.shared.errors import ToolError

__all__ = [
    "API_VERSION",
    "LARGEST_MESSAGE",
    "SETTING",
    "add_connection",
    "count_messages",
    "create_queue",
    "decode",
    "encode",
    "translate_errors",
    "open_queue",
    "sending_url",
]

ROOT = Path(__file__).resolve().parents[2]
SETTING = "AzureWebJobsStorage"
# Pinned: Azurite lags behind the SDK's newest API version.
API_VERSION = "2021-12-02"
# In base64 these are 64 KiB, the largest message of the service.
LARGEST_MESSAGE = 48 * 1024

_QUEUE_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_RIGHT_TO_ADD = timedelta(days=30)


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Adds ``--connection``, the name of the setting for ``open_queue``."""
    parser.add_argument(
        "--connection",
        default=SETTING,
        metavar="SETTING",
        help=f"name of the setting with the connection string (default: {SETTING})",
    )


def open_queue(
    name: str,
    *,
    setting: str = SETTING,
    root: Path = ROOT,
    environ: Mapping[str, str] = os.environ,
) -> QueueClient:
    """Makes a client for one queue, without a request yet.

    Args:
        name: of the queue.
        setting: the setting that holds the connection string.
        root: the folder of the app, for local.settings.json.
        environ: takes precedence over that file.

    Raises:
        ToolError: the name or the setting cannot be used.
    """
    if not _QUEUE_NAME.fullmatch(name):
        raise ToolError(
            f"{name!r} cannot be a queue's name. It has 3 to 63 lower-case letters, digits and "
            "hyphens, as in images-failed."
        )
    text = _connection_string(setting, root, environ)
    try:
        service = QueueServiceClient.from_connection_string(
            text,
            api_version=API_VERSION,
            # The default reports a missing server only after a minute and a half.
            retry_policy=LinearRetry(backoff=1, retry_total=2, random_jitter_range=0),
            connection_timeout=5,
            read_timeout=30,
        )
        return service.get_queue_client(name)
    except ValueError as exc:
        raise ToolError(
            f"{setting} is not a connection string of a storage account. Copy it from the "
            "account's access keys, or use UseDevelopmentStorage=true for the emulator."
        ) from exc


def _connection_string(setting: str, root: Path, environ: Mapping[str, str]) -> str:
    if "=" in setting or ";" in setting:
        raise ToolError(
            "Name the setting that holds the connection string, not the string itself: everybody "
            f"on this machine can see a command line. Put it into {SETTING} in the environment or "
            "in local.settings.json."
        )
    try:
        values = LocalSettings.read(root).values
    except HostError as exc:
        raise ToolError(str(exc)) from exc
    # As the host does, which looks for AzureWebJobsX before X.
    for name in (f"AzureWebJobs{setting}", setting):
        text = environ.get(name) or values.get(name)
        if text:
            return text.strip()
    raise ToolError(
        f"{setting} is neither in the environment nor in local.settings.json. Set it to a "
        "connection string; UseDevelopmentStorage=true is the emulator (python -m tools.azurite)."
    )


@contextmanager
def translate_errors(queue: QueueClient) -> Iterator[None]:
    """Turns exceptions of the client inside the ``with`` block into a ToolError."""
    try:
        yield
    except ClientAuthenticationError as exc:
        raise ToolError(
            f"{queue.account_name} does not accept the key. Check the connection string."
        ) from exc
    except HttpResponseError as exc:
        code = getattr(exc, "error_code", None) or exc.reason
        raise ToolError(
            f"{queue.account_name} refused with {exc.status_code} {code} (queue "
            f"{queue.queue_name})."
        ) from exc
    except AzureError as exc:
        raise ToolError(_not_reached(queue)) from exc


def _not_reached(queue: QueueClient) -> str:
    sentence = f"Nothing answers at {queue.primary_hostname.partition('/')[0]}."
    if queue.account_name == "devstoreaccount1":
        sentence += (
            " That is where the storage emulator would be. Start it in another terminal: "
            "python -m tools.azurite"
        )
    return sentence


def create_queue(queue: QueueClient) -> bool:
    """Makes the queue unless it exists; returns whether it was made."""
    with translate_errors(queue):
        try:
            queue.create_queue()
        except ResourceExistsError:
            return False
        return True


def count_messages(queue: QueueClient) -> int | None:
    """Returns the approximate number of messages, hidden ones too; None if there is no queue."""
    with translate_errors(queue):
        try:
            return queue.get_queue_properties().approximate_message_count
        except ResourceNotFoundError:
            return None


def sending_url(queue: QueueClient) -> str:
    """Returns a signed URL for POST requests with messages, which is a secret for 30 days.

    The client would sign each request, which takes 2 ms of a core: too long for a million.
    """
    key = getattr(queue.credential, "account_key", None)
    base, _, signature = queue.url.partition("?")
    if key:
        signature = generate_queue_sas(
            str(queue.account_name),
            queue.queue_name,
            key,
            permission=QueueSasPermissions(add=True),
            expiry=datetime.now(UTC) + _RIGHT_TO_ADD,
        )
    return f"{base}/messages?messagettl=-1&{signature}"


def encode(text: str) -> str:
    """Encodes the text of a message in base64, as the host expects it."""
    return base64.b64encode(text.encode()).decode("ascii")


def decode(content: str) -> str | None:
    """Decodes the text of a message; None if it is not base64 of UTF-8."""
    try:
        return base64.b64decode(content, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
