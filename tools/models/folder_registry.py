"""Implements a registry in a folder, which the app reads as ``MODELS_DIR``."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from image_classifier.engines.registry import weights_files
from image_classifier.errors import ModelError
from image_classifier.model_files.names import MODEL_NAME, MOST_VERSION_DIGITS
from image_classifier.model_files.registry_json import (
    MANIFEST_FILE,
    TAGS_FILE,
    FileRecord,
    Manifest,
    parse_manifest,
    record_folder,
    sha256_of,
)
from tools.models.registry import StoredFile, Version, parse_tags, tags_as_json
from tools.shared.errors import ToolError
from tools.shared.version_folder import DELETED, read_notes, remove_leftovers, write_version
from tools.shared.version_numbers import NOTES_FILE, as_notes, noted

__all__ = ["FolderRegistry", "now", "parse_time"]

_VERSION = re.compile(rf"[0-9]{{1,{MOST_VERSION_DIGITS}}}")


class FolderRegistry:
    """Versions as folders ``<name>/<version>/``.

    Args:
        root: the folder with all models, which may not exist yet.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.where = str(root)

    def names(self) -> list[str]:
        """See ``Registry.names``."""
        try:
            names = sorted(path.name for path in self.root.iterdir() if path.is_dir())
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise ToolError(f"{self.root} cannot be read: {exc.strerror}.") from exc
        return [name for name in names if MODEL_NAME.fullmatch(name) and self._folders(name)]

    def versions(self, name: str) -> list[Version]:
        """See ``Registry.versions``."""
        return [self._version(name, number, path) for number, path in self._folders(name).items()]

    def model_tags(self, name: str) -> dict[str, str]:
        """See ``Registry.model_tags``."""
        return parse_tags(_read(self.root / name / TAGS_FILE))

    def register(
        self, folder: Path, *, name: str, version: int | None, tags: Mapping[str, str]
    ) -> Version:
        """See ``Registry.register``."""

        def write(target: Path) -> None:
            shutil.copytree(folder, target, dirs_exist_ok=True)
            _write_manifest(target, Manifest(now(), record_folder(target)))
            if tags:
                (target / TAGS_FILE).write_text(tags_as_json(tags), "utf-8")

        try:
            path = write_version(write, name=name, models_dir=self.root, version=version)
        except OSError as exc:
            raise ToolError(str(exc)) from exc
        return self._version(name, int(path.name), path)

    def set_tags(self, name: str, version: int | None, tags: Mapping[str, str]) -> None:
        """See ``Registry.set_tags``."""
        folder = self.root / name if version is None else self._folders(name)[version]
        if tags:
            _replace(folder / TAGS_FILE, tags_as_json(tags))
        else:
            (folder / TAGS_FILE).unlink(missing_ok=True)

    def delete(self, version: Version) -> None:
        """See ``Registry.delete``."""
        folder = self._folders(version.name)[version.number]
        self._note(version)
        aside: Path | None = None
        try:
            remove_leftovers(folder.parent)
            # In one step: a server never sees half of it.
            aside = Path(tempfile.mkdtemp(prefix=DELETED, dir=folder.parent))
            folder.rename(aside / folder.name)
        except OSError as exc:
            raise ToolError(f"{folder} cannot be removed: {exc.strerror}.") from exc
        finally:
            if aside is not None:
                shutil.rmtree(aside, ignore_errors=True)
            with contextlib.suppress(OSError):  # not empty: there are other versions, or tags
                folder.parent.rmdir()

    def read(self, version: Version, path: str) -> bytes | None:
        """See ``Registry.read``."""
        return _read(self._folders(version.name)[version.number] / path)

    def with_checksums(self, version: Version) -> Version:
        """See ``Registry.with_checksums``."""
        folder = self._folders(version.name)[version.number]
        files = [replace(file, sha256=sha256_of(folder / file.path)) for file in version.files]
        changed = [
            now.path
            for now, then in zip(files, version.files, strict=True)
            if then.sha256 not in (None, now.sha256)
        ]
        problem = version.problem
        if changed and not problem:
            problem = f"not as registered any more: {', '.join(changed)}"
        return replace(version, files=tuple(files), problem=problem)

    @contextlib.contextmanager
    def working_copy(self, version: Version) -> Iterator[Path]:
        """See ``Registry.working_copy``."""
        folder = self._folders(version.name)[version.number]
        was_registered = (folder / MANIFEST_FILE).is_file()
        yield folder
        if was_registered:
            created = version.created.isoformat(timespec="seconds")
            _write_manifest(folder, Manifest(created, record_folder(folder)))

    def _note(self, version: Version) -> None:
        """Records a number before the version is deleted, so that no other version gets it."""
        with _one_at_a_time(self.root):
            before = read_notes(self.root)
            after = noted(before, version.name, version.number)
            if after != before:
                _replace(self.root / NOTES_FILE, as_notes(after))

    def _folders(self, name: str) -> dict[int, Path]:
        if not MODEL_NAME.fullmatch(name):  # such as .., which is outside
            return {}
        try:
            folders = [path for path in (self.root / name).iterdir() if path.is_dir()]
        except OSError:
            return {}
        numbered = {int(path.name): path for path in folders if _VERSION.fullmatch(path.name)}
        return dict(sorted(numbered.items(), reverse=True))

    def _version(self, name: str, number: int, folder: Path) -> Version:
        recorded: dict[str, FileRecord] = {}
        created, problem = None, None
        text = _read(folder / MANIFEST_FILE)
        if text is not None:
            try:
                manifest = parse_manifest(text, where=str(folder / MANIFEST_FILE))
                recorded = {file.path: file for file in manifest.files}
                created = parse_time(manifest.created)
            except ModelError as exc:
                problem = exc.message
        files, newest = [], 0.0
        for path, inside in _files(folder):
            stat = path.stat()
            newest = max(newest, stat.st_mtime)
            record = recorded.get(inside)
            sha256 = record.sha256 if record and record.bytes == stat.st_size else None
            files.append(StoredFile(inside, stat.st_size, sha256))
        if not {file.path for file in files} & set(weights_files()):
            problem = f"it has no {' or '.join(weights_files())}"
        return Version(
            name,
            number,
            tuple(files),
            created or datetime.fromtimestamp(newest or folder.stat().st_mtime, UTC),
            parse_tags(_read(folder / TAGS_FILE)),
            problem,
        )


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Locks a folder against other processes; the lock ends with this process."""
    if sys.platform == "win32":  # folders cannot be locked there
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network drives have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def now() -> str:
    """Returns the current time in the format of a manifest."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    _replace(folder / MANIFEST_FILE, manifest.as_json())


def parse_time(text: str) -> datetime | None:
    """Reads the time in a manifest; None if it is not a time."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).as_posix()
        if path.is_file() and inside not in (MANIFEST_FILE, TAGS_FILE):
            yield path, inside


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _replace(path: Path, text: str) -> None:
    """Replaces a file in one step: readers see the old one or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, "utf-8", newline="\n")
        beside.replace(path)
    except OSError as exc:
        raise ToolError(f"{path} cannot be written: {exc.strerror}.") from exc
    finally:
        beside.unlink(missing_ok=True)
