"""Recognises the addresses of this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["is_on_this_machine"]


def is_on_this_machine(url: str) -> bool:
    """Whether the host of a URL is this machine, by its loopback address or name."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
