"""From a clone to a running app, with nothing but Python:

    python3 dev.py setup   make .venv and install everything into it
    python3 dev.py start   run the app on this machine and open its page
    python3 dev.py test    run every test that this machine can run, and say which it cannot
    python3 dev.py lint    check style and types

`start`, `test` and `lint` do what is missing of `setup` themselves; a second run starts in seconds.
"""

from __future__ import annotations  # an older Python must get as far as the sentence in refusal()

import argparse
import errno
import json
import mimetypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from collections.abc import Mapping
from pathlib import Path

from local_host.errors import HostError
from local_host.settings_file import LocalSettings
from tools.environments import (
    Failed,
    find_python,
    install_page_scripts,
    is_ready,
    make_venv,
    venv_python,
)

ROOT = Path(__file__).resolve().parent
FRONTEND = ROOT / "frontend"
SHARED = ROOT.parent / "shared"
VENV = ROOT / ".venv"
REQUIREMENTS = [ROOT / "requirements-dev.txt", ROOT / "requirements.txt"]
OLDEST, NEWEST = (3, 11), (3, 13)
DEFAULT_PORT = 7071
START_SECONDS = 60
STOP_SECONDS = 10

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

# Microsoft's runtime wants 3.13, and its wheel brings a package `tests` that would hide ours.
CONFORMANCE_VERSION = "3.13"
CONFORMANCE_VENV = ROOT / ".venv-conformance"
CONFORMANCE_PACKAGES = ["azure-functions-runtime-v1==1.2.0", "protobuf"]


def refusal(version: tuple[int, int]) -> str | None:
    """The sentence for a Python that the app does not run on; None when it does."""
    if OLDEST <= version <= NEWEST:
        return None
    return (
        "This is Python {}.{}; the app needs Python 3.11, 3.12 or 3.13, because TensorFlow has no "
        "build for others: run it with one of these, for example `python3.13 dev.py start`."
    ).format(*version)


def running_version() -> str:
    return "{}.{}".format(*sys.version_info[:2])


def is_set_up() -> bool:
    return is_ready(VENV, running_version(), REQUIREMENTS)


def setup() -> bool:
    """Installs what is missing; returns whether anything was."""
    made = make_venv(VENV, sys.executable, running_version(), REQUIREMENTS)
    return install_page_scripts(FRONTEND) or made


def conformance_python() -> Path | None:
    """An interpreter that has Microsoft's runtime, installed if need be; None without a 3.13."""
    python = os.environ.get("CONFORMANCE_PYTHON") or find_python(CONFORMANCE_VERSION)
    if python is None:
        return None
    files = [ROOT / "requirements.txt"]
    make_venv(CONFORMANCE_VENV, python, CONFORMANCE_VERSION, files, CONFORMANCE_PACKAGES)
    return venv_python(CONFORMANCE_VENV)


def left_out() -> list[str]:
    """What `test` cannot run on this machine, each with its reason."""
    lines = []
    if not any(map(shutil.which, CHROMIUM_NAMES)):
        lines.append("the page in a real browser: no Chromium (Debian: apt-get install chromium)")
    if shutil.which("npm") is None or shutil.which("node") is None:
        lines.append("the page with its own copy of the scripts: no Node.js with npm")
    if not SHARED.is_dir():
        lines.append("real Custom Vision exports, and Microsoft's runtime: no ../shared folder")
    elif not (os.environ.get("CONFORMANCE_PYTHON") or find_python(CONFORMANCE_VERSION)):
        lines.append(f"the app in Microsoft's own runtime: no Python {CONFORMANCE_VERSION}")
    return lines


def test(pytest_arguments: list[str]) -> int:
    missing = "".join(f"\n  - {line}" for line in left_out())
    print(f"Left out on this machine:{missing or ' nothing'}")
    setup()
    if SHARED.is_dir() and not pytest_arguments:
        conformance_python()  # here its progress can be seen; inside a test it could not
    done = subprocess.run([str(venv_python(VENV)), "-m", "pytest", *pytest_arguments], cwd=ROOT)
    if missing:
        print(f"Left out on this machine:{missing}")
    return done.returncode


def lint() -> int:
    setup()
    worst = 0
    for command in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy", "."]):
        print(f"$ {' '.join(command)}")
        done = subprocess.run([str(venv_python(VENV)), "-m", *command], cwd=ROOT)
        worst = max(worst, done.returncode)
    return worst


