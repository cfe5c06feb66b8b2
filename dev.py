"""Sets up, runs and tests the app from a fresh clone, with nothing but Python.

    python3 dev.py setup   make .venv and install everything into it
    python3 dev.py start   run the app on this machine and open its page
    python3 dev.py live    the same, with a queue of images and a page that shows its results
    python3 dev.py test    run every test that this machine can run, and say which it cannot
    python3 dev.py test --quick
                           run those that need no TensorFlow, browser or other process: a minute
    python3 dev.py lint    check style and types

All but `setup` do what is missing of `setup` themselves; a second run starts in seconds.
`test` uses all cores; with arguments for pytest it hands these over and uses one, but for `-n 4`.
"""

from __future__ import annotations  # an older Python must get as far as the sentence in refusal()

import argparse
import contextlib
import json
import mimetypes
import os
import shutil
import signal
import subprocess
import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path

from local_host.configuration.local_settings import LocalSettings
from local_host.errors import HostError
from tools.bootstrap.environments import (
    EnvironmentSetupError,
    has_node,
    install_page_scripts,
    is_ready,
    make_venv,
    venv_python,
)
from tools.bootstrap.host_process import check_port, has_display, running_host
from tools.bootstrap.live_demo import SAMPLES_QUEUED, WORKERS, run_live
from tools.bootstrap.testing import install_for_tests, left_out, on_all_cores

ROOT = Path(__file__).resolve().parent
FRONTEND = ROOT / "frontend"
VENV = ROOT / ".venv"
# It has all of requirements.txt and of model_server/requirements.txt, in the same versions.
REQUIREMENTS = [ROOT / "requirements-dev.txt"]
WITHOUT_DEPENDENCIES = [ROOT / "requirements-dev-no-deps.txt"]
OLDEST, NEWEST = (3, 11), (3, 13)
DEFAULT_PORT = 7071


def refusal(version: tuple[int, int]) -> str | None:
    """The sentence for a Python that the app does not run on; None when it does."""
    if OLDEST <= version <= NEWEST:
        return None
    return (
        "This is Python {}.{}; the app needs Python 3.11, 3.12 or 3.13, because TensorFlow has no "
        "build for others: run it with one of these, for example `python3.13 dev.py start`."
    ).format(*version)


def running_version() -> str:
    """Returns the version of this interpreter, such as 3.12."""
    return "{}.{}".format(*sys.version_info[:2])


def is_set_up() -> bool:
    """Whether `setup` would have nothing to do in the virtual environment."""
    return is_ready(VENV, running_version(), REQUIREMENTS, (), WITHOUT_DEPENDENCIES)


def setup() -> bool:
    """Installs what is missing; returns whether anything was."""
    made = setup_python()
    return install_page_scripts(FRONTEND) or made


def setup_python() -> bool:
    """Installs the Python packages that are missing, and nothing of Node.js."""
    return make_venv(
        VENV, sys.executable, running_version(), REQUIREMENTS, (), WITHOUT_DEPENDENCIES
    )


def test(pytest_arguments: list[str]) -> int:
    """Runs all tests on all cores, or pytest with these arguments; returns its exit status."""
    missing = "".join(f"\n  - {line}" for line in left_out())
    print(f"Left out on this machine:{missing or ' nothing'}")
    setup()
    if not pytest_arguments:
        install_for_tests()
    status = run_pytest(pytest_arguments or on_all_cores())
    if missing:
        print(f"Left out on this machine:{missing}")
    return status


def test_quick(pytest_arguments: list[str]) -> int:
    """Runs the tests that need no TensorFlow, no browser and no process but their own."""
    setup_python()
    return run_pytest(["--quick", *(pytest_arguments or on_all_cores())])


def run_pytest(arguments: list[str]) -> int:
    """Runs pytest in the virtual environment; returns its exit status."""
    return subprocess.run([str(venv_python(VENV)), "-m", "pytest", *arguments], cwd=ROOT).returncode


def lint() -> int:
    """Checks style and types; returns the worst exit status."""
    setup()
    worst = 0
    for command in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy", "."]):
        print(f"$ {' '.join(command)}")
        done = subprocess.run([str(venv_python(VENV)), "-m", *command], cwd=ROOT)
        worst = max(worst, done.returncode)
    if has_node():
        print(f"$ eslint . (in {FRONTEND.name})")
        eslint = FRONTEND / "node_modules" / "eslint" / "bin" / "eslint.js"
        done = subprocess.run([str(shutil.which("node")), str(eslint), "."], cwd=FRONTEND)
        worst = max(worst, done.returncode)
    return worst


def start(port: int | None, browser: bool, workers: int | None) -> int:
    """Runs the app until Ctrl+C; returns its exit status."""
    settings = read_settings()
    port = port if port is not None else settings.port or DEFAULT_PORT
    check_port(port, "start")
    setup()
    arguments = ["--workers", str(workers)] if workers is not None else []
    app = running_host(venv_python(VENV), port, arguments)
    with contextlib.suppress(KeyboardInterrupt), app as host:
        print(welcome(port, {**settings.values, **os.environ}))
        if browser and has_display():
            webbrowser.open(f"http://localhost:{port}/")
        return host.wait()
    return 0


