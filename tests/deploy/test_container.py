"""deploy/container: linted, its files compared with what Azure gets, its commands run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
import yaml
from compose_spec import PyCompose

from tests.deploy.dockerfiles import ROOT, Image, context_files, read_image
from tests.support.azurite import wait_until
from tests.support.model_servers import Client
from tests.support.servers import LocalHost, ServerProcess, clean_environment, free_port
from tools.bootstrap.azurite_emulator import ACCOUNT, PROGRAMS, install, is_azurite
from tools.bootstrap.azurite_emulator import KEY as ACCOUNT_KEY
from tools.bootstrap.environments import has_node
from tools.list_package import list_package
from tools.package import requirements_for

FOLDER = ROOT / "deploy" / "container"
FUNCTIONS = FOLDER / "functions.Dockerfile"
SERVER = FOLDER / "model_server.Dockerfile"
HEALTH = FOLDER / "healthcheck.py"
KEY = "a-key-of-the-test"
EXPOSED = ("8500", "8501")


def compose_text() -> str:
    return (FOLDER / "compose.yaml").read_text("utf-8")


def checked_by_its_specification(text: str) -> None:
    """Raises ValueError for what the Compose specification does not allow."""
    document = {k: v for k, v in yaml.safe_load(text).items() if not k.startswith("x-")}
    PyCompose.from_json(json.dumps(document)).validate()


# --- Linters


@pytest.mark.parametrize("path", [FUNCTIONS, SERVER], ids=lambda path: path.name)
def test_the_linter_has_nothing_to_say(path: Path) -> None:
    done = hadolint(path)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_would_say_something(tmp_path: Path) -> None:
    spoilt = tmp_path / "Dockerfile"
    spoilt.write_text(SERVER.read_text("utf-8").replace("python:3.13-slim", "python"))
    done = hadolint(spoilt)

    assert done.returncode == 1
    assert "DL3006" in done.stdout


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("hadolint", path=os.pathsep.join([str(Path(sys.executable).parent)]))
    if program is None:
        pytest.skip("hadolint has no build for this machine")
    return subprocess.run([program, str(path)], capture_output=True, text=True, timeout=60)


def test_the_compose_file_fits_its_specification() -> None:
    checked_by_its_specification(compose_text())


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("restart: unless-stopped", "restart: maybe"),
        ("    read_only: true", "    read_onyl: true"),
        ('"8500:8500"', '"8500:85000"'),
        ("mem_limit: 1g", "mem_limit: much"),
    ],
)
def test_the_specification_refuses_what_is_wrong(right: str, wrong: str) -> None:
    assert right in compose_text()
    with pytest.raises(ValueError, match=r"at line 1 column \d+"):
        checked_by_its_specification(compose_text().replace(right, wrong))


# --- What is in the images


def test_the_functions_image_holds_what_azure_would_get(tmp_path: Path) -> None:
    image = read_image(FUNCTIONS)
    lay_out_functions(image, tmp_path)
    app = tmp_path / "home/site/wwwroot"
    held = {p.relative_to(app).as_posix() for p in app.rglob("*") if p.is_file()}

    assert held == {path.as_posix() for path in list_package(ROOT)}
    assert (tmp_path / "healthcheck.py").is_file()


def lay_out_functions(image: Image, target: Path) -> None:
    """COPY, and the first commands of the RUN after it, as they stand there."""
    image.lay_out(target, context_files(FUNCTIONS))
    app = target / image.folder.lstrip("/")
    moves = image.runs[1].replace("/healthcheck.py \\", "").split(" && ")
    assert moves[0].split()[-1] == "/healthcheck.py"
    commands = [moves[0].replace(" /healthcheck.py", f" {target}/healthcheck.py"), moves[1]]
    subprocess.run(["sh", "-euc", "\n".join(commands)], cwd=app, check=True)


def test_the_ignore_file_has_the_lines_of_funcignore() -> None:
    ours = rules_of(FOLDER / "functions.Dockerfile.dockerignore")
    rules = rules_of(ROOT / ".funcignore")

    exceptions = ["!deploy/container/healthcheck.py", "!tools/bootstrap/lock_file.py"]
    assert ours == [*rules, *exceptions]


def rules_of(path: Path) -> list[str]:
    lines = path.read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_no_secret_and_nothing_left_lying_reaches_an_image(tmp_path: Path) -> None:
    traps = ["local.settings.json", ".env", "models/pets/.git/config", "models/.DS_Store"]
    traps += ["image_classifier/__pycache__/x.pyc", "deploy/kubernetes/secret.yaml", "tests/x.py"]
    for name in [*traps, "models/pets/1/model.pb", "image_classifier/x.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    for dockerfile in (FUNCTIONS, SERVER):
        sent = context_files(dockerfile, tmp_path)

        assert sent == ["image_classifier/x.py", "models/pets/1/model.pb"]


@pytest.mark.parametrize("path", [FUNCTIONS, SERVER], ids=lambda path: path.name)
def test_the_images_do_not_run_as_root_and_have_a_health_check(path: Path) -> None:
    image = read_image(path)

    assert image.user.isdecimal(), "a number: Kubernetes' runAsNonRoot knows no names"
    assert int(image.user) > 1000
    assert min(image.ports) > 1024
    assert "healthcheck.py" in image.healthcheck[1]
    assert str(image.ports[-1]) in image.healthcheck[2]


@pytest.mark.parametrize("path", [FUNCTIONS, SERVER], ids=lambda path: path.name)
@pytest.mark.parametrize("engine", ["onnx", "tensorflow", "tflite", "auto"])
def test_an_image_for_one_engine_installs_what_the_package_for_it_does(
    path: Path, engine: str, tmp_path: Path
) -> None:
    """The command of the Dockerfile, run on the files that are copied before it."""
    stage = read_image(path, "packages" if path == SERVER else "")
    stage.copies = [copy for copy in stage.copies if copy[0] != ["."]]
    stage.lay_out(tmp_path, context_files(path))
    folder = tmp_path / stage.folder.lstrip("/") if path == SERVER else tmp_path / "tmp/packages"
    commands = next(run for run in stage.runs if "ENGINE" in run).split(" && ")
    # On a Python without the project's packages, as in the base image.
    program = f"{os.path.realpath(sys.executable)} -S -E "
    command = commands[0].replace("python ", program, 1)
    environ = {**os.environ, "ENGINE": engine}
    subprocess.run(["sh", "-euc", command], cwd=folder, env=environ, check=True)

    assert (folder / "requirements.txt").read_text("utf-8") == requirements_for(ROOT, engine)
    assert "--require-hashes" in commands[-1] and "-r requirements.txt" in commands[-1]


@pytest.mark.parametrize("path", [FUNCTIONS, SERVER], ids=lambda path: path.name)
def test_an_image_for_no_engine_that_there_is_does_not_build(path: Path, tmp_path: Path) -> None:
    stage = read_image(path, "packages" if path == SERVER else "")
    command = next(run for run in stage.runs if "ENGINE" in run).split(" && ")[0]
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    shutil.copy(ROOT / "tools" / "bootstrap" / "lock_file.py", tmp_path)
    command = command.replace("python ", f"{sys.executable} ", 1)
    environ = {**os.environ, "ENGINE": "torch"}
    done = subprocess.run(
        ["sh", "-euc", command], cwd=tmp_path, env=environ, capture_output=True, text=True
    )

    assert done.returncode != 0
    assert "'torch'" in done.stderr


def test_the_images_settings_are_those_of_the_example() -> None:
    environ = read_image(FUNCTIONS).environ
    example = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))["Values"]
    shared = set(environ) & set(example)

    assert {"PYTHON_THREADPOOL_THREAD_COUNT", "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"} < shared
    assert {name: environ[name] for name in shared} == {name: example[name] for name in shared}


def test_both_images_have_python_3_13_and_an_older_worker_would_let_tensorflow_in() -> None:
    """The worker of 3.12 and older imports its own protobuf first, unless it is told not to."""
    functions, server = read_image(FUNCTIONS), read_image(SERVER)

    assert functions.base == "mcr.microsoft.com/azure-functions/python:4-python3.13"
    assert server.base == read_image(SERVER, "packages").base == "python:3.13-slim"
    assert functions.environ["PYTHON_ISOLATE_WORKER_DEPENDENCIES"] == "1"


def test_nothing_takes_a_setting_of_the_image_away_again() -> None:
    """Compose and Kubernetes repeat none of them with another value."""
    environ = read_image(FUNCTIONS).environ
    services = yaml.safe_load(compose_text())["services"]
    for name in ("functions", "queue"):
        ours = services[name]["environment"]

        assert {each: ours[each] for each in environ if each in ours} == {}
    for path in (ROOT / "deploy" / "kubernetes").glob("*.yaml"):
        for manifest in yaml.safe_load_all(path.read_text("utf-8")):
            if manifest["kind"] != "Deployment" or path.stem == "model_server":
                continue
            [container] = manifest["spec"]["template"]["spec"]["containers"]
            for each in container["env"]:
                assert each["value"] == environ.get(each["name"], each["value"]), path.name


# --- The containers' commands, in this environment


class ServerContainer(ServerProcess):
    """The model server's image, laid out in a folder and run there: ENV, ENTRYPOINT, arguments.

    Attributes:
        image: what the Dockerfile says.
        root: the container's root.
    """

    stop_seconds = 20.0

    def __init__(
        self, root: Path, *arguments: str, stage: str = "", environ: dict[str, str] | None = None
    ) -> None:
        self.image, self.root = read_image(SERVER, stage, {"MODEL": "digits"}), root
        self.image.lay_out(root, context_files(SERVER))
        self.ports = [free_port() for _ in EXPOSED]
        entry = root / self.image.entrypoint[0].lstrip("/")
        # The image's ports may be taken on this machine, and tests listen on this machine only.
        script = entry.read_text("utf-8")
        for there, here in zip(EXPOSED, self.ports, strict=True):
            assert f"={there} " in script
            script = script.replace(f"={there} ", f"={here} ")
        entry.write_text(script)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        image = {**self.image.environ, "MODEL_BASE_PATH": f"{root}/models", "PATH": path}
        self.environ = clean_environment({**image, "API_KEYS": KEY, **(environ or {})})
        self.command = ["sh", str(entry), *arguments, "--address=127.0.0.1"]

    def __enter__(self) -> ServerContainer:
        # From the container's own folder: what was not copied must not be found.
        command = ["env", "-C", str(self.root / "app"), *self.command]
        self.launch_and_wait(command, self.environ, lambda: self.wait_for_log("Listening: ", 60))
        return self

    def health(self) -> subprocess.CompletedProcess[str]:
        [_, script, url] = self.image.healthcheck
        url = url.replace(EXPOSED[1], str(self.ports[1]))
        command = [sys.executable, str(self.root / script.lstrip("/")), url]
        return subprocess.run(
            command, env=self.environ, capture_output=True, text=True, timeout=30, check=False
        )


def test_the_model_servers_container_answers_and_stops_when_it_is_told(tmp_path: Path) -> None:
    metadata = [("authorization", f"Bearer {KEY}")]
    with ServerContainer(tmp_path) as container:
        address = f"127.0.0.1:{container.ports[0]}"
        with Client(address, metadata=metadata) as client:
            [version] = client.status("digits")
        well = container.health()
        locked_out = subprocess.run(
            [sys.executable, HEALTH, f"http://127.0.0.1:{container.ports[1]}/v1/models/digits"],
            env={**container.environ, "API_KEYS": ""},
            capture_output=True,
            text=True,
        )
        status = container.stop()
        ended = container.health()
        words = container.log()

    assert version == 1
    assert (well.returncode, well.stderr) == (0, "")
    assert locked_out.returncode == 1
    assert "answered 401. Set API_KEYS" in locked_out.stderr
    assert status == 0
    assert "Stopped." in words
    assert "Only this container" not in words
    assert ended.returncode == 1
    assert "does not answer" in ended.stderr


def test_a_mounted_model_and_flags_after_the_images_name(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "models" / "digits", tmp_path / "models" / "pets")
    environ = {"MODEL_NAME": "pets", "API_KEYS": "", "ALLOW_ANONYMOUS": "true"}
    flags = ["--file_system_poll_wait_seconds=0"]
    with ServerContainer(tmp_path, *flags, stage="mounted", environ=environ) as container:
        assert not (tmp_path / "models" / "digits").exists()
        assert container.health().returncode == 0
        assert container.stop() == 0


def test_a_configuration_file_takes_the_place_of_the_two_variables(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    place = ROOT / "models" / "digits"
    file.write_text(f"model_config_list {{ config {{ name: 'a' base_path: '{place}' }} }}")
    flags = ["--model_config_file", str(file)]
    environ = {"MODEL_NAME": "a"}
    with ServerContainer(tmp_path, *flags, stage="mounted", environ=environ) as container:
        assert container.health().returncode == 0


def test_without_a_model_the_container_waits_for_one_and_is_not_well(tmp_path: Path) -> None:
    environ = {"API_KEYS": ""}
    with ServerContainer(tmp_path, stage="mounted", environ=environ) as container:
        done = container.health()
        assert container.stop() == 0
        words = container.log()

    assert done.returncode == 1
    assert f"{tmp_path}/models/model" in words
    assert "set API_KEYS" in words


def test_the_health_check_is_not_taken_in_by_a_model_that_does_not_load(tmp_path: Path) -> None:
    with LocalHost(env={"MODELS_DIR": str(tmp_path), "API_KEYS": KEY}) as host:
        done = subprocess.run(
            [sys.executable, HEALTH, f"{host.url}/api/status"],
            env=clean_environment({"API_KEYS": f"{KEY},another"}),
            capture_output=True,
            text=True,
        )

    assert done.returncode == 1
    assert "answered 503" in done.stderr


def test_the_functions_image_runs_and_is_well(tmp_path: Path) -> None:
    """In the local host, in place of Microsoft's: the files are those of the image."""
    image = read_image(FUNCTIONS)
    lay_out_functions(image, tmp_path)
    app = tmp_path / image.folder.lstrip("/")
    settings = tmp_path / "local.settings.json"
    settings.write_text('{"Values": {"FUNCTIONS_WORKER_RUNTIME": "python"}}')
    with LocalHost(app, env={"API_KEYS": KEY}, settings=settings) as host:
        url = image.healthcheck[2].replace("http://127.0.0.1:8080", host.url)
        done = subprocess.run(
            [sys.executable, str(tmp_path / "healthcheck.py"), url],
            env=clean_environment({"API_KEYS": KEY}),
            capture_output=True,
            text=True,
        )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("status", "well"), [(429, True), (503, False), (401, False)])
