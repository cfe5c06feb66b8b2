"""Defines what downloads may reach, how long they may take, and how large they may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_classifier.settings import Settings
    from image_classifier.storage_settings import OwnBlobs

__all__ = ["FetchPolicy"]


@dataclass(frozen=True, kw_only=True)
class FetchPolicy:
    """The rules for downloads of images. The default is the strictest: public addresses only.

    Attributes:
        allowed_hosts: if any are given, the only hosts that are fetched, as names, addresses or
            ``*.example.com``; these may have private addresses.
        allowed_ports: the ports that are fetched.
        allow_private_addresses: opens private addresses of all hosts, on any port.
        timeout_seconds: for a whole download, look-up and redirects included.
        max_bytes: the most bytes that an image may have, compressed or not.
        own_blobs: blobs that are fetched with the app's managed identity; None for no blobs.
    """

    allowed_hosts: tuple[str, ...] = ()
    allowed_ports: frozenset[int] = frozenset({80, 443})
    allow_private_addresses: bool = False
    timeout_seconds: float = 10.0
    max_bytes: int = 20 * 2**20
    own_blobs: OwnBlobs | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> FetchPolicy:
        """Takes the rules from ``FETCH_…`` and ``MAX_IMAGE_BYTES``."""
        return cls(
            allowed_hosts=settings.fetch_allowed_hosts,
            allowed_ports=settings.fetch_allowed_ports,
            allow_private_addresses=settings.fetch_allow_private_addresses,
            timeout_seconds=settings.fetch_timeout_seconds,
            max_bytes=settings.max_image_bytes,
            own_blobs=settings.own_blobs,
        )
