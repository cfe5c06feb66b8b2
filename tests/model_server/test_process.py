"""How the server starts, who may ask, what it says of a wrong command line, how it ends."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import trustme

from image_classifier import Settings
from model_server.flags import FlagError, channel_arguments, parse_flags
from model_server.ignored_flags import WITHOUT_EFFECT
from model_server.server import _address
from tests.support.model_servers import Client, ModelServer, tls_config
from tests.support.saved_models import half_plus_two

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ("--model_name=digits", f"--model_base_path={ROOT / 'models' / 'digits'}")
NINE = (ROOT / "frontend" / "samples" / "nine.png").read_bytes()
ONE = np.array([[1.0]], np.float32)


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    return str(error.code().name)


def label(client: Client) -> bytes:
    answer = client.predict("digits", {"image": [NINE]}, signature="bytes")
    return bytes(answer.outputs["output_0"].string_val[0])


def test_an_onnx_model_is_served_without_tensorflow_and_ends_in_good_order() -> None:
    # Where Python does not write each line at once by itself.
    buffered = {"PYTHONUNBUFFERED": ""}
    with ModelServer(*DIGITS, env=buffered) as server, Client(server.address) as client:
        assert label(client) == b"9"
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "onnxruntime" in maps
        assert "tensorflow" not in maps
        assert "Listening: gRPC on 127.0.0.1:" in server.log()
        assert "digits: version 1" in server.log()
        told = [server.log().index(words) for words in ("Loading digits …", "loaded digits/1")]
        assert told == sorted(told), "it is said before the models load, which may take minutes"
        assert server.stop() == 0
        assert server.log().endswith("Stopped.\n")


def test_with_keys_each_call_needs_one_but_the_health_service() -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with ModelServer(*DIGITS, env={"API_KEYS": "k1,k2"}) as server:
        for metadata in (
            [("authorization", "Bearer k1")],
            [("x-functions-key", "k2")],
            [("prediction-key", "k1")],
        ):
            with Client(server.address, metadata=metadata) as client:
                assert label(client) == b"9"
        with Client(server.address, metadata=[("authorization", "Bearer k3")]) as wrong:
            assert code_of(lambda: label(wrong)) == "UNAUTHENTICATED"
        with Client(server.address) as none:
            assert code_of(lambda: label(none)) == "UNAUTHENTICATED"
            assert code_of(lambda: none.status("digits")) == "UNAUTHENTICATED"
            health = health_pb2_grpc.HealthStub(none.channel)
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=60)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING

        refused = server.get("/v1/models/digits")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.json()["error"].startswith("A key is needed.")
        for headers in ({"Authorization": "Bearer k1"}, {"x-functions-key": "k2"}):
            assert server.get("/v1/models/digits", headers=headers).status_code == 200
        assert server.get("/v1/models/digits?code=k1").status_code == 200
        assert server.get("/v1/models/digits", headers={"prediction-key": "k"}).status_code == 401


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, "127.0.0.1"),
        ({"AZURE_FUNCTIONS_ENVIRONMENT": "Development"}, "127.0.0.1"),
        ({"API_KEYS": "k"}, "0.0.0.0"),
        ({"ALLOW_ANONYMOUS": "true"}, "0.0.0.0"),
    ],
)
def test_other_machines_can_ask_only_where_it_was_thought_about(
    environ: dict[str, str], address: str
) -> None:
    assert _address(Settings.from_environ(environ)) == address


def test_tls_with_and_without_a_clients_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    ours = authority.issue_cert("client@example.com")
    config = tls_config(tmp_path, authority, client_verify=True)
    with ModelServer(*DIGITS, f"--ssl_config_file={config}") as server:
        where = f"localhost:{server.port}"
        root = authority.cert_pem.bytes()
        known = grpc.ssl_channel_credentials(
            root, ours.private_key_pem.bytes(), ours.cert_chain_pems[0].bytes()
        )
        with Client("", channel=grpc.secure_channel(where, known)) as client:
            assert label(client) == b"9"
        unknown = grpc.ssl_channel_credentials(root)
        with Client("", channel=grpc.secure_channel(where, unknown)) as client:
            assert code_of(lambda: label(client)) == "UNAVAILABLE"
        assert "with TLS" in server.log()


def test_a_new_configuration_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    from tensorflow_serving.apis import model_management_pb2

    half_plus_two(tmp_path / "a" / "1")
    half_plus_two(tmp_path / "b" / "1", add=3.0)
    half_plus_two(tmp_path / "b" / "2", add=7.0)
    arguments = ["--model_name=a", f"--model_base_path={tmp_path / 'a'}"]
    with ModelServer(*arguments, rest=False) as server, Client(server.address) as client:

        def reload(
            name: str, folder: str, label: int | None = None, versions: Sequence[int] = (1, 2)
        ) -> Any:
            request = model_management_pb2.ReloadConfigRequest()
            config = request.config.model_config_list.config.add(name=name)
            config.base_path, config.model_platform = str(tmp_path / folder), "tensorflow"
            config.model_version_policy.specific.versions.extend(versions)
            config.model_version_policy.specific.SetInParent()
            if label is not None:
                config.version_labels["l"] = label
            return client.model.HandleReloadConfigRequest(request, timeout=60)

        assert client.predict("a", {"x": ONE}).outputs["y"].float_val[0] == 2.5

        assert reload("c", "b", label=1).status.error_code == 0

        assert code_of(lambda: client.predict("a", {"x": ONE})) == "NOT_FOUND"
        assert client.predict("c", {"x": ONE}).outputs["y"].float_val[0] == 7.5
        assert client.predict("c", {"x": ONE}, label="l").outputs["y"].float_val[0] == 3.5
        assert code_of(lambda: reload("c", "b", label=9)) == "FAILED_PRECONDITION"
        assert code_of(lambda: reload("d", "nowhere")) == "UNKNOWN"
        assert code_of(lambda: reload("", "b")) == "INVALID_ARGUMENT"
        assert code_of(lambda: reload("c", "b\0")) == "INVALID_ARGUMENT"
        assert code_of(lambda: reload("c", "b", versions=[])) == "INVALID_ARGUMENT"
        assert code_of(lambda: reload("c", "b", versions=[-3])) == "INVALID_ARGUMENT"


def test_a_configuration_file_is_read_again(tmp_path: Path) -> None:
    half_plus_two(tmp_path / "a" / "1")
    config = tmp_path / "models.config"

    def write(name: str) -> None:
        line = f"model_config_list {{ config {{ name: '{name}' base_path: '{tmp_path}/a' }} }}"
        config.write_text(line)

    write("one")
    arguments = [f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=0.05"]
    with ModelServer(*arguments, rest=False) as server, Client(server.address) as client:
        assert client.predict("one", {"x": ONE}).outputs["y"].float_val[0] == 2.5
        for text in ("model_config_list { nonsense }", "a{" * 5000):
            config.write_text(text)
            field = "nonsense" if "nonsense" in text else "a"
            server.wait_for_log(f"taken over: {config}, line 1: unknown field {field};")
        assert client.predict("one", {"x": ONE}).outputs["y"].float_val[0] == 2.5
        write("two")
        server.wait_for_log("serving two")
        assert client.predict("two", {"x": ONE}).outputs["y"].float_val[0] == 2.5


def test_no_call_fails_while_versions_are_published_under_load(tmp_path: Path) -> None:
    """64 clients; 1 -> 2 (broken) -> 3 -> 4: no error, and each answer is one version's own."""
    aside = {
        version: half_plus_two(tmp_path / "aside" / str(version), add=float(version))
        for version in (1, 2, 3, 4)
    }
    (aside[2] / "saved_model.pb").write_bytes(b"damaged")
    base = tmp_path / "m"
    base.mkdir()
    aside[1].rename(base / "1")
    arguments = ["--model_name=m", f"--model_base_path={base}"]
    arguments += ["--file_system_poll_wait_seconds=0.1"]
    with ModelServer(*arguments, rest=False) as server:
        problems: list[str] = []
        counts = dict.fromkeys((1, 3, 4), 0)
        stop = threading.Event()
        lock = threading.Lock()

        def ask(number: int) -> None:
            x = np.full((1, 1), number, np.float32)
            with Client(server.address) as client:
                while not stop.is_set():
                    try:
                        answer = client.predict("m", {"x": x})
                    except grpc.RpcError as exc:
                        problems.append(str(exc))
                        return
                    version = answer.model_spec.version.value
                    if list(answer.outputs["y"].float_val) != [number / 2 + version]:
                        problems.append(f"mixed: {answer}")
                    with lock:
                        counts[version] = counts.get(version, 0) + 1

        threads = [threading.Thread(target=ask, args=(n,), daemon=True) for n in range(64)]
        for thread in threads:
            thread.start()
        with Client(server.address) as client:
            until(lambda: counts[1] > 64)
            aside[2].rename(base / "2")
            until(lambda: client.status("m").get(2) is not None)
            until(lambda: client.status("m")[2].state == 50)
            for version in (3, 4):
                aside[version].rename(base / str(version))
                until(lambda version=version: counts[version] > 200)  # type: ignore[misc]
            states = {version: each.state for version, each in client.status("m").items()}
        stop.set()
        for thread in threads:
            thread.join(20)

        assert not problems
        assert set(counts) == {1, 3, 4}
        assert states[4] == 30
        assert states[2] == 50
        until(lambda: server.log().count("unloaded m/") == 2)


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "model_server", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout


