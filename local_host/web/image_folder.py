from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["Images"]

# Not known to every Python and every system.
for _type, _ending in (("image/webp", ".webp"), ("image/avif", ".avif"), ("image/tiff", ".tif")):
    mimetypes.add_type(_type, _ending)


class Images(StaticFiles):
    """Serves the images in a folder and below it: no other files, no lists, no links out of it.

    So that a queue can be filled with URLs of images that are on this machine only.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answers one path; what is no image is 404."""
        kind = mimetypes.guess_type(path)[0] or ""
        if not kind.startswith("image/"):
            raise HTTPException(404)
        try:
            response = await super().get_response(path, scope)
        except ValueError:  # a null byte in the path
            raise HTTPException(404) from None
        # An image may be any file with the right name: browsers must not take it for a page.
        response.headers["x-content-type-options"] = "nosniff"
        response.headers["content-security-policy"] = "sandbox; default-src 'none'"
        return response
