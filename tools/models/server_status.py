"""Asks running servers whether they serve a version: this app, and TensorFlow Serving's REST API.

Unknown remain servers that are not named, servers with models of the same names from another store,
and the other processes of an app, of which one answers.
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
# An app that has just started loads its default model before it answers.
TIMEOUT_SECONDS = (2.0, 60.0)
# The states of /api/status in which a version uses its files.
IN_USE = ("loading", "loaded", "unloading")
# The beginning of TensorFlow Serving's 404 for a model; the one for a path is different.
NO_SUCH_MODEL = "Could not find any versions of model"


@dataclass(frozen=True)
class _Answer:
    status: int
    body: Any


def servers_of(
    version: Version, apps: Sequence[str] | None, *, key: str | None = None
) -> list[str]:
    """Lists the addresses of the servers that serve a version now.

    Args:
        version: the version.
        apps: addresses of servers, which must answer; None stands for the usual ones, if there.
        key: one of API_KEYS.

    Raises:
        ToolError: a server that was named, or one that is broken, gives no usable answer.
    """
    serving = []
    for app in DEFAULT_APPS if apps is None else apps:
        app = app.rstrip("/")
        if urlsplit(app).scheme not in ("http", "https"):
            raise ToolError(f"--app {app}: it must be an address such as {DEFAULT_APPS[0]}.")
        answer = _ask(app, version, key)
        if answer is None and apps is not None:
            raise ToolError(
                f"{app} does not answer, so it is unknown whether it serves {version}. Start it, "
                "leave --app out if it is gone, or say --force."
            )
        serves = answer and _serves(answer, version)
        # On the usual ports another program may listen; a broken one may be the app.
        if answer and serves is None and (apps is not None or answer.status >= 500):
            raise ToolError(
                f"{app} answers {answer.status} and does not say whether it serves {version}. "
                "Check the address and the server, or say --force."
            )
        if serves:
            serving.append(app)
    return serving


def _ask(app: str, version: Version, key: str | None) -> _Answer | None:
    """Returns the first usable answer, or the last one; None if no server answers HTTP."""
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
    """Whether the server serves the version; None for an answer of another program."""
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
    except (KeyError, TypeError):  # of another program
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
        # No proxy gets requests that stay on this machine, nor the key.
        session.trust_env = not is_on_this_machine(url)
        try:
            # Without redirects: the key is meant for this address only.
            response = session.get(url, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.Timeout as exc:
            raise ToolError(
                f"{url} does not answer within {TIMEOUT_SECONDS[1]:g} s. Try again, or say --force."
            ) from exc
        except requests.RequestException:
            return None
    try:
        return _Answer(response.status_code, response.json())
    except ValueError:
        return _Answer(response.status_code, None)
