"""What a setting may be: from its text to its value; ValueError says "must be …"."""

from __future__ import annotations

__all__ = [
    "count",
    "decode",
    "flag",
    "hosts",
    "items",
    "ports",
    "seconds",
    "text",
    "threads",
]


def text(value: str) -> str:
    """Any text, without blanks around it."""
    return value.strip()


def items(text: str) -> tuple[str, ...]:
    """A list separated by commas."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def hosts(text: str) -> tuple[str, ...]:
    """Host names, separated by commas; ``*.example.com`` stands for all below."""
    found = tuple(host.lower().rstrip(".") for host in items(text))
    for host in found:
        if "/" in host or ":" in host.strip("[]") and not host.startswith("["):
            raise ValueError(
                "must be host names without scheme, port or path, such as example.com,*.example.org"
            )
        if "*" in host[1:] or (host.startswith("*") and not host.startswith("*.")):
            raise ValueError("may have a star only at the front, as in *.example.com")
    return found


def ports(text: str) -> frozenset[int]:
    """TCP ports, separated by commas."""
    try:
        found = frozenset(int(item) for item in items(text))
    except ValueError:
        found = frozenset()
    if not found or not all(0 < port < 65536 for port in found):
        raise ValueError("must be port numbers from 1 to 65535, separated by commas")
    return found


def flag(text: str) -> bool:
    """true or false."""
    match text.strip().lower():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
    raise ValueError("must be true or false")


def count(text: str) -> int:
    """A whole number of 1 or more."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise ValueError("must be a whole number of 1 or more")
    return value


def decode(text: str) -> str:
    """``exact`` or ``fast``."""
    value = text.strip().lower()
    if value not in ("exact", "fast"):
        raise ValueError("must be exact or fast")
    return value


def threads(text: str) -> int:
    """A whole number from 0 to 256."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 256:
        raise ValueError("must be a whole number from 0 (automatic) to 256")
    return value


def seconds(text: str) -> float:
    """Seconds, above 0 and at most 3600."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise ValueError("must be a number of seconds above 0 and at most 3600")
    return value
