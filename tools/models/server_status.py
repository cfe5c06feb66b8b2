"""Asks running servers whether they serve a version: this app, and TensorFlow Serving's REST API.

What this cannot know: a server that it is not told of, one whose models come from another place
under the same names, and what the other processes of an app hold that answers with one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from tools.models.registry import Version
from tools.shared.errors import ToolError
from tools.shared.loopback import is_on_this_machine

__all__ = ["DEFAULT_APPS", "servers_of"]

# The local host or `func start`, and the REST port of model_server and TensorFlow Serving.
DEFAULT_APPS = ("http://localhost:7071", "http://localhost:8501")
# An app that was just started loads its default model before it answers.
TIMEOUT_SECONDS = (2.0, 60.0)
# States of /api/status in which a version holds or takes its files.
IN_USE = ("loading", "loaded", "unloading")
# How TensorFlow Serving's 404 begins; one for a path that it does not know begins otherwise.
NO_SUCH_MODEL = "Could not find any versions of model"


@dataclass(frozen=True)
class _Answer:
    status: int
    body: Any


def servers_of(
    version: Version, apps: Sequence[str] | None, *, key: str | None = None
) -> list[str]:
    """The addresses of the servers that serve the version now.

    Args:
        version: what to ask for.
        apps: addresses of servers, which then must say; None: the usual ones, if any is there.
        key: one of API_KEYS.

    Raises:
        ToolError: a server that was named does not say, or one that is there cannot now.
    """
    found = []
    for app in DEFAULT_APPS if apps is None else apps:
        app = app.rstrip("/")
        if urlsplit(app).scheme not in ("http", "https"):
            raise ToolError(f"--app {app}: it must be an address such as {DEFAULT_APPS[0]}.")
        answer = _ask(app, version, key)
        if answer is None and apps is not None:
            raise ToolError(
                f"{app} does not answer, so nobody knows whether it serves {version}. Start it, "
                "leave --app out if it is gone, or say --force."
            )
        serves = answer and _serves(answer, version)
        # On the usual ports another program may listen; one that is broken may be the app.
        if answer and serves is None and (apps is not None or answer.status >= 500):
            raise ToolError(
                f"{app} answers {answer.status} and does not say whether it serves {version}. "
                "Check the address and the server, or say --force."
            )
        if serves:
            found.append(app)
    return found


def _ask(app: str, version: Version, key: str | None) -> _Answer | None:
    """The answer that tells, or the last one; None: nothing that answers HTTP is there."""
    answer = _get(f"{app}/api/status", key)
    if answer and answer.status != 401 and _serves(answer, version) is None:
        answer = _get(f"{app}/v1/models/{quote(version.name)}", key) or answer
    if answer and answer.status == 401:
        raise ToolError(
            f"{app} wants a key before it says whether it serves {version}. Put one into API_KEYS "
            "in the environment or in local.settings.json."
        )
    return answer


def _serves(answer: _Answer, version: Version) -> bool | None:
    """None: the answer is neither the app's nor that of TensorFlow Serving's API."""
    body = answer.body if isinstance(answer.body, dict) else {}
    try:
        if "models" in body:
            return any(
                each["version"] == version.number and each["state"] in IN_USE
                for model in body["models"]
                if model["name"] == version.name
                for each in model["versions"]
            )
        if "model_version_status" in body:
            return any(
                str(each["version"]) == str(version.number) and each["state"] != "END"
                for each in body["model_version_status"]
            )
    except (KeyError, TypeError):  # it is another program's
        return None
    if answer.status == 404 and str(body.get("error", "")).startswith(NO_SUCH_MODEL):
        return False
    return None


def _get(url: str, key: str | None) -> _Answer | None:
    with requests.Session() as session:
        session.headers.update(
            {"x-functions-key": key, "Authorization": f"Bearer {key}"} if key else {}
        )
        # Without this a .netrc would put a password in place of the key.
        session.auth = lambda request: request
        # A proxy has no business with what stays on this machine, nor with its key.
        session.trust_env = not is_on_this_machine(url)
        try:
            # Without redirects: the key is meant for this address.
            got = session.get(url, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.Timeout as exc:
            raise ToolError(
                f"{url} does not answer within {TIMEOUT_SECONDS[1]:g} s. Try again, or say --force."
            ) from exc
        except requests.RequestException:
            return None
    try:
        return _Answer(got.status_code, got.json())
    except ValueError:
        return _Answer(got.status_code, None)
