"""Serves the model with Starlette and a pool of threads: the reference, without further checks.

python -m uvicorn benchmarks.peers.apps.reference:app
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.peers.apps.work import Work

POOL = "PEER_POOL"

work = Work.from_environ()
pool = ThreadPoolExecutor(int(os.environ[POOL]))


async def classify(request: Request) -> Response:
    """Answers one request in the pool of threads."""
    data = await request.body()
    loop = asyncio.get_running_loop()
    content = await loop.run_in_executor(pool, work.answer_json, data)
    return Response(content, media_type="application/json")


async def health(request: Request) -> Response:
    """Says that the model is loaded."""
    return Response("ok")


app = Starlette(
    routes=[Route("/classify", classify, methods=["POST"]), Route("/health", health)],
)