def test_a_busy_app_is_well_and_one_that_says_no_is_not(status: int, well: bool) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api/status?probe=ready"
        done = subprocess.run([sys.executable, HEALTH, url], capture_output=True, text=True)

    assert (done.returncode == 0) is well
    assert (f"answered {status}" in done.stderr) is not well


# --- One edge machine


def test_the_compose_file_builds_what_is_there_and_names_what_it_has() -> None:
    document = yaml.safe_load(compose_text())
    for name, service in document["services"].items():
        if "build" in service:
            assert (FOLDER / service["build"]["context"]).resolve() == ROOT
            assert (ROOT / service["build"]["dockerfile"]).is_file()
        assert service["restart"] == "unless-stopped", name
        assert service["cap_drop"] == ["ALL"], name
        assert "mem_limit" in service, name
        assert set(service.get("depends_on", [])) <= set(document["services"])
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in document["volumes"] or (FOLDER / source).is_dir()


def test_the_compose_file_opens_the_ports_that_the_images_have() -> None:
    services = yaml.safe_load(compose_text())["services"]
    for name, dockerfile in (("functions", FUNCTIONS), ("model_server", SERVER)):
        inside = [int(port.split(":")[-1]) for port in services[name]["ports"]]

        assert inside == read_image(dockerfile).ports
        assert services[name]["environment"]["API_KEYS"].startswith("${API_KEYS:?")


