"""One endpoint: its address, its key, and whether there is any use in asking it further."""

from __future__ import annotations

import threading
from urllib.parse import parse_qsl

from tools.compare.addresses import Address
from tools.compare.answer_log import Answer
from tools.shared.errors import ToolError

__all__ = ["Endpoint"]

UNANSWERED_IN_A_ROW = 5
# Shorter values of a query, such as 1 or true, are in many words and are no secrets.
SHORTEST_SECRET = 6


class Endpoint:
    """Where images are sent. Safe to share among threads.

    Args:
        name: A or B.
        address: where it is.
        key: sent as Prediction-Key, to this address only; empty: none is sent.
    """

    def __init__(self, name: str, address: Address, key: str = "") -> None:
        self.name, self.address, self.key = name, address, key
        self._lock = threading.Lock()
        self._sent = 0
        self._has_answered = False
        self._unanswered = 0

    @property
    def sent(self) -> int:
        """How many requests went there so far, repeats included."""
        return self._sent

    @property
    def has_answered(self) -> bool:
        """Whether it has answered or refused any image so far."""
        return self._has_answered

    def count_request(self) -> None:
        with self._lock:
            self._sent += 1

    def take_note(self, answer: Answer, *, absent: bool) -> None:
        """Takes note of how an image ended, after all tries.

        Args:
            answer: what there is of it.
            absent: whether nobody was there, or was too busy to look at it.

        Raises:
            ToolError: no image is answered, and that will hardly change.
        """
        with self._lock:
            if answer.is_final:
                self._has_answered, self._unanswered = True, 0
                return
            self._unanswered += 1
            if absent and not self._has_answered:
                raise ToolError(f"{self.name} {answer.error} ({self.address.shown})")
            if self._unanswered >= UNANSWERED_IN_A_ROW:
                raise ToolError(
                    f"{self.name} gave no answer to {self._unanswered} images in a row. To the "
                    f"last one it {answer.error}"
                )

    def without_secrets(self, words: str) -> str:
        """Words of a server, which may repeat what it was sent."""
        query = self.address.query
        secrets = [query, *(value for _, value in parse_qsl(query))]
        secrets = [self.key, *(each for each in secrets if len(each) >= SHORTEST_SECRET)]
        for secret in filter(None, secrets):
            words = words.replace(secret, "…")
        return words