def start(port: int | None, browser: bool, workers: int | None) -> int:
    try:
        settings = LocalSettings.read(ROOT)
    except HostError as error:
        raise Failed(str(error)) from error
    port = port if port is not None else settings.port or DEFAULT_PORT
    check_port(port)
    setup()
    command = [str(venv_python(VENV)), "-m", "local_host", "--port", str(port)]
    command += ["--workers", str(workers)] if workers is not None else []
    # In a session of its own it does not see Ctrl+C; this process does, and ends it in good order.
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as host:
        try:
            wait_until_ready(host, port)
            print(welcome(port, {**settings.values, **os.environ}))
            if browser and has_display():
                webbrowser.open(f"http://localhost:{port}/")
            return host.wait()
        except KeyboardInterrupt:
            print("\nStopping …")
            return 0
        finally:
            stop(host)


def check_port(port: int) -> None:
    if not 0 < port < 65536:
        raise Failed(f"--port {port}: a port is a number from 1 to 65535.")
    if not is_free(port):
        free = next((p for p in range(port + 1, 65536) if is_free(p)), DEFAULT_PORT)
        raise Failed(
            f"Port {port} is in use by another program: end that one, or start on the next free "
            f"port with `python3 dev.py start --port {free}`."
        )


def is_free(port: int) -> bool:
    # Both families: for localhost, curl asks ::1 first, and must not meet another server there.
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            # On some systems this address can be bound although a server has the port on all.
            with socket.socket(family) as probe:
                probe.settimeout(0.2)
                if probe.connect_ex((host, port)) == 0:
                    return False
            with socket.socket(family) as probe:
                if os.name != "nt":  # where it means something else: two servers on one port
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as exc:
            if exc.errno == errno.EACCES:
                sentence = f"Port {port} needs administrator's rights: take one above 1023."
                raise Failed(sentence) from exc
            if exc.errno == errno.EADDRINUSE:
                return False
    return True


def wait_until_ready(host: subprocess.Popen[bytes], port: int) -> None:
    # A proxy that the environment names is not asked for this machine's own address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    give_up = time.monotonic() + START_SECONDS
    while host.poll() is None and time.monotonic() < give_up:
        try:
            with opener.open(f"http://127.0.0.1:{port}/admin/host/status", timeout=5):
                # The host lists its functions in this very moment; that comes first.
                time.sleep(0.3)
                return
        except OSError:
            time.sleep(0.1)
    if host.returncode is None:
        raise Failed(f"The app did not answer within {START_SECONDS} s; its own words are above.")
    raise Failed(f"The app did not start (exit {host.returncode}); its own words are above.")


def stop(host: subprocess.Popen[bytes]) -> None:
    if host.poll() is None:
        host.terminate()
    try:
        host.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        host.kill()


def has_display() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def welcome(port: int, settings: Mapping[str, str]) -> str:
    base = f"http://localhost:{port}"
    lines = [f"The page: {base}/"]
    if shutil.which("func"):
        lines.append("`func start` (Azure Functions Core Tools) runs the same folders, too.")
    lines.append("From a shell (the first answer may wait some seconds for the model to load):")
    if settings.get("API_KEYS"):
        lines.append("(API_KEYS is set: put one of them where it says KEY)")
    return "\n".join([*lines, f"  {curl_line(base, settings)}", ""])


def curl_line(base: str, settings: Mapping[str, str]) -> str:
    """A command that classifies a sample picture: the same for sh, cmd and PowerShell."""
    samples = json.loads((FRONTEND / "samples" / "samples.json").read_text("utf-8"))
    picture = samples[0]["file"]
    key = ' -H "x-functions-key: KEY"' if settings.get("API_KEYS") else ""
    if settings.get("FETCH_ALLOW_PRIVATE_ADDRESSES", "").lower() in ("true", "1"):
        return f'curl{key} "{base}/api/classify?img={base}/samples/{picture}"'
    # The app may not fetch from this machine then, so the picture itself is sent.
    file = FRONTEND / "samples" / picture
    kind = mimetypes.guess_type(file.name)[0]
    body = f'-H "Content-Type: {kind}" --data-binary "@{file}"'
    return f'curl{key} {body} "{base}/api/classify"'


def main(arguments: list[str]) -> int:
    sentence = refusal((sys.version_info[0], sys.version_info[1]))
    if sentence is not None:
        print(sentence, file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser(
        prog="dev.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("setup", help="only install")
    starting = commands.add_parser("start", help="run the app on this machine")
    starting.add_argument("--port", type=int, help=f"default: {DEFAULT_PORT}")
    starting.add_argument("--no-browser", action="store_true", help="do not open the page")
    starting.add_argument("--workers", type=int, help="processes that run the functions")
    commands.add_parser("test", help="run the tests; all further arguments are pytest's")
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
            print(f"All is installed in {VENV.name} (Python {running_version()}).")
            return 0
        if options.command == "start":
            return start(options.port, not options.no_browser, options.workers)
        return test(others) if options.command == "test" else lint()
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
