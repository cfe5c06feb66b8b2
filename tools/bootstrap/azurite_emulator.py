from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from local_host.queues.storage_account import EMULATOR_ACCOUNT as ACCOUNT
from local_host.queues.storage_account import EMULATOR_KEY as KEY
from local_host.queues.storage_account import EMULATOR_PORT as DEFAULT_PORT
from tools.bootstrap.environments import EnvironmentSetupError, install_node_packages

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
# Where UseDevelopmentStorage=true looks for each service.
DEFAULT_PORTS = {"blob": 10000, "queue": DEFAULT_PORT}
START_SECONDS = 30.0
STOP_SECONDS = 5.0


def install() -> bool:
    """Installs Azurite into this folder if it is not there; returns whether it was not.

    Raises:
        EnvironmentSetupError: there is no Node.js, or the install failed; the message says what to
            do.
    """
    return install_node_packages(HERE, "Azurite, the storage emulator (190 MB, once)")


class Azurite:
    """The emulator as a process, for the length of a ``with`` block. It listens on 127.0.0.1.

    Args:
        port: where; 0 takes a free one.
        folder: keeps what is stored between runs; None keeps it in memory.
        service: "queue" or "blob"; each is a process of its own.
        certificate: files of a certificate and its key: then it speaks TLS, and takes the tokens of
            identities, whoever signed them.

    Attributes:
        port: where it listens.
        service: as given.
        process: the emulator's process.
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
        self.process: subprocess.Popen[bytes]

    @property
    def endpoint(self) -> str:
        """The address of the account's queues or blobs."""
        scheme = "https" if self._certificate else "http"
        return f"{scheme}://127.0.0.1:{self.port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        """What to set ``AzureWebJobsStorage`` to."""
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
            EnvironmentSetupError: it cannot be installed or did not start; the message has its own
                words.
        """
        install()
        _check_free(self.port)
        node = shutil.which("node")
        assert node is not None
        # Without the last two, it asks the internet, and refuses clients newer than itself.
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
        with tempfile.TemporaryFile() as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
            try:
                self._wait()
            except BaseException:
                self.stop()
                output.seek(0)
                print(output.read().decode("utf-8", "replace"), end="")
                raise

    def stop(self) -> None:
        """Ends it by its process id."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise EnvironmentSetupError(
                    f"Azurite ended at once (exit {self.process.returncode}); its own words are "
                    "above."
                )
            if is_azurite(self.port, tls=self._certificate is not None):
                return
            time.sleep(0.02)
        raise EnvironmentSetupError(f"Azurite did not answer within {START_SECONDS:g} s.")


def connection_string(*services: Azurite) -> str:
    """What to set ``AzureWebJobsStorage`` to, for one emulator or for a queue and a blob one."""
    if all(each.port == DEFAULT_PORTS[each.service] for each in services):
        return "UseDevelopmentStorage=true"
    account = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
    ends = (f"{each.service.capitalize()}Endpoint={each.endpoint};" for each in services)
    return account + "".join(ends)


def is_azurite(port: int, *, tls: bool = False) -> bool:
    """Whether an Azurite answers on a port of this machine, this program's or another's."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    if tls:  # whoever it is, nothing is told to it
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