@pytest.mark.skipif(not has_node(), reason="the storage emulator needs Node.js with npm")
def test_the_emulator_answers_wherever_the_queues_connection_string_leads(tmp_path: Path) -> None:
    """The very emulator and its flags, but on free ports of this machine."""
    install()
    services = yaml.safe_load(compose_text())["services"]
    connection = services["queue"]["environment"]["AzureWebJobsStorage"]
    parts = dict(part.split("=", 1) for part in connection.strip(";").split(";"))
    program, *flags = services["storage"]["command"].split()
    ports = {service: free_port() for service in ("blob", "queue", "table")}
    node = [str(shutil.which("node")), str(PROGRAMS / f"{program}.js")]
    # In a container each must listen beyond itself; here nothing may.
    here = [flag.replace("0.0.0.0", "127.0.0.1").replace("/data", str(tmp_path)) for flag in flags]
    here += [text for service in ports for text in (f"--{service}Port", str(ports[service]))]
    with subprocess.Popen([*node, *here], stdout=subprocess.DEVNULL, cwd=tmp_path) as emulator:
        try:
            wait_until(lambda: all(map(is_azurite, ports.values())), "all three answer", 60)
            names = {service: server_name(port) for service, port in ports.items()}
        finally:
            emulator.terminate()

    assert (parts["AccountName"], parts["AccountKey"]) == (ACCOUNT, ACCOUNT_KEY)
    for service, port in (("blob", 10000), ("queue", 10001), ("table", 10002)):
        assert flags[flags.index(f"--{service}Host") + 1] == "0.0.0.0"
        assert parts[f"{service.capitalize()}Endpoint"] == f"http://storage:{port}/{ACCOUNT}"
        assert names[service].startswith(f"Azurite-{service.capitalize()}/")
    [version] = {name.split("/")[1] for name in names.values()}
    assert services["storage"]["image"].endswith(f"azurite:{version}")


