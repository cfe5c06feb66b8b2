"""A caller sees a function behind the local host, over real sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.apps import RETURN, write_app, write_function
from tests.support.servers import LocalHost

ECHO = """
def main(req: func.HttpRequest) -> func.HttpResponse:
    seen = {"method": req.method, "url": req.url, "headers": dict(req.headers),
            "params": dict(req.params), "route": dict(req.route_params),
            "body": req.get_body().decode("latin-1"), "class": type(req).__qualname__,
            "isHttpRequest": isinstance(req, func.HttpRequest)}
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")
"""
NAMED_OUT = {"type": "http", "direction": "out", "name": "res"}
TRIGGER = {"type": "httpTrigger", "direction": "in", "name": "req"}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHost]:
    root = write_app(tmp_path_factory.mktemp("app"))
    write_function(root, "echo", ECHO, route="echo/{kind:regex(^(image|url)$)}/{*rest}")
    write_function(root, "get_only", "def main(req): return 'got'", methods=["get"])
    returns = {
        "text": "'hello'",
        "described": """json.dumps({"status": 418, "headers": {"X-A": "b"}, "body": {"tea": 1}})""",
        "described_text": """json.dumps({"statusCode": 201, "body": "made"})""",
        "plain_json": """json.dumps({"a": 1})""",
        "a_dict": "{'a': 1}",
        "nothing": "None",
        "headers": "func.HttpResponse(b'x', headers={'X-One': '1', 'Content-Length': '99'})",
        "teapot": "func.HttpResponse(status_code=299)",
        "bad_status": "func.HttpResponse(status_code=999)",
        "bad_header": "func.HttpResponse('x', headers={'X-A': '\\u2603'})",
        "no_content": "func.HttpResponse('ignored', status_code=204)",
    }
    for name, value in returns.items():
        write_function(root, name, f"def main(req): return {value}")
    write_function(
        root,
        "cookies",
        """
        def main(req):
            answer = func.HttpResponse("x")
            answer.headers.add("Set-Cookie", "a=1; Path=/")
            answer.headers.add("Set-Cookie", "b=2; HttpOnly")
            return answer
        """,
    )
    write_function(
        root,
        "named_out",
        "def main(req, res: func.Out[func.HttpResponse]) -> None:\n"
        "    if 'set' in req.params: res.set(func.HttpResponse('set'))",
        bindings=[TRIGGER, NAMED_OUT],
    )
    write_function(root, "no_output", "def main(req): pass", bindings=[TRIGGER])
    write_function(root, "raises", "def main(req): raise ValueError('boom')")
    write_function(root, "exits", "def main(req): sys.exit(3)")
    write_function(
        root, "on_loop", "async def main(req):\n    await asyncio.sleep(0)\n    return 'async'"
    )
    write_function(
        root,
        "context",
        "def main(req, context: func.Context):\n"
        "    return json.dumps([context.function_name, context.invocation_id])",
    )
    write_function(
        root,
        "imports",
        """
        import helper
        from __app__.imports import helper as same
        def main(req):
            root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
            return json.dumps([__name__, helper.TEXT, os.getcwd() == root, sys.path[-1] == root,
                               sys.path.count(root), os.environ["AZURE_FUNCTIONS_ENVIRONMENT"]])
        """,
    )
    (root / "helper.py").write_text("TEXT = 'from the root'", "utf-8")
    (root / "imports" / "helper.py").write_text("TEXT = 'beside'", "utf-8")
    write_function(
        root,
        "endpoint",
        "",
        config={"scriptFile": "other.py", "entryPoint": "answer"},
    )
    (root / "endpoint" / "other.py").write_text("def answer(req): return __name__", "utf-8")
    write_function(root, "logs", "def main(req):\n    logging.info('seen %s', 7)\n    return ''")
    write_function(root, "broken", "import not_there\ndef main(req): return ''")
    write_function(root, "extra", "def main(req, other): return ''")
    write_function(root, "wrong_return", "def main(req) -> dict: return {}")
    write_function(root, "no_main", "def other(req): return ''")
    write_function(
        root,
        "queued",
        "def main(msg: func.QueueMessage): logging.info('queue text %s', msg.get_body())",
        bindings=[{"type": "queueTrigger", "name": "msg", "queueName": "q", "direction": "in"}],
    )
    with LocalHost(root) as running:
        yield running


def get(host: LocalHost, path: str, **options: Any) -> requests.Response:
    return requests.get(host.url + path, timeout=20, **options)


def send_raw(host: LocalHost, request: bytes) -> bytes:
    """Sends bytes as they are and reads until the host closes."""
    with socket.create_connection(("127.0.0.1", host.port), timeout=20) as sock:
        sock.sendall(request)
        chunks = []
        while chunk := sock.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


def test_request_reaches_python_as_from_the_real_host(host: LocalHost) -> None:
    raw = send_raw(
        host,
        b"POST /api/ECHO/url/a%20b/c%2Fd?one=1&empty=&Two=a&two=b&none&t=x%20y+z HTTP/1.1\r\n"
        b"Host: example.com\r\nX-Many: a\r\nX-MANY: b\r\nContent-Length: 3\r\n"
        b"Connection: close\r\n\r\nabc",
    )

    seen = json.loads(raw.partition(b"\r\n\r\n")[2])
    assert seen["method"] == "POST"
    assert seen["url"].startswith("http://example.com/api/ECHO/url/a%20b/c%2Fd?one=1&empty=&Two=a")
    assert seen["headers"]["x-many"] == "a,b"
    assert seen["params"] == {"one": "1", "Two": "a,b", "t": "x y z"}
    assert seen["route"] == {"kind": "url", "rest": "a b/c%2Fd"}
    assert seen["body"] == "abc"
    assert seen["class"] == "HttpRequest" and seen["isHttpRequest"]


def test_chunked_body_arrives_empty(host: LocalHost) -> None:
    answer = requests.post(host.url + "/api/echo/image", data=iter([b"abc"]), timeout=20)

    assert answer.json()["body"] == ""


def test_large_body_arrives_whole(host: LocalHost) -> None:
    body = bytes(range(256)) * 8192
    answer = requests.post(host.url + "/api/echo/image", data=body, timeout=20)

    assert answer.json()["body"].encode("latin-1") == body


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "DELETE"])
def test_wrong_method_is_404_with_empty_body(host: LocalHost, method: str) -> None:
    answer = requests.request(method, host.url + "/api/get_only", timeout=20)

    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    "path", ["/api/nope", "/get_only", "/api/echo/video", "/admin/nope", "/%00", "/api/queued"]
)
def test_unknown_path_is_404_with_empty_body(host: LocalHost, path: str) -> None:
    answer = get(host, path)

    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    ("name", "status", "content_type", "body"),
    [
        ("text", 200, "text/plain; charset=utf-8", b"hello"),
        ("described", 418, "application/json; charset=utf-8", b'{"tea":1}'),
        ("described_text", 201, "text/plain; charset=utf-8", b"made"),
        ("plain_json", 200, "text/plain; charset=utf-8", b'{"a": 1}'),
        ("teapot", 299, "text/plain; charset=utf-8", b""),
        ("no_content", 204, "text/plain; charset=utf-8", b""),
        ("a_dict", 500, None, b""),
        ("nothing", 500, None, b""),
        ("bad_status", 500, None, b""),
        ("bad_header", 500, None, b""),
        ("raises", 500, None, b""),
        ("exits", 500, None, b""),
        ("named_out?set=1", 200, "text/plain; charset=utf-8", b"set"),
        ("named_out", 204, None, b""),
        ("no_output", 204, None, b""),
        ("on_loop", 200, "text/plain; charset=utf-8", b"async"),
        ("endpoint", 200, "text/plain; charset=utf-8", b"__app__.endpoint.other"),
    ],
)
def test_what_a_function_returns_becomes_the_response(
    host: LocalHost, name: str, status: int, content_type: str | None, body: bytes
) -> None:
    answer = get(host, f"/api/{name}")

    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers.get("content-type") == content_type


def test_headers_go_out_and_the_length_is_the_real_one(host: LocalHost) -> None:
    headers = get(host, "/api/headers").headers

    assert (headers["x-one"], headers["content-length"]) == ("1", "1")
    assert get(host, "/api/described").headers["x-a"] == "b"


def test_every_cookie_goes_out(host: LocalHost) -> None:
    assert get(host, "/api/cookies").cookies.get_dict() == {"a": "1", "b": "2"}


def test_context_says_which_function_and_which_call(host: LocalHost) -> None:
    name, invocation_id = get(host, "/api/context").json()

    assert name == "context"
    assert host.wait_for_log(f"Executed 'Functions.context' \\(Succeeded, Id={invocation_id}")


def test_functions_are_imported_as_microsofts_worker_does(host: LocalHost) -> None:
    answer = get(host, "/api/imports").json()

    assert answer == ["__app__.imports", "from the root", True, True, 1, "Development"]


def test_failure_is_told_in_the_log_only_without_frames_of_the_host(host: LocalHost) -> None:
    get(host, "/api/raises")

    found = host.wait_for_log(
        r"Exception while executing function: Functions\.raises\. Result: Failure\n"
        r"Exception: ValueError: boom\nStack: (?s:(.*?))ValueError: boom\n"
    )
    assert "in main" in found[1] and "local_host" not in found[1]


def test_what_a_function_logs_is_a_line_with_its_time(host: LocalHost) -> None:
    get(host, "/api/logs")

    host.wait_for_log(r"(?m)^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] seen 7$")


def test_query_strings_are_never_on_the_console(host: LocalHost) -> None:
    get(host, "/api/echo/url?code=very-secret")
    get(host, "/api/text")

    host.wait_for_log(r"Executed 'Functions\.text' \(Succeeded, Id=[0-9a-f-]{36}, Duration=\d+ms\)")
    assert "very-secret" not in host.log()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken", r"(?s:.*)ModuleNotFoundError: No module named 'not_there'"),
        ("extra", r".*declared in Python but not in function.json: \{'other'\}"),
        ("wrong_return", r'.*return annotation "dict" does not match binding type "http"'),
        ("no_main", r".*function main\(\) is not present in .*__init__.py"),
    ],
)
def test_function_that_does_not_load_answers_500_and_says_why_once(
    host: LocalHost, name: str, reason: str
) -> None:
    for _ in range(2):
        answer = get(host, f"/api/{name}")
        assert (answer.status_code, answer.content) == (500, b"")

    host.wait_for_log(f"The '{name}' function is in error{reason}")
    assert host.log().count(f"The '{name}' function is in error") == 1


def test_functions_are_listed_http_first(host: LocalHost) -> None:
    log = host.log()

    assert log.count("Functions:\n") == 1
    assert f"\n\tget_only: [GET] http://localhost:{host.port}/api/get_only\n" in log
    assert log.index("\twrong_return:") < log.index("\tqueued: queueTrigger (off")
    assert "emulates Azure Functions Core Tools" in log


def test_admin_says_that_it_runs(host: LocalHost) -> None:
    status = get(host, "/admin/host/status").json()

    assert status["state"] == "Running" and status["processId"] == host.process.pid
    assert get(host, "/admin/host/ping").status_code == 200
    assert requests.post(host.url + "/admin/host/ping", timeout=20).status_code == 200


def test_admin_lists_functions_with_url_and_error(host: LocalHost) -> None:
    functions = {one["name"]: one for one in get(host, "/admin/functions").json()}

    assert functions["text"]["invoke_url_template"] == f"http://localhost:{host.port}/api/text"
    assert functions["text"]["config"]["bindings"][1] == RETURN
    assert "not_there" in functions["broken"]["error"]
    assert get(host, "/admin/functions/QUEUED").json()["name"] == "queued"


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [("queued", '{"input": "run me"}', 202), ("nope", "{}", 404), ("queued", "", 400)],
)
def test_admin_runs_a_function_by_hand(host: LocalHost, name: str, body: str, status: int) -> None:
    answer = requests.post(f"{host.url}/admin/functions/{name}", data=body, timeout=20)

    assert answer.status_code == status
    if status == 202:
        host.wait_for_log("queue text b'run me'")


def test_root_without_a_page_says_that_the_app_is_up(host: LocalHost) -> None:
    answer = get(host, "/")

    assert answer.status_code == 200 and "up and running" in answer.text


def test_kept_alive_connection_answers_at_once(host: LocalHost) -> None:
    # With Nagle's algorithm on, every answer after the first takes 40 ms.
    with requests.Session() as session:
        times = sorted(
            session.get(f"{host.url}/api/text", timeout=20).elapsed.total_seconds()
            for _ in range(15)
        )
    assert times[3] < 0.03
