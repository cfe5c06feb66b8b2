"""Holds the address and the key of one endpoint, and decides whether it still answers."""

from __future__ import annotations

import threading
from urllib.parse import parse_qsl

from tools.compare.addresses import Address
from tools.compare.answer_log import Answer
from tools.shared.errors import ToolError

__all__ = ["Endpoint"]

UNANSWERED_IN_A_ROW = 5
# Shorter values of a query, such as 1 or true, occur in many texts and are no secrets.
SHORTEST_SECRET = 6


class Endpoint:
    """An endpoint to which images are sent. Safe to share among threads.

    Args:
        name: A or B.
        address: of the endpoint.
        key: sent as Prediction-Key, to this address only; empty sends none.
    """

    def __init__(self, name: str, address: Address, key: str = "") -> None:
        self.name, self.address, self.key = name, address, key
        self._lock = threading.Lock()
        self._sent = 0
        self._has_answered = False
        self._unanswered = 0

    @property
    def sent(self) -> int:
        """The number of requests so far, repeats included."""
        return self._sent

    @property
    def has_answered(self) -> bool:
        """Whether it has answered or refused an image so far."""
        return self._has_answered

    def count_request(self) -> None:
        """Counts one more request."""
        with self._lock:
            self._sent += 1

    def take_note(self, answer: Answer, *, absent: bool) -> None:
        """Records the answer to an image after all attempts.

        Args:
            answer: the last one.
            absent: whether no server answered, or it was too busy to examine the image.

        Raises:
            ToolError: the endpoint answers no image, and hardly will.
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
        """Removes the secrets from a message of the server, which may repeat the request."""
        query = self.address.query
        secrets = [query, *(value for _, value in parse_qsl(query))]
        secrets = [self.key, *(each for each in secrets if len(each) >= SHORTEST_SECRET)]
        for secret in filter(None, secrets):
            words = words.replace(secret, "…")
        return words
