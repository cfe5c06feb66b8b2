"""Holds the code that both clients share."""

from __future__ import annotations

import threading
from typing import Any

from image_classifier_client.connection import Connection, RootCertificates

__all__ = ["CLOSED", "BaseClient"]

CLOSED = "This client is closed. Make another."


class BaseClient:
    """A client with settings, and without a connection yet; see ``PredictionClient``."""

    def __init__(
        self,
        address: str,
        port: int | None = None,
        use_ssl: bool = False,
        access_token: str = "",
        service_name: str = "",
        *,
        model: str = "",
        signature: str = "",
        timeout: float = 10.0,
        retries: int = 5,
        root_certificates: RootCertificates = None,
    ) -> None:
        self._connection = Connection(
            address,
            port,
            use_ssl,
            access_token,
            service_name,
            model=model,
            signature=signature,
            timeout=timeout,
            retries=retries,
            root_certificates=root_certificates,
        )
        self._lock = threading.Lock()
        self._channel: Any = None
        self._loop: Any = None
        self._is_closed = False

    def __repr__(self) -> str:
        return self._connection.described(type(self).__name__)