def server_name(port: int) -> str:
    """What the emulator calls itself, for example Azurite-Table/3.35.0."""
    answer = requests.get(f"http://127.0.0.1:{port}/{ACCOUNT}?comp=list", timeout=10)
    return answer.headers["Server"]


def test_people_with_an_arm_machine_are_told_before_the_build_ends_in_a_riddle() -> None:
    head = compose_text().split("\nname:")[0]
    docs = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    section = docs.split("\n## One machine, with Compose\n")[1].split("\n## ")[0]
    services = yaml.safe_load(compose_text())["services"]

    for text in (head, section, FUNCTIONS.read_text("utf-8").split("FROM")[0]):
        assert "x86-64" in text and "Arm" in text
    # What they are told to start there builds on an image that Python's makers build for Arm.
    assert "up -d --build model_server" in head and "up -d --build model_server" in section
    assert (ROOT / services["model_server"]["build"]["dockerfile"]) == SERVER
    assert "depends_on" not in services["model_server"]


def test_every_function_runs_on_the_edge_or_is_left_out_for_a_reason() -> None:
    services = yaml.safe_load(compose_text())["services"]
    start = "AzureFunctionsJobHost__functions__"
    run = {
        value
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if name.startswith(start)
    }
    folders = {path.parent.name for path in ROOT.glob("*/function.json")}

    # warmup/ is for Premium plans; negotiate/ hands out a SignalR Service's tokens to pages.
    assert folders - run == {"warmup", "negotiate"}
    assert run < folders
