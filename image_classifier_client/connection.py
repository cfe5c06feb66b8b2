"""Holds the address of the server and the options of each call, for both clients."""

from __future__ import annotations

import os
import re
import ssl
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Union

import grpc

from image_classifier_client.retries import Attempts

__all__ = ["Connection", "RootCertificates"]

# PEM text, or the path of a file that has it.
RootCertificates = Union[bytes, str, "os.PathLike[str]", None]

_HTTPS, _HTTP = 443, 80
# gRPC's clock overflows some centuries later, and then each call is too late at once.
_LONGEST_SECONDS = 365 * 24 * 3600
_HOST_AND_PORT = re.compile(r"(?P<host>[^:\[\]]+|\[(?P<ipv6>[^\[\]]+)\])(:(?P<port>[^:\s]*))?")
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_OPTIONS = [
    # A batch of eight images as floats is larger than gRPC's own 4 MB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Load balancers (Azure's after four minutes) drop idle connections without a word: so after
    # two minutes the next call gets a new one.
    ("grpc.client_idle_timeout_ms", 120_000),
    # Detects a server that vanishes during a call. Servers allow a ping every five minutes,
    # unless told otherwise, and end the calls of a client that sends more ("Too many pings").
    ("grpc.keepalive_time_ms", 330_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A server that starts again is found again soon; gRPC's own pauses grow to two minutes. (Its
    # least pause is left alone: that one bounds how long connecting may take.)
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


class Connection:
    """The settings of a client, checked.

    Args:
        address: name or IP address of the server, also ``name:port``, or ``unix:/path/of/socket``.
        port: None means that in the address, or else 443 with TLS and 80 without.
        use_ssl: TLS.
        access_token: one of the server's keys.
        service_name: the model, for servers that know it as a service.
        model: the model; "" means ``service_name``, or the server's default.
        signature: of the model; "" means the one that takes the inputs.
        timeout: seconds for a call, its retries included.
        retries: attempts after the first, where a retry may help.
        root_certificates: trusted authorities with TLS; None means those that gRPC brings.

    Raises:
        ValueError: an argument is invalid; the message says which.
        OSError: the file with the root certificates cannot be read.
    """

    def __init__(
        self,
        address: str,
        port: int | None,
        use_ssl: bool,
        access_token: str,
        service_name: str,
        *,
        model: str,
        signature: str,
        timeout: float,
        retries: int,
        root_certificates: RootCertificates,
    ) -> None:
        is_socket = address.startswith("unix:")
        if not address or ("/" in address and not is_socket):
            raise ValueError(
                f"The address is {address!r}. Pass the name of the server, without http:// and "
                "without a path, and the port beside it."
            )
        if retries < 0:
            raise ValueError(f"retries is {retries}; it must be 0 or more.")
        if root_certificates is not None and not use_ssl:
            raise ValueError("root_certificates are for TLS: pass use_ssl=True too.")
        token = access_token.strip()  # copied keys often end with a line break
        for name, value in (("access_token", token), ("service_name", service_name)):
            if not (value.isascii() and value.isprintable()):
                raise ValueError(f"{name} must be printable ASCII text.")
        self.target = _target(address, port, _HTTPS if use_ssl else _HTTP)
        self.use_ssl = use_ssl
        self.service_name, self.model, self.signature = service_name, model, signature
        self.retries = retries
        self.timeout = _seconds(timeout)
        self.has_token = bool(token)
        self.metadata = [("x-ms-aml-grpc-service-route", f"/api/v1/service/{service_name}")]
        if token:
            self.metadata.append(("authorization", f"Bearer {token}"))
        self._roots = _pem(root_certificates)

    def attempts(self, timeout: float | None) -> Attempts:
        """Starts the attempts of a call.

        Args:
            timeout: seconds; None means the client's.

        Raises:
            ValueError: the timeout is no number of seconds.
        """
        seconds = self.timeout if timeout is None else _seconds(timeout)
        return Attempts(seconds, self.retries, self.target, self.use_ssl)

    def channel(self, kind: Any) -> Any:
        """Makes a channel, which connects when it is used.

        Args:
            kind: the module that makes it: ``grpc`` or ``grpc.aio``.
        """
        if not self.use_ssl:
            return kind.insecure_channel(self.target, _OPTIONS)
        credentials = grpc.ssl_channel_credentials(self._roots)
        return kind.secure_channel(self.target, credentials, _OPTIONS)

    def described(self, kind: str) -> str:
        """Describes the connection for ``repr``, without the token."""
        parts = [repr(self.target)]
        parts += ["use_ssl=True"] if self.use_ssl else []
        parts += ["access_token=…"] if self.has_token else []
        named = {"service_name": self.service_name, "model": self.model}
        named["signature"] = self.signature
        parts += [f"{name}={value!r}" for name, value in named.items() if value]
        return f"{kind}({', '.join([*parts, f'timeout={self.timeout:g}'])})"


def _seconds(timeout: float | None) -> float:
    if timeout is None or not 0 < timeout <= _LONGEST_SECONDS:
        raise ValueError(
            f"timeout is {timeout}; it must be a number of seconds above 0, and at most a year "
            f"({_LONGEST_SECONDS})."
        )
    return float(timeout)


def _target(address: str, port: int | None, default_port: int) -> str:
    """Makes the target for gRPC, which itself takes any port modulo 65536 and any address."""
    if address.startswith("unix:"):
        return address
    host, given = (f"[{address}]", None) if _is_ipv6(address) else _split(address)
    if given is not None and port is not None:
        raise ValueError(
            f"The address {address!r} has a port, and the port {port} is given too. Pass one."
        )
    if given is None:
        given = str(default_port if port is None else port)
    if not (given.isascii() and given.isdigit() and len(given) < 6 and 0 < int(given) < 65536):
        raise ValueError(f"The port is {given or 'empty'}; it must be from 1 to 65535.")
    return f"{host}:{given}"


def _split(address: str) -> tuple[str, str | None]:
    match = _HOST_AND_PORT.fullmatch(address)
    if match is None or (match["ipv6"] and not _is_ipv6(match["ipv6"])):
        raise ValueError(
            f"The address is {address!r}. Pass a name or an IP address, alone or with a port, such "
            "as name:8500 or [::1]:8500."
        )
    return match["host"], match["port"]


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _pem(certificates: RootCertificates) -> bytes | None:
    if certificates is None:
        return None
    data = certificates if isinstance(certificates, bytes) else Path(certificates).read_bytes()
    if _CERTIFICATE not in data:  # gRPC would say so with the first call, and only in its log
        raise ValueError(
            "root_certificates has no PEM certificate (-----BEGIN CERTIFICATE-----). Pass the text "
            "as bytes, or the path of a file that has it."
        )
    try:  # likewise; what is not ASCII may be a comment
        ssl.create_default_context(cadata=data.decode("ascii", "backslashreplace"))
    except ssl.SSLError as exc:
        raise ValueError(
            "root_certificates has a damaged certificate, or one that is cut short. Pass whole "
            "ones, PEM, as the authority gives them out."
        ) from exc
    return data
