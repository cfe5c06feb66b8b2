"""Reports the loss and the return of a storage account."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from local_host.console import Console
from local_host.queues.storage_account import StorageAccount

__all__ = ["StorageMonitor"]


class StorageMonitor:
    """Prints one line when an account becomes unreachable, and one when it returns.

    Args:
        account: the account.
        readers: the functions that read its queues.
        console: receives the lines.
    """

    def __init__(self, account: StorageAccount, readers: Sequence[str], console: Console) -> None:
        self._account = account
        self._readers = " and ".join(readers)
        self._console = console
        self._was_reachable = False
        self._is_lost = False

    def __call__(self, reason: str | None) -> None:
        """Records the outcome of one request: the reason of its failure, or None."""
        if reason is not None:
            self._on_failure(reason)
        else:
            self._on_success()

    def _on_failure(self, reason: str) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        if self._was_reachable or not self._readers:
            text = f"Lost {self._description}: {reason}. The host keeps trying."
        else:
            text = (
                f"Function {self._readers} is off: {self._description} cannot be reached: "
                f"{reason}. {self._advice} The host keeps trying; HTTP works meanwhile."
            )
        self._console.line(text, "yellow")

    def _on_success(self) -> None:
        if self._is_lost:
            if self._was_reachable or not self._readers:
                self._console.line(f"Found {self._description} again.")
            else:
                self._console.line(f"Function {self._readers} is on: {self._description} answers.")
            self._is_lost = False
        self._was_reachable = True

    @property
    def _description(self) -> str:
        return f"the storage at {self._account.endpoint} ({self._account.setting})"

    @property
    def _advice(self) -> str:
        if urlsplit(self._account.endpoint).hostname in ("127.0.0.1", "localhost", "::1"):
            return "`python -m tools.azurite` starts the emulator."
        return "Is the connection string right, and the network up?"
