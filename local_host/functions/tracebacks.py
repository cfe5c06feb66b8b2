from __future__ import annotations

import traceback
from pathlib import Path

__all__ = ["failure_text"]

HERE = str(Path(__file__).resolve().parents[1])  # the host's package


def failure_text(error: BaseException) -> str:
    """``Exception: …`` and ``Stack: …``, from the first frame that is not the host's on."""
    text = f"Exception: {type(error).__name__}: {error}"
    frames = error.__traceback__
    while frames is not None:
        file = frames.tb_frame.f_code.co_filename
        if not file.startswith((HERE, "<frozen importlib")) and "importlib" not in Path(file).parts:
            break
        frames = frames.tb_next
    if frames is None and error.__cause__ is None and not isinstance(error, SyntaxError):
        return text
    stack = traceback.format_exception(type(error), error, frames)
    return f"{text}\nStack: {''.join(stack).rstrip()}"
