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

from tools.models.versions import RegistryError, Version

__all__ = ["DEFAULT_APPS", "servers_of"]

# The local host or `func start`, and the REST port of model_server and TensorFlow Serving.
DEFAULT_APPS = ("http://localhost:7071", "http://localhost:8501")
# An app that was just started loads its default model before it answers.
TIMEOUT_SECONDS = (2.0, 60.0)
# States of /api/status in which a version holds or takes its files.
IN_USE = ("loading", "loaded", "unloading")


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
        apps: addresses of servers, which then must answer; None: the usual ones, if any is there.
        key: one of API_KEYS.

    Raises:
        RegistryError: a server that was named does not answer, or one that is there does not say.
    """
    found = []
    for app in DEFAULT_APPS if apps is None else apps:
        app = app.rstrip("/")
        if urlsplit(app).scheme not in ("http", "https"):
            raise RegistryError(f"--app {app}: it must be an address such as {DEFAULT_APPS[0]}.")
        serves = _serves(app, version, key)
        if serves is None and apps is not None:
            raise RegistryError(
                f"{app} does not answer, so nobody knows whether it serves {version}. Start it, "
                "leave --app out if it is gone, or say --force."
            )
        if serves:
            found.append(app)
    return found


def _serves(app: str, version: Version, key: str | None) -> bool | None:
    """None: nothing that answers HTTP is there."""
    answer = _get(f"{app}/api/status", key)
    if answer is None:
        return None
    if isinstance(answer.body, dict) and isinstance(answer.body.get("models"), list):
        return any(
            model.get("name") == version.name
            and any(
                each.get("version") == version.number and each.get("state") in IN_USE
                for each in model.get("versions", [])
            )
            for model in answer.body["models"]
        )
    if answer.status != 401:
        answer = _get(f"{app}/v1/models/{quote(version.name)}", key) or answer
    if answer.status == 401:
        raise RegistryError(
            f"{app} wants a key before it says whether it serves {version}. Put one into API_KEYS "
            "in the environment or in local.settings.json."
        )
    states = answer.body.get("model_version_status") if isinstance(answer.body, dict) else None
    return any(
        str(each.get("version")) == str(version.number) and each.get("state") != "END"
        for each in states or []
    )


def _get(url: str, key: str | None) -> _Answer | None:
    headers = {"x-functions-key": key, "Authorization": f"Bearer {key}"} if key else {}
    try:
        # Without redirects: the key is meant for this address.
        got = requests.get(url, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    except requests.Timeout as exc:
        raise RegistryError(
            f"{url} does not answer within {TIMEOUT_SECONDS[1]:g} s. Try again, or say --force."
        ) from exc
    except requests.RequestException:
        return None
    try:
        return _Answer(got.status_code, got.json())
    except ValueError:
        return _Answer(got.status_code, None)
