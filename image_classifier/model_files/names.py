"""Defines the names that models and versions may have, in any store."""

from __future__ import annotations

import re

__all__ = ["MODEL_NAME", "MOST_VERSION_DIGITS", "VERSION"]

# A name cannot lead out of MODELS_DIR, and fits in a response header.
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
MOST_VERSION_DIGITS = 18
VERSION = re.compile(rf"[0-9]{{1,{MOST_VERSION_DIGITS}}}")
