"""Asks the app for its status and twice for a tag, with folders put in front of the path.

Run as a process of its own by test_importing.py: what is imported stays imported. Arguments: the
folders, the first in front; `+NAME` imports that module before the app does.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    folders = [word for word in arguments if not word.startswith("+")]
    sys.path[:0] = [*folders, str(Path(__file__).resolve().parents[2])]
    for name in [word[1:] for word in arguments if word.startswith("+")]:
        importlib.import_module(name)

    import azure.functions as func

    import classify
    import status
    from tests.support.builders import colour_image

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    said = []
    for function, body in (
        (status, b""),
        (classify, colour_image("red")),
        (classify, colour_image("red")),
    ):
        request = func.HttpRequest(
            method="POST" if body else "GET",
            url="http://localhost/api/",
            headers={"content-type": "application/octet-stream"} if body else {},
            body=body,
        )
        answer = function.main(request)
        said.append(
            {
                "status": answer.status_code,
                "engine": {k.lower(): v for k, v in answer.headers.items()}.get("x-engine"),
                "body": json.loads(answer.get_body()),
            }
        )
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