def test_a_port_that_is_taken_is_said_before_models_are_loaded() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, words = run(*DIGITS, f"--port={port}")

    assert status == 2
    assert f"Port {port} of 127.0.0.1 cannot be used" in words
    assert "Loading" not in words


def test_two_servers_do_not_share_a_port() -> None:
    with ModelServer(*DIGITS, rest=False) as server:
        status, words = run(*DIGITS, f"--port={server.port}")

    assert status == 2
    assert "cannot be used" in words


BASE = ["--model_base_path=m"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--prot=1", *BASE], r"Unknown flag --prot=1\. Did you mean --port\? --help lists"),
        (["--rest_api_prt", "1", *BASE], "Did you mean --rest_api_port"),
        (["stray", *BASE], "Unknown flag stray"),
        (["--enable_batching", "--port", "1", "stray", *BASE], "Unknown flag stray"),
        (["--grpc_socket_path=/no/where/s", *BASE], "its folder is not there"),
        ([], "Which model.*--model_name NAME --model_base_path FOLDER"),
        (["--port=x", *BASE], "--port: 'x' must be a whole number"),
        (["--file_system_poll_wait_seconds=nan", *BASE], "'nan' must be a number"),
        (["--model_base_path"], "--model_base_path: it needs a value"),
        (["--port=99999", *BASE], "a port is a number up to 65535"),
        (["--port=1", "--rest_api_port=1", *BASE], "both 1: gRPC and REST need a port each"),
        (["--port=0", *BASE], "nothing to listen on"),
        (["--grpc_max_threads=0", *BASE], "must be 1 or more"),
        (["--enable_grpc_healthcheck_service=maybe", *BASE], "must be true or false"),
        (["--model_config_file=no", *BASE], "exclude each other"),
        (["--model_base_path=https://a/m?sig=s", "--port=1"], "must be a folder, not an address"),
        (["--model_config_file=no"], "there is no such file"),
        (["--ssl_config_file=no", *BASE], "there is no such file"),
    ],
)
def test_a_wrong_command_line_is_explained(arguments: list[str], words: str) -> None:
    with pytest.raises(FlagError, match=words):
        parse_flags(arguments)


