"""Formats the errors of functions without the frames of the host."""

from __future__ import annotations

import traceback
from pathlib import Path

__all__ = ["failure_text"]

HOST_PACKAGE = str(Path(__file__).resolve().parents[1])


def failure_text(error: BaseException) -> str:
    """Returns ``Exception: …`` and ``Stack: …``, from the first frame outside the host."""
    text = f"Exception: {type(error).__name__}: {error}"
    frames = error.__traceback__
    while frames is not None:
        file = frames.tb_frame.f_code.co_filename
        if (
            not file.startswith((HOST_PACKAGE, "<frozen importlib"))
            and "importlib" not in Path(file).parts
        ):
            break
        frames = frames.tb_next
    if frames is None and error.__cause__ is None and not isinstance(error, SyntaxError):
        return text
    stack = traceback.format_exception(type(error), error, frames)
    return f"{text}\nStack: {''.join(stack).rstrip()}"
