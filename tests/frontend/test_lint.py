"""ESLint over the pages' scripts, the one inside index.html too."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
PROGRAM = FRONTEND / "node_modules" / "eslint" / "bin" / "eslint.js"


def eslint(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    if node is None or not PROGRAM.exists():
        pytest.skip("ESLint is not installed: run `npm ci` in the folder frontend")
    command = [node, str(PROGRAM), *arguments]
    return subprocess.run(
        command, cwd=FRONTEND, input=text, capture_output=True, text=True, timeout=60
    )


def test_the_linter_has_nothing_to_say() -> None:
    done = eslint(".")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["index.html", "scripts/live/page.js", "scripts/vendor.mjs"])
def test_the_linter_reads_the_scripts_in_pages_and_in_files(name: str) -> None:
    text = (FRONTEND / name).read_text("utf-8")
    faulty = "var wrong = nothingOfThisName == 1;\n"
    head = '<script type="module">\n'
    text = text.replace(head, head + faulty) if name.endswith(".html") else text + faulty
    done = eslint("--stdin", "--stdin-filename", name, text=text)

    assert done.returncode == 1
    for rule in ("no-var", "no-undef", "eqeqeq"):
        assert rule in done.stdout
