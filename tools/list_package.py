"""Prints what `func azure functionapp publish` would pack, file by file, and how big it is.

    python -m tools.list_package [ROOT]

Azure Functions Core Tools reads `.funcignore` with a parser of its own that is not Git's: a line
is anchored at the root and ends at a word boundary, `*` stays inside one folder, `**` crosses
them, and a `!` line wins wherever it stands. This follows those rules: the list is the true one.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FuncIgnore", "list_package"]

ROOT = Path(__file__).resolve().parents[1]

# Core Tools leaves these out at any depth, whatever .funcignore says.
NEVER_FOLDERS = {".git", ".vscode"}
NEVER_FILES = {".funcignore", ".gitignore", "local.settings.json", "project.lock.json"}

NOTHING = re.compile(r"(?!)")


class FuncIgnore:
    """The rules of one `.funcignore` file.

    Args:
        text: the file's content.
    """

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        self._kept = _compile([line[1:] for line in lines if line.startswith("!")])
        self._left_out = _compile([line for line in lines if not line.startswith("!")])

    def leaves_out(self, path: str) -> bool:
        """Whether the file at this path (from the root, with forward slashes) is not packed."""
        return bool(self._left_out.match(path)) and not self._kept.match(path)

    def leaves_out_folder(self, path: str) -> bool:
        """Whether nothing at all in the folder at this path is packed."""
        # A rule that matches the folder's own path matches every path that starts with it; only a
        # `!` line could bring one back.
        return self._kept is NOTHING and self.leaves_out(path)


def _compile(patterns: list[str]) -> re.Pattern[str]:
    if not patterns:
        return NOTHING
    alternatives = (_expression(pattern.removeprefix("/")) for pattern in patterns)
    return re.compile(rf"(?:{'|'.join(alternatives)})\b", re.ASCII)


def _expression(pattern: str) -> str:
    parts = re.split(r"(\*\*|\*)", pattern)
    stars = {"**": ".+", "*": "[^/]+"}
    return "".join(stars.get(part) or re.escape(part) for part in parts)


def list_package(root: Path) -> list[Path]:
    """The files that would be packed, as paths from the root, sorted."""
    rules_file = root / ".funcignore"
    rules = FuncIgnore(rules_file.read_text("utf-8-sig") if rules_file.is_file() else "")
    return sorted(_files(root, root, rules))


def _files(folder: Path, root: Path, rules: FuncIgnore) -> Iterator[Path]:
    for path in folder.iterdir():
        relative = path.relative_to(root)
        if path.is_dir():
            # Not going down into .venv saves a second and thirty thousand files.
            if path.name.lower() not in NEVER_FOLDERS and not rules.leaves_out_folder(
                relative.as_posix()
            ):
                yield from _files(path, root, rules)
        elif path.name.lower() not in NEVER_FILES and not rules.leaves_out(relative.as_posix()):
            yield relative


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.list_package",
        description="Lists the files that would be published to Azure, with their sizes.",
    )
    parser.add_argument("root", nargs="?", type=Path, default=ROOT, help="the app's root folder")
    root: Path = parser.parse_args(arguments).root
    if not (root / "host.json").is_file():
        print(f"{root} is not a function app: it has no host.json.", file=sys.stderr)
        return 1
    files = list_package(root)
    sizes = [(root / path).stat().st_size for path in files]
    for path, size in zip(files, sizes, strict=True):
        print(f"{size:>12,}  {path.as_posix()}")
    print(f"{sum(sizes):>12,}  bytes in {len(files)} files; Azure installs requirements.txt itself")
    return 0


if __name__ == "__main__":
    sys.exit(main())
