"""Reads the addresses of two endpoints: prediction URLs of Custom Vision's portal, or hosts alone.

A query may hold a key (``?code=…``), so it is sent and never shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit
from uuid import UUID

from tools.shared.errors import ToolError
from tools.shared.loopback import is_on_this_machine

__all__ = ["Address", "read_addresses"]

EXAMPLE = (
    "https://NAME.cognitiveservices.azure.com/customvision/v3.0/Prediction/PROJECT-ID/classify/"
    "iterations/PUBLISHED-NAME/image"
)

# The end of a prediction URL, of the exported container, too (http://localhost/image).
_TAIL = re.compile(r"(?P<before>.*)/(?:image|url)(?P<nostore>/nostore)?/?", re.IGNORECASE)
_PUBLISHED = re.compile(
    r".*/(?P<project>[^/]+)/(?P<task>classify|detect)/iterations/(?P<iteration>[^/]+)",
    re.IGNORECASE,
)
# Parts of a prediction URL only: an address with one of them was cut off.
_UNFINISHED = re.compile(r"/(customvision|iterations)(/|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """One endpoint.

    Attributes:
        url: the target of the POST requests, with its query, so never shown.
        stores: whether the cloud keeps the images that are sent there.
    """

    url: str
    stores: bool

    @property
    def shown(self) -> str:
        """The URL for people, without its query."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(query="")) + ("?…" if parts.query else "")

    @property
    def query(self) -> str:
        """The query of the URL, which may hold a key."""
        return urlsplit(self.url).query

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine."""
        return is_on_this_machine(self.url)

    @property
    def is_encrypted(self) -> bool:
        """Whether requests to the endpoint are encrypted."""
        return urlsplit(self.url).scheme == "https"


def read_addresses(
    texts: Sequence[str], *, project: str | None = None, iteration: str | None = None
) -> tuple[Address, Address]:
    """Reads both endpoints.

    Args:
        texts: two, each a prediction URL or an address such as ``http://localhost:7071``.
        project: the id of the project, for addresses.
        iteration: the published name, for addresses. By default an address takes both from the
            prediction URL of the other endpoint: this app answers at the same path as the cloud.

    Raises:
        ToolError: there are not two texts, or one of them is not an endpoint.
    """
    if len(texts) != 2:
        raise ToolError(
            f"Two endpoints are compared, and --endpoint is there {_times(len(texts))}. Give it "
            "twice, first the one that the other is held against: --endpoint "
            f"{EXAMPLE} --endpoint http://localhost:7071"
        )
    parts = [_split(text) for text in texts]
    tails = [_TAIL.fullmatch(each.path) for each in parts]
    if all(tails) and (project or iteration):
        raise ToolError(
            "Both prediction URLs say which project and iteration they mean. Leave out --project "
            "and --iteration."
        )
    for each, tail in zip(parts, tails, strict=True):
        match = _PUBLISHED.fullmatch(tail["before"]) if tail else None
        if match and match["task"].lower() == "detect":
            raise ToolError(
                f"{_shown(each)} detects objects. This compares classifiers, whose prediction "
                "URLs have /classify/ there."
            )
        if match and not all(tails):
            project = project or unquote(match["project"])
            iteration = iteration or unquote(match["iteration"])
    first, second = (
        _published(each, tail) if tail else _made(each, project, iteration)
        for each, tail in zip(parts, tails, strict=True)
    )
    return first, second


def _times(count: int) -> str:
    return {0: "not", 1: "once"}.get(count, f"{count} times")


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        usable = False
    if not usable or not text.isprintable() or " " in text:
        raise ToolError(
            "An endpoint is a URL that starts with https:// or http://, and this is none: "
            f"{text.partition('?')[0][:200]!r}. An example: {EXAMPLE}"
        )
    if parts.username is not None:
        raise ToolError(
            "An endpoint has no user and password in it. Keys come from the environment: "
            "PREDICTION_KEY_A and PREDICTION_KEY_B."
        )
    return parts._replace(fragment="")


def _published(parts: SplitResult, tail: re.Match[str]) -> Address:
    nostore = tail["nostore"] or ""
    # The portal also shows a URL for image addresses: …/url. This tool sends the bytes.
    path = f"{tail['before']}/image{nostore}"
    return Address(urlunsplit(parts._replace(path=path)), stores=not nostore)


def _made(parts: SplitResult, project: str | None, iteration: str | None) -> Address:
    if _UNFINISHED.search(parts.path):
        raise ToolError(
            f"{_shown(parts)} is no prediction URL: those end with /image. Copy it from the "
            f"portal (Performance, Prediction URL), as in {EXAMPLE}; or give the address alone, "
            "as in http://localhost:7071, with --project and --iteration."
        )
    if not project or not iteration:
        raise ToolError(
            f"{_shown(parts)} is an address without project and published name. Say which with "
            f"--project and --iteration, or copy the whole prediction URL, as in {EXAMPLE}"
        )
    try:
        UUID(project)
    except ValueError:
        raise ToolError(
            f"{project[:80]!r} is no project id. The portal shows it in the project's settings, "
            "as in 6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11."
        ) from None
    path = (
        f"{parts.path.rstrip('/')}/customvision/v3.1/prediction/{project}/classify/iterations/"
        f"{quote(iteration, safe='')}/image/nostore"
    )
    return Address(urlunsplit(parts._replace(path=path)), stores=False)


def _shown(parts: SplitResult) -> str:
    return urlunsplit(parts._replace(query=""))
