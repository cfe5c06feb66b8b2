"""Serves the app's pages."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["Pages"]

# Windows reads these types from its registry, where other programs may have changed them.
for _type, _ending in (
    ("text/javascript", ".js"),
    ("text/javascript", ".mjs"),
    ("text/css", ".css"),
    ("image/webp", ".webp"),
):
    mimetypes.add_type(_type, _ending)

HOME = (
    "<!doctype html><html lang=en><title>Local host</title>"
    "<p>The function app is up and running. There is no <code>frontend/index.html</code> to show."
)


class Pages(StaticFiles):
    """Serves ``frontend/`` at ``/``, or a line of text at ``/`` without a page."""

    def __init__(self, root: Path) -> None:
        super().__init__(directory=root / "frontend", html=True, check_dir=False)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answers one path; a missing file gets 404 for any method."""
        try:
            response = await super().get_response(path, scope)
        except (HTTPException, ValueError):  # ValueError: a null byte in the path
            if path == "." and scope["method"] in ("GET", "HEAD"):
                return HTMLResponse(HOME)
            raise HTTPException(404) from None
        # Pages change during development, so browsers revalidate each time and mostly get 304.
        # Only pinned copies of libraries may be cached.
        is_pinned = path.replace("\\", "/").startswith("vendor/")
        response.headers["cache-control"] = "max-age=3600" if is_pinned else "no-cache"
        return response

    async def check_config(self) -> None:
        """Overrides a check that fails for an app without ``frontend/``."""