def live(port: int | None, browser: bool, workers: int, count: int) -> int:
    """Runs the app with a queue of images until Ctrl+C; returns its exit status."""
    settings = read_settings()
    port = port if port is not None else settings.port or DEFAULT_PORT
    check_port(port, "live")
    if not has_node():
        raise EnvironmentSetupError(
            "`live` needs Node.js 20 or newer with npm: the storage emulator, Azurite, runs on it. "
            "`python3 dev.py start` runs the rest of the app without."
        )
    setup()
    with contextlib.suppress(KeyboardInterrupt):
        return run_live(venv_python(VENV), port, browser=browser, workers=workers, count=count)
    return 0


def read_settings() -> LocalSettings:
    """Reads local.settings.json."""
    try:
        return LocalSettings.read(ROOT)
    except HostError as error:
        raise EnvironmentSetupError(str(error)) from error


def welcome(port: int, settings: Mapping[str, str]) -> str:
    """Formats the text that `start` prints when the app answers."""
    base = f"http://localhost:{port}"
    lines = [f"The page: {base}/"]
    if shutil.which("func"):
        lines.append("`func start` (Azure Functions Core Tools) runs the same folders, too.")
    lines.append("From a shell (the first answer may wait some seconds for the model to load):")
    if settings.get("API_KEYS"):
        lines.append("(API_KEYS is set: put one of them where it says KEY)")
    return "\n".join([*lines, f"  {curl_line(base, settings)}", ""])


def curl_line(base: str, settings: Mapping[str, str]) -> str:
    """A command that classifies a sample image: the same for sh, cmd and PowerShell."""
    samples = json.loads((FRONTEND / "samples" / "samples.json").read_text("utf-8"))
    image = samples[0]["file"]
    key = ' -H "x-functions-key: KEY"' if settings.get("API_KEYS") else ""
    if settings.get("FETCH_ALLOW_PRIVATE_ADDRESSES", "").lower() in ("true", "1"):
        return f'curl{key} "{base}/api/classify?img={base}/samples/{image}"'
    # The app may not fetch from this machine then, so the image itself is sent.
    file = FRONTEND / "samples" / image
    kind = mimetypes.guess_type(file.name)[0]
    body = f'-H "Content-Type: {kind}" --data-binary "@{file}"'
    return f'curl{key} {body} "{base}/api/classify"'


def main(arguments: list[str]) -> int:
    """Runs one command; returns the exit status."""
    sentence = refusal((sys.version_info[0], sys.version_info[1]))
    if sentence is not None:
        print(sentence, file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser(
        prog="dev.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    preparing = commands.add_parser("setup", help="only install")
    preparing.add_argument("--tests", action="store_true", help="also what only tests need")
    starting = commands.add_parser("start", help="run the app on this machine")
    starting.add_argument("--port", type=int, help=f"default: {DEFAULT_PORT}")
    starting.add_argument("--no-browser", action="store_true", help="do not open the page")
    starting.add_argument("--workers", type=int, help="processes that run the functions")
    showing = commands.add_parser("live", help="drain a queue of images, with results on a page")
    showing.add_argument("--port", type=int, help=f"default: {DEFAULT_PORT}")
    showing.add_argument("--no-browser", action="store_true", help="do not open the page")
    showing.add_argument("--workers", type=int, default=WORKERS, help=f"default: {WORKERS}")
    showing.add_argument(
        "--count",
        type=int,
        default=SAMPLES_QUEUED,
        help=f"sample images to queue (default: {SAMPLES_QUEUED})",
    )
    testing = commands.add_parser("test", help="run the tests; all further arguments are pytest's")
    testing.add_argument(
        "--quick",
        action="store_true",
        help="only tests that need no TensorFlow, browser, Node.js or other process: a minute",
    )
    commands.add_parser("lint", help="check style and types")
    options, others = parser.parse_known_args(arguments)
    if others and options.command != "test":
        parser.error(f"unknown: {' '.join(others)}")

    # One way out, whatever ends the program: Ctrl+C, a closed terminal, a supervisor.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    # Line by line also into a pipe, and never a crash over a letter that a console does not have.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="replace")  # type: ignore[union-attr]
    try:
        if options.command == "setup":
            setup()
            if options.tests:
                install_for_tests()
            print(f"All is installed in {VENV.name} (Python {running_version()}).")
            return 0
        if options.command == "start":
            return start(options.port, not options.no_browser, options.workers)
        if options.command == "live":
            return live(options.port, not options.no_browser, options.workers, options.count)
        if options.command == "test":
            return test_quick(others) if options.quick else test(others)
        return lint()
    except EnvironmentSetupError as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
