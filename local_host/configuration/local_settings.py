"""Reads local.settings.json: the app settings and the ``Host`` block."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_host.configuration.json_file import read_json_object
from local_host.errors import HostError

__all__ = ["Cors", "LocalSettings"]

FILE = "local.settings.json"
EXAMPLE = "local.settings.json.example"
# How a setting such as AzureWebJobsStorage__blobServiceUri names what an identity opens.
_ADDRESSES = ("accountName", "serviceUri", "ServiceUri")


@dataclass(frozen=True)
class Cors:
    """``Host.CORS`` and ``Host.CORSCredentials``; without origins there are no CORS headers."""

    origins: tuple[str, ...] = ()
    credentials: bool = False


@dataclass(frozen=True)
class LocalSettings:
    """The contents of the settings file.

    Attributes:
        path: the file that was read; None without a file.
        values: ``Values``, the app settings.
        cors: the origins that may call from browsers.
        port: ``Host.LocalHttpPort``, None if not set.
        address: ``Host.LocalHttpAddress``, None if not set.
    """

    path: Path | None = None
    values: dict[str, str] = field(default_factory=dict)
    cors: Cors = Cors()
    port: int | None = None
    address: str | None = None

    @classmethod
    def read(cls, root: Path, path: Path | None = None) -> LocalSettings:
        """Reads ``path``, else local.settings.json in the root, else the example beside it.

        Raises:
            HostError: the file or a value in it is invalid; the message names file and key.
        """
        if path is None:
            candidates = (root / name for name in (FILE, EXAMPLE))
            path = next((candidate for candidate in candidates if candidate.is_file()), None)
            if path is None:
                return cls()
        data = read_json_object(path)
        if data.get("IsEncrypted"):
            raise HostError(
                f"{path} is encrypted, which only Core Tools can read. Run `func settings "
                'decrypt`, or set "IsEncrypted" to false and write the values anew.'
            )
        host = data.get("Host") or {}
        if not isinstance(host, dict):
            raise HostError(f"{path}: Host must be a JSON object.")
        return cls(
            path=path,
            values=_values(data.get("Values") or {}, path),
            cors=_cors(host, path),
            port=_port(host.get("LocalHttpPort"), path),
            address=str(host["LocalHttpAddress"]) if host.get("LocalHttpAddress") else None,
        )

    def apply(self, environ: MutableMapping[str, str]) -> list[str]:
        """Adds the values to the environment; existing variables win.

        Returns:
            the names of the values that were skipped.
        """
        added = self.added_to(environ)
        environ.update(added)
        return [name for name in self.values if name not in added]

    def added_to(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Chooses the values that an environment leaves to the file.

        A connection goes by several names: ``AzureWebJobsStorage__blobServiceUri`` in the
        environment replaces the connection string ``AzureWebJobsStorage`` of the file, too, which
        would go first otherwise.
        """
        pairs = (name.partition("__") for name in environ)
        connections = {name for name, _, part in pairs if part.endswith(_ADDRESSES)}
        return {
            name: value
            for name, value in self.values.items()
            if name not in environ and name not in connections
        }


def _values(values: Any, path: Path) -> dict[str, str]:
    if not isinstance(values, dict):
        raise HostError(f"{path}: Values must be a JSON object of names and strings.")
    texts: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, (dict, list)):
            raise HostError(f"{path}: Values.{name} must be a string; app settings are flat.")
        if isinstance(value, bool):
            value = str(value).lower()
        texts[name] = "" if value is None else str(value)
    return texts


def _cors(host: dict[str, Any], path: Path) -> Cors:
    text = host.get("CORS") or ""
    if not isinstance(text, str):
        raise HostError(f"{path}: Host.CORS must be a string: origins separated by commas.")
    origins = tuple(origin.strip() for origin in text.split(",") if origin.strip())
    credentials = str(host.get("CORSCredentials", False)).lower() == "true"
    if credentials and "*" in origins:
        raise HostError(
            f"{path}: Host.CORS cannot be * when Host.CORSCredentials is true; browsers refuse "
            "the pair. Name the origins, such as http://localhost:8080."
        )
    return Cors(origins, credentials)


def _port(value: Any, path: Path) -> int | None:
    if value is None:
        return None
    if not str(value).isdecimal() or not 0 < int(value) < 65536:
        raise HostError(f"{path}: Host.LocalHttpPort={value!r} must be a port, 1 to 65535.")
    return int(value)
