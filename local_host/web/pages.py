from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["Pages"]

# Windows takes these from its registry, where other programs may have put anything.
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
    """Serves ``frontend/`` at ``/``, and a line of text at ``/`` when there is no page."""

    def __init__(self, root: Path) -> None:
        super().__init__(directory=root / "frontend", html=True, check_dir=False)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answers one path; what is not there is 404, whatever the method."""
        try:
            response = await super().get_response(path, scope)
        except (HTTPException, ValueError):  # ValueError: a null byte in the path
            if path == "." and scope["method"] in ("GET", "HEAD"):
                return HTMLResponse(HOME)
            raise HTTPException(404) from None
        # Pages change while one works on them, so browsers ask each time and get 304 mostly.
        # Only pinned copies of libraries may be kept.
        is_pinned = path.replace("\\", "/").startswith("vendor/")
        response.headers["cache-control"] = "max-age=3600" if is_pinned else "no-cache"
        return response

    async def check_config(self) -> None:
        """Overrides a check that fails for an app without ``frontend/``."""
