"""host.json's limits, ``Host.CORS``, disabled functions, pages: what settings change."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.apps import write_app, write_function
from tests.support.servers import LocalHost

LIMITS = {
    "functionTimeout": "00:00:01",
    "extensions": {"http": {"routePrefix": "", "maxOutstandingRequests": 2}},
}
# Each call of "wait" leaves a file and goes on when the file "go" is there.
WAIT = """
from pathlib import Path
def main(req):
    here = Path(os.environ["SIGNALS"])
    (here / req.params["n"]).touch()
    while not (here / "go").exists():
        time.sleep(0.01)
    return "done"
"""


@pytest.fixture(scope="module")
def signals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signals")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, signals: Path) -> Iterator[LocalHost]:
    root = write_app(tmp_path_factory.mktemp("app"), LIMITS)
    write_function(root, "wait", WAIT)
    write_function(root, "size", "def main(req): return str(len(req.get_body()))")
    write_function(root, "options", "def main(req): return 'mine'", methods=["options"])
    write_function(root, "off", "def main(req): return 'on after all'")
    write_function(root, "env", "def main(req): return os.environ[req.params['name']]")
    write_function(root, "hang", "async def main(req): await asyncio.sleep(60)")
    pages = root / "frontend"
    (pages / "vendor").mkdir(parents=True)
    (pages / "index.html").write_text("<!doctype html><title>Page</title>", "utf-8")
    (pages / "vendor" / "vue.js").write_text("1", "utf-8")
    (root / "secret.txt").write_text("secret", "utf-8")
    settings = {
        "Values": {"AzureWebJobs.off.Disabled": "true", "FROM_FILE": "file", "BOTH": "file"},
        "Host": {"CORS": "http://page.example:8080,http://other.example", "CORSCredentials": True},
    }
    (root / "local.settings.json").write_text(json.dumps(settings), "utf-8")
    env = {
        "SIGNALS": str(signals),
        "BOTH": "environment",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000",
    }
    with LocalHost(root, env, environment="Production") as running:
        yield running


def test_body_over_the_limit_is_413_before_it_is_sent(host: LocalHost) -> None:
    with socket.create_connection(("127.0.0.1", host.port), timeout=20) as sock:
        sock.sendall(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n")
        answer = sock.recv(65536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert requests.post(host.url + "/size", data=b"x" * 1000, timeout=20).text == "1000"


def test_caller_that_goes_away_while_sending_starts_no_function(host: LocalHost) -> None:
    def calls_of_size() -> int:
        # Lines come a little late but in order: once this request's is there, so are those before.
        seen = host.log().count("Executed 'Functions.env'")
        requests.get(host.url + "/env?name=BOTH", timeout=20)
        host.wait_for_log(rf"(?s)(Executed 'Functions\.env'.*){{{seen + 1}}}")
        return host.log().count("Executing 'Functions.size'")

    before = calls_of_size()
    with socket.create_connection(("127.0.0.1", host.port), timeout=20) as sock:
        sock.sendall(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nxx")

    assert calls_of_size() == before


def test_one_request_too_many_is_429(host: LocalHost, signals: Path) -> None:
    answers: list[requests.Response] = []

    def call(number: int) -> None:
        answers.append(requests.get(f"{host.url}/wait?n={number}", timeout=20))

    threads = [threading.Thread(target=call, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    try:
        host.wait_for_log("(?s)Executing 'Functions.wait'.*Executing 'Functions.wait'")
        refused = requests.get(host.url + "/wait?n=3", timeout=20)
    finally:
        (signals / "go").touch()
        for thread in threads:
            thread.join()

    assert (refused.status_code, refused.content) == (429, b"")
    assert refused.headers["X-FUNCTION-SCALEOUT"] == "1"
    assert not (signals / "3").exists()
    assert [answer.text for answer in answers] == ["done", "done"]
    assert requests.get(host.url + "/wait?n=4", timeout=20).text == "done"


def test_function_that_exceeds_function_timeout_is_500(host: LocalHost) -> None:
    answer = requests.get(host.url + "/hang", timeout=20)

    assert (answer.status_code, answer.content) == (500, b"")
    host.wait_for_log(r"Timeout value of 1 seconds \(functionTimeout in host\.json\)")


def test_preflight_from_a_named_origin_is_answered_without_a_route(host: LocalHost) -> None:
    asked = {
        "Origin": "http://page.example:8080",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-functions-key",
    }
    answer = requests.options(host.url + "/size", headers=asked, timeout=20)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "http://page.example:8080"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-headers"] == "x-functions-key"


def test_preflight_from_another_origin_gets_no_permission(host: LocalHost) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = requests.options(host.url + "/size", headers=asked, timeout=20)

    assert answer.status_code == 204
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_answers_carry_cors_headers_for_named_origins_only(host: LocalHost) -> None:
    def allowed(origin: str) -> str | None:
        answer = requests.get(host.url + "/env?name=BOTH", headers={"Origin": origin}, timeout=20)
        return answer.headers.get("access-control-allow-origin")

    assert allowed("http://other.example") == "http://other.example"
    assert allowed("http://evil.example") is None


def test_options_that_is_no_preflight_reaches_the_function(host: LocalHost) -> None:
    assert requests.options(host.url + "/options", timeout=20).text == "mine"


def test_disabled_function_has_no_route_is_listed_so_and_runs_by_hand(host: LocalHost) -> None:
    assert requests.get(host.url + "/off", timeout=20).status_code == 404
    assert "Function off is disabled." in host.log()
    assert f"\toff: http://localhost:{host.port}/off" not in host.log()

    asked = requests.post(host.url + "/admin/functions/off", json={"input": ""}, timeout=20)
    assert asked.status_code == 202
    host.wait_for_log(r"Executed 'Functions\.off' \(Succeeded")


def test_settings_file_fills_the_environment_and_what_is_there_wins(host: LocalHost) -> None:
    def value(name: str) -> str:
        return requests.get(f"{host.url}/env?name={name}", timeout=20).text

    assert (value("FROM_FILE"), value("BOTH")) == ("file", "environment")
    assert value("AZURE_FUNCTIONS_ENVIRONMENT") == "Production"
    assert (
        "Skipping 'BOTH' from local settings as it's already defined in current environment "
        "variables." in host.log()
    )
    assert "Skipping 'FROM_FILE'" not in host.log()


def test_page_is_served_after_the_functions_and_always_asked_for_anew(host: LocalHost) -> None:
    page = requests.get(host.url + "/", timeout=20)

    assert page.headers["content-type"].startswith("text/html") and "Page" in page.text
    assert page.headers["cache-control"] == "no-cache"
    again = requests.get(
        host.url + "/", headers={"If-None-Match": page.headers["etag"]}, timeout=20
    )
    assert again.status_code == 304
    vendor = requests.get(host.url + "/vendor/vue.js", timeout=20).headers
    assert vendor["cache-control"] == "max-age=3600"
    assert vendor["content-type"].startswith("text/javascript")
    assert f"Page: http://localhost:{host.port}/\n" in host.log()


@pytest.mark.parametrize(
    "path",
    [
        b"/../secret.txt",
        b"/%2e%2e/secret.txt",
        b"/..%2fsecret.txt",
        b"/vendor/..%5c..%5csecret.txt",
    ],
)
def test_pages_do_not_lead_out_of_their_folder(host: LocalHost, path: bytes) -> None:
    with socket.create_connection(("127.0.0.1", host.port), timeout=20) as sock:
        sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: sock.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 404 ") and b"secret" not in answer


def test_pages_answer_get_only(host: LocalHost) -> None:
    assert requests.post(host.url + "/", timeout=20).status_code == 404
