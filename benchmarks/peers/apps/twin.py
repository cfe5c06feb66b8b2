"""Serves the tutorial's way of classifying with Starlette."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.baselines.tutorial import TutorialTwin
from benchmarks.peers.apps.work import MODEL

twin = TutorialTwin(Path(os.environ[MODEL]))


async def classify(request: Request) -> Response:
    """Answers one request in a thread."""
    return JSONResponse(await asyncio.to_thread(twin.predict, await request.body()))


async def health(request: Request) -> Response:
    """Says that the model is loaded."""
    return Response("ok")


app = Starlette(
    routes=[Route("/classify", classify, methods=["POST"]), Route("/health", health)],
)
