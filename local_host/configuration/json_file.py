from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from local_host.errors import HostError

__all__ = ["read_json_object"]


def read_json_object(path: Path) -> dict[str, Any]:
    """Reads a file that holds one JSON object; a byte order mark is allowed.

    Raises:
        HostError: the file cannot be read or is not a JSON object; the message names the place.
    """
    try:
        data = json.loads(path.read_text("utf-8-sig"))
    except json.JSONDecodeError as exc:
        place = f"line {exc.lineno}, column {exc.colno}"
        raise HostError(f"{path} is not valid JSON: {exc.msg} ({place}).") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise HostError(f"{path} cannot be read: {exc}.") from exc
    if not isinstance(data, dict):
        raise HostError(f"{path} must hold a JSON object, that is {{ … }}.")
    return data
