"""Asks the server in this container whether it is well: exit status 0, or 1 with a sentence.

    python healthcheck.py http://127.0.0.1:8501/v1/models/{MODEL_NAME}

Names in braces are those of environment variables. Standard library only, for it runs every half a
minute.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request

__all__ = ["why_not_well"]

SECONDS = 8


def why_not_well(url: str, key: str) -> str | None:
    """A sentence, or None when the server is well."""
    headers = {"x-functions-key": key} if key else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the Dockerfile's address
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=SECONDS) as response:
            answer = json.loads(response.read())
    except urllib.error.HTTPError as exc:
        if exc.code == 429:  # it has all that it can do at once, and so is alive
            return None
        hint = " Set API_KEYS, or ALLOW_ANONYMOUS to true." if exc.code == 401 else ""
        return f"{url} answered {exc.code}.{hint}"
    except (OSError, ValueError) as exc:
        return f"{url} does not answer: {exc}."
    versions = answer.get("model_version_status")  # the app's own status says 503 when it is unwell
    if versions is not None and not any(each["state"] == "AVAILABLE" for each in versions):
        return f"{url} answers, but no version of the model is available."
    return None


def main(arguments: list[str]) -> int:
    url = arguments[0].format_map(os.environ)
    key = os.environ.get("API_KEYS", "").split(",")[0].strip()
    why = why_not_well(url, key)
    if why:
        print(why, file=sys.stderr)
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
