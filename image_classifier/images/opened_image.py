"""Holds an image file whose header passed every check, until its pixels are decoded."""

from __future__ import annotations

from PIL import Image

__all__ = ["OpenedImage"]


class OpenedImage:
    """An image of known size whose pixels are not in memory yet.

    Args:
        header: the result of ``read_header``.

    Attributes:
        pixels: width times height.
    """

    def __init__(self, header: Image.Image) -> None:
        self.pixels = header.width * header.height
        self._header: Image.Image | None = header

    def take(self) -> Image.Image:
        """Hands the image over; this object keeps nothing of it.

        Decoding puts the pixels into the very same image. A caller that still holds this object
        must not keep them in memory longer than the computation needs them.

        Raises:
            ValueError: the image was taken before.
        """
        if self._header is None:
            raise ValueError("an opened image can be decoded only once")
        header, self._header = self._header, None
        return header
