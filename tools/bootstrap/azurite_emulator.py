"""Installs and runs Azurite, Microsoft's storage emulator, for queues and for blobs.

Standard library only: `dev.py` imports this before anything is installed.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from types import TracebackType

from local_host.queues.storage_account import EMULATOR_ACCOUNT as ACCOUNT
from local_host.queues.storage_account import EMULATOR_KEY as KEY
from local_host.queues.storage_account import EMULATOR_PORT as DEFAULT_PORT
from tools.bootstrap.environments import EnvironmentSetupError, install_node_packages
from tools.bootstrap.server_process import ServerProcess

__all__ = [
    "ACCOUNT",
    "DEFAULT_PORT",
    "DEFAULT_PORTS",
    "KEY",
    "Azurite",
    "connection_string",
    "install",
    "is_azurite",
]

HERE = Path(__file__).resolve().parents[1] / "azurite"
PROGRAMS = HERE / "node_modules" / "azurite" / "dist" / "src"
# The ports that UseDevelopmentStorage=true stands for.
DEFAULT_PORTS = {"blob": 10000, "queue": DEFAULT_PORT}
START_SECONDS = 30.0
STOP_SECONDS = 5.0


def install() -> bool:
    """Installs Azurite into its folder if it is missing; returns whether it was.

    Raises:
        EnvironmentSetupError: Node.js is missing, or the installation failed; the message has the
            advice.
    """
    return install_node_packages(HERE, "Azurite, the storage emulator (190 MB, once)")


class Azurite:
    """The emulator as a process, for the length of a ``with`` block. It listens on 127.0.0.1.

    Args:
        port: the port to listen on; 0 takes a free one.
        folder: keeps the stored data between runs; None keeps them in memory.
        service: "queue" or "blob"; each is a process of its own.
        certificate: files of a certificate and its key. With it the emulator speaks TLS and
            accepts the tokens of identities, no matter who signed them.

    Attributes:
        port: the port it listens on.
        service: as given.
    """

    def __init__(
        self,
        port: int = 0,
        folder: Path | None = None,
        *,
        service: str = "queue",
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.port = port or _free_port()
        self._certificate = certificate
        self._folder = folder
        self.service = service
        self._server: ServerProcess

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The emulator's process, once it was started."""
        return self._server.process

    @property
    def endpoint(self) -> str:
        """The address of the account's queues or blobs."""
        scheme = "https" if self._certificate else "http"
        return f"{scheme}://127.0.0.1:{self.port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        """The value for ``AzureWebJobsStorage``."""
        return connection_string(self)

    def __enter__(self) -> Azurite:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts it and waits until it answers.

        Raises:
            EnvironmentSetupError: it cannot be installed, or did not start; its output is on the
                terminal.
        """
        install()
        _check_free(self.port)
        node = shutil.which("node")
        assert node is not None
        # Without the last two it sends telemetry, and refuses clients newer than itself.
        program = PROGRAMS / self.service / "main.js"
        command = [node, str(program), f"--{self.service}Host", "127.0.0.1"]
        command += [f"--{self.service}Port", str(self.port)]
        command += ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
        if self._certificate:
            cert, key = map(str, self._certificate)
            command += ["--oauth", "basic", "--cert", cert, "--key", key]
        if self._folder is None:
            command += ["--inMemoryPersistence"]
        else:
            command += ["--location", str(self._folder)]
        tls = self._certificate is not None
        self._server = ServerProcess("Azurite", command, folder=Path.cwd(), log=True)
        try:
            self._server.wait_until(
                lambda: is_azurite(self.port, tls=tls), seconds=START_SECONDS, poll_seconds=0.02
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the emulator by its process id."""
        self._server.stop(STOP_SECONDS)


def connection_string(*services: Azurite) -> str:
    """The value for ``AzureWebJobsStorage``, for one emulator or for a queue and a blob one."""
    if all(each.port == DEFAULT_PORTS[each.service] for each in services):
        return "UseDevelopmentStorage=true"
    account = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
    ends = (f"{each.service.capitalize()}Endpoint={each.endpoint};" for each in services)
    return account + "".join(ends)


def is_azurite(port: int, *, tls: bool = False) -> bool:
    """Whether an Azurite answers on a port of this machine, no matter who started it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    if tls:  # unverified, for the request holds nothing to protect
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=context)
    try:
        connection.request("GET", f"/{ACCOUNT}?comp=list")
        return "Azurite" in (connection.getresponse().headers["Server"] or "")
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _check_free(port: int) -> None:
    with socket.socket() as sock:
        sock.settimeout(1)
        if sock.connect_ex(("127.0.0.1", port)) == 0:
            raise EnvironmentSetupError(
                f"Port {port} is in use, perhaps by an Azurite that runs already. End that one, or "
                "name another port with --port."
            )
