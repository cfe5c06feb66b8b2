"""What both clients are made from."""

from __future__ import annotations

import threading
from typing import Any

from image_classifier_client.connection import Connection, RootCertificates

__all__ = ["BaseClient"]


class BaseClient:
    """A client with settings, and without a connection yet.

    Args:
        address: name or IP address of the server, also ``name:port``, or ``unix:/path/of/socket``.
        port: None means that in the address, or else 443 with TLS and 80 without.
        use_ssl: TLS.
        access_token: one of the server's keys.
        service_name: the model, for servers that know it as a service.
        model: the model; "" means ``service_name``, or the server's default.
        signature: of the model; "" means the one that takes the inputs.
        timeout: seconds for a call, its retries included, where the call does not say.
        retries: attempts after the first, where the server is not available or busy.
        root_certificates: whom to trust with TLS, PEM as bytes or a file's path; None means those
            that gRPC brings.

    Raises:
        ValueError: one of them cannot be; the message says which.
        OSError: the file with the root certificates cannot be read.
    """

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
