"""Serves the images of a folder, so that a queue can be filled with their URLs."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["Images"]

# Some versions of Python and some systems lack these.
for _type, _ending in (("image/webp", ".webp"), ("image/avif", ".avif"), ("image/tiff", ".tif")):
    mimetypes.add_type(_type, _ending)


class Images(StaticFiles):
    """Serves the images in a folder and its subfolders: no other files, lists or outside links."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answers one path; other files than images get 404."""
        kind = mimetypes.guess_type(path)[0] or ""
        if not kind.startswith("image/"):
            raise HTTPException(404)
        try:
            response = await super().get_response(path, scope)
        except ValueError:  # a null byte in the path
            raise HTTPException(404) from None
        # Any file may have an image's name: browsers must not interpret it as a page.
        response.headers["x-content-type-options"] = "nosniff"
        response.headers["content-security-policy"] = "sandbox; default-src 'none'"
        return response
