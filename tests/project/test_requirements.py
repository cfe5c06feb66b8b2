"""The locks against their sources: nothing is missing, nothing is loose, nothing is left over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.app_tree import ROOT
from tools.bootstrap.lock_file import LockedPackage, reachable, read_lock
from tools.lock import LOCKS, compile_command

PLATFORMS = [
    {"sys_platform": system, "platform_machine": machine, "os_name": name}
    for system, machine, name in [
        ("linux", "x86_64", "posix"),
        ("linux", "aarch64", "posix"),
        ("win32", "AMD64", "nt"),
        ("darwin", "arm64", "posix"),
        ("darwin", "x86_64", "posix"),
    ]
]
ENVIRONMENTS = [
    {**platform, "python_version": version, "python_full_version": f"{version}.4"}
    for platform in PLATFORMS
    for version in ("3.11", "3.12", "3.13")
]
# All that a file may hold: pins, hashes, notes. No index, no option, no address.
LINE = re.compile(
    r"[a-z0-9-]+==[\w.]+( ; [^\\;]+)? \\"
    r"|    --hash=sha256:[0-9a-f]{64}( \\)?"
    r"|    # via( \S.*)?|    #   \S.*"
)


def lines_of(source: str) -> list[str]:
    """The requirements of a source and of those that it includes, without remarks."""
    found = []
    for line in (ROOT / source).read_text("utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            found += lines_of(str(Path(source).parent / text[len("-r ") :]))
        elif text and not text.startswith("-c "):
            found.append(text)
    return found


def lock_of(source: str) -> list[LockedPackage]:
    return read_lock((ROOT / LOCKS[source]).read_text("utf-8"))


def applies(marker: Marker | None, environment: dict[str, str]) -> bool:
    return marker is None or marker.evaluate(environment)


def faults(requirements: list[str], locked: list[LockedPackage]) -> list[str]:
    """What a lock has not, or has too much, as sentences."""
    found = []
    wanted = [Requirement(line) for line in requirements]
    pins = [Requirement(each.requirement) for each in locked]
    for environment in ENVIRONMENTS:
        here = {each.name: each for each in pins if applies(each.marker, environment)}
        for requirement in wanted:
            if not applies(requirement.marker, environment):
                continue
            pin = here.get(canonicalize_name(requirement.name))
            version = next(iter(pin.specifier)).version if pin else ""
            if not requirement.specifier.contains(version or "0", prereleases=True) or not pin:
                found.append(f"{requirement}: the lock has {version or 'none'} on {environment}")
    roots = {canonicalize_name(each.name) for each in wanted}
    kept = reachable(locked, roots)
    found += [f"{each.name}: no source needs it" for each in locked if each not in kept]
    found += [f"{each.name}: no hash" for each in locked if not each.hashes]
    found += [
        f"{each.name}: a source names it"
        for each in locked
        if each.is_named != (each.name in roots)
    ]
    return found


@pytest.mark.parametrize("source", LOCKS)
def test_a_lock_has_what_its_source_asks_for_and_nothing_else(source: str) -> None:
    assert faults(lines_of(source), lock_of(source)) == [], "run python -m tools.lock"


def test_a_lock_that_does_not_fit_its_source_is_found() -> None:
    lines, locked = lines_of("requirements.in"), lock_of("requirements.in")

    assert faults([*lines, "six-is-not-there"], locked)
    assert faults([*lines, "idna<1"], locked)
    assert faults([line for line in lines if line != "pybase64"], locked)
    assert faults(lines, [each for each in locked if each.name != "azure-functions"])
    one_python = [each for each in locked if ">= '3.13'" not in each.requirement]
    assert any("azure-functions" in fault for fault in faults(lines, one_python))
    idna = next(each for each in locked if each.name == "idna")
    loose = LockedPackage(idna.name, idna.requirement, (), idna.wanted_by)
    assert faults(lines, [loose if each is idna else each for each in locked]) == ["idna: no hash"]


@pytest.mark.parametrize("source", LOCKS)
def test_a_lock_holds_no_address_and_says_how_it_is_compiled(source: str) -> None:
    head, *others = (ROOT / LOCKS[source]).read_text("utf-8").splitlines()[1:]

    # Dependabot compiles it by this line.
    assert head == f"#    uv {' '.join(w for w in compile_command(source)[3:] if w != '--quiet')}"
    assert [line for line in others if not LINE.fullmatch(line)] == []


def test_only_an_upgrade_changes_a_version_that_fits() -> None:
    kept = compile_command("requirements.in")

    assert not any("upgrade" in word for word in kept)
    assert compile_command("requirements.in", []) == [*kept, "--upgrade"]
    names = ["--upgrade-package=pillow", "--upgrade-package=idna"]
    assert compile_command("requirements.in", ["pillow", "idna"]) == [*kept, *names]


@pytest.mark.parametrize("source", LOCKS)
def test_every_line_of_a_source_says_why_it_is_there(source: str) -> None:
    remark = ""
    for line in (ROOT / source).read_text("utf-8").splitlines():
        text, _, reason = line.partition("#")
        assert text.startswith("-") or not text.strip() or reason.strip() or remark, line
        # A line of remarks holds for the lines below it.
        remark = reason if not text.strip() else remark


def test_packages_that_two_locks_have_are_the_same_in_both() -> None:
    """pip installs requirements.txt and model_server/requirements.txt in one call."""
    development = {each.requirement.partition(" ;")[0] for each in lock_of("requirements-dev.in")}
    for source in ("requirements.in", "model_server/requirements.in"):
        pins = {each.requirement.partition(" ;")[0] for each in lock_of(source)}

        assert pins <= development
    app = {each.name: each for each in lock_of("requirements.in")}
    for each in lock_of("model_server/requirements.in"):
        if each.name in app:
            assert (
                each.requirement.partition(" ;")[0] == app[each.name].requirement.partition(" ;")[0]
            )
            assert set(each.hashes) & set(app[each.name].hashes)


def test_the_two_packages_without_dependencies_have_hashes_too() -> None:
    locked = read_lock((ROOT / "requirements-dev-no-deps.txt").read_text("utf-8"))

    assert len(locked) == 2
    assert all(re.search("==", each.requirement) and each.hashes for each in locked)
