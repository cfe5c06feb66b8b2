"""Microsoft's JavaScript SDK in one Node process, asked from a test."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tools.bootstrap.environments import has_node, install_node_packages

__all__ = ["FOLDER", "NodeClient", "install_sdk"]

FOLDER = Path(__file__).resolve().parent


def install_sdk() -> None:
    """Fetches the SDK as its lock file pins it; skips the test where Node is missing."""
    if not has_node():
        pytest.skip("the SDK is a Node package, and there is no Node.js with npm")
    install_node_packages(FOLDER, "Microsoft's SDK for Custom Vision")


class NodeClient:
    """The SDK, for the length of a ``with`` block.

    Args:
        endpoint: of the app.
        key: that goes with every call, where its caller does not say.
        project: likewise.
        name: likewise, the published name.
    """

    def __init__(self, endpoint: str, key: str, project: str, name: str) -> None:
        self._usual = {"endpoint": endpoint, "key": key, "project": project, "name": name}

    def __enter__(self) -> NodeClient:
        install_sdk()
        self._process = subprocess.Popen(
            ["node", "client.mjs"],
            cwd=FOLDER,
            env={**os.environ, "TZ": "Asia/Tokyo"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._process:  # closes its input, with which it ends, and waits
            pass

    def call(self, method: str, given: Mapping[str, str], **changed: str) -> dict[str, Any]:
        """What the SDK gives; see client.mjs.

        Args:
            method: of the SDK's client.
            given: an image or its URL, in one of the shapes of client.mjs.
            changed: endpoint, key, project, name or application of this call.
        """
        assert self._process.stdin and self._process.stdout
        command = {**self._usual, "method": method, "given": given, **changed}
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the Node process ended; its error is above"
        result: dict[str, Any] = json.loads(line)
        return result

    def answer(self, method: str, given: Mapping[str, str], **changed: str) -> dict[str, Any]:
        """The SDK's ``ImagePrediction``; an error fails the test."""
        result = self.call(method, given, **changed)
        assert "answer" in result, result
        answer: dict[str, Any] = result["answer"]
        return answer

    def error(self, method: str, given: Mapping[str, str], **changed: str) -> dict[str, Any]:
        """The SDK's own ``RestError``; an answer, or another error, fails the test."""
        result = self.call(method, given, **changed)
        assert "error" in result and result["error"]["isTheSdks"], result
        error: dict[str, Any] = result["error"]
        return error
