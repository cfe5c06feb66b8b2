"""Writes the description of the HTTP API."""

from __future__ import annotations

import sys

from tools.openapi.document import TARGET, text


def main() -> int:
    """Writes the file; returns the exit status."""
    TARGET.write_text(text(), "utf-8", newline="\n")
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
