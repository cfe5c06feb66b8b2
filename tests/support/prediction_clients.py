"""The new client in both its forms, called the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from image_classifier_client import AsyncPredictionClient, PredictionClient

__all__ = ["KINDS", "Asker"]

KINDS = ["sync", "async"]


class Asker:
    """A client whose methods are called, whether they have to be awaited or not.

    Each awaited call has an event loop of its own, as in a program that uses ``asyncio.run`` often.
    """

    def __init__(self, kind: str, *arguments: Any, **more: Any) -> None:
        self._is_async = kind == "async"
        made: Any = AsyncPredictionClient if self._is_async else PredictionClient
        self.client = made(*arguments, **more)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)
        if not self._is_async:
            return method  # type: ignore[no-any-return]

        def call(*arguments: Any, **more: Any) -> Any:
            async def awaited() -> Any:
                return await method(*arguments, **more)

            return asyncio.run(awaited())

        return call