def test_channel_arguments_are_texts_and_whole_numbers() -> None:
    assert channel_arguments("") == {}
    assert channel_arguments("a=1,b=-2,c=x=y,d=--3,") == {"a": 1, "b": -2, "c": "x=y", "d": "--3"}
    with pytest.raises(FlagError, match="it must be name=value"):
        channel_arguments("a")
    with pytest.raises(FlagError, match="2147483648 is too large"):
        channel_arguments("a=2147483648")


def test_flags_are_taken_in_tensorflow_servings_ways() -> None:
    flags, remarks = parse_flags(
        ["--port", "1", "--rest_api_port=2", "--model_name=m", "--model_base_path", "p"]
        + ["--rest_api_enable_cors_support", "--enable_grpc_healthcheck_service=false"]
        + ["--enable_batching", "--batching_parameters_file=x", "--max_num_load_retries", "5"]
    )
    assert (flags.port, flags.rest_api_port) == (1, 2)
    assert (flags.model_name, flags.model_base_path) == ("m", "p")
    assert flags.rest_api_enable_cors_support
    assert not flags.enable_grpc_healthcheck_service
    assert [remark.split(" ")[0] for remark in remarks] == [
        "--enable_batching",
        "--batching_parameters_file",
        "--max_num_load_retries",
    ]


@pytest.mark.parametrize(
    ("flag", "text", "words"),
    [
        ("ssl_config_file", "server_key: 'a'", "needs server_key and server_cert"),
        ("ssl_config_file", "server_key: 'a' server_cert: 'b'", "no key and certificate that"),
        (
            "ssl_config_file",
            "server_key: 'a' server_cert: 'b' client_verify: true",
            "client_verify needs custom_ca",
        ),
        ("ssl_config_file", "nonsense", "cannot be read"),
        ("monitoring_config_file", "prometheus_config { enabled: true }", "cannot be read"),
        ("model_config_file", "model_config_list {}", "lists no model"),
        ("model_config_file", "model_config_list {", "line 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, flag: str, text: str, words: str
) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    base = [] if flag == "model_config_file" else list(DIGITS)
    status, found = run(*base, f"--{flag}={path}")

    assert status == 2
    assert f"--{flag}" in found and words in found
    assert "Loading" not in found
    assert "Traceback" not in found


def test_help_and_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "model_server", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert "--rest_api_port N" in done.stdout
    for name in WITHOUT_EFFECT:  # what an unknown flag's message promises
        assert f"--{name}" in done.stdout
    done = subprocess.run(
        [sys.executable, "-m", "model_server", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith("model_server ")
