"""The emulator's REST API, called as programs call the real service's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from local_host.signalr.endpoint import make_token
from tests.support.signalr_client.node_clients import NodeClients
from tests.support.signalr_client.running import HUB, RunningEmulator

BODY = {"target": "newResult", "arguments": ["hello"]}
HUB_PATH = f"/api/hubs/{HUB.lower()}"
OLD_PATH = f"/api/v1/hubs/{HUB}"


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator() as running:
        yield running


@pytest.fixture(scope="module")
def clients() -> Iterator[NodeClients]:
    with NodeClients() as running:
        yield running


def call(
    emulator: RunningEmulator, method: str, path: str, body: Any = None, query: str = ""
) -> int:
    """The status of a call, made with a token for its URL without the query."""
    url = emulator.endpoint.url + path
    answer = requests.request(
        method,
        f"{url}?api-version=2022-06-01{query}",
        json=body,
        headers={"Authorization": f"Bearer {make_token(emulator.endpoint, url, {})}"},
        timeout=10,
    )
    return answer.status_code


def said(text: str) -> dict[str, Any]:
    return {"target": "newResult", "arguments": [text]}


def test_messages_go_to_all_a_user_a_group_or_a_connection_in_both_forms(
    emulator: RunningEmulator, clients: NodeClients
) -> None:
    ann = clients.connect("ann", emulator.info("ann/1"))
    bob = clients.connect("bob", emulator.info("bob"))
    user = quote("ann/1", safe="")
    assert call(emulator, "PUT", f"{HUB_PATH}/groups/g%20h/connections/{bob}") == 200
    for path, query in [
        (f"{HUB_PATH}/:send", ""),
        (f"{HUB_PATH}/:send", f"&excluded={ann}&excluded=x"),
        (f"{HUB_PATH}/users/{user}/:send", ""),
        (f"{HUB_PATH}/groups/g%20h/:send", ""),
        (f"{HUB_PATH}/groups/g%20h/:send", f"&excluded={bob}"),
        (f"{HUB_PATH}/connections/{ann}/:send", ""),
        (f"{HUB_PATH}/connections/nobody/:send", ""),
        (OLD_PATH, ""),
        (f"{OLD_PATH}/users/bob", ""),
        (f"{OLD_PATH}/groups/g%20h", ""),
        (f"{OLD_PATH}/connections/{bob}", ""),
    ]:
        assert call(emulator, "POST", path, said(path + query), query) == 202
    emulator.send("end")

    for name, wanted in {
        "ann": [
            f"{HUB_PATH}/:send",
            f"{HUB_PATH}/users/{user}/:send",
            f"{HUB_PATH}/connections/{ann}/:send",
            OLD_PATH,
        ],
        "bob": [
            f"{HUB_PATH}/:send",
            f"{HUB_PATH}/:send&excluded={ann}&excluded=x",
            f"{HUB_PATH}/groups/g%20h/:send",
            OLD_PATH,
            f"{OLD_PATH}/users/bob",
            f"{OLD_PATH}/groups/g%20h",
            f"{OLD_PATH}/connections/{bob}",
        ],
    }.items():
        clients.wait_for(name, "message", len(wanted) + 1)
        assert clients.messages(name) == [[text] for text in [*wanted, "end"]]


def test_membership_can_be_changed_and_asked_for(
    emulator: RunningEmulator, clients: NodeClients
) -> None:
    eve = clients.connect("eve", emulator.info("eve"))
    steps = [
        ("HEAD", f"connections/{eve}", 200),
        ("HEAD", "connections/nobody", 404),
        ("HEAD", "users/eve", 200),
        ("HEAD", "users/nobody", 404),
        ("HEAD", "groups/g", 404),
        ("PUT", f"groups/g/connections/{eve}", 200),
        ("PUT", "groups/g/connections/nobody", 404),
        ("GET", "groups/g", 200),
        ("DELETE", f"groups/g/connections/{eve}", 200),
        ("DELETE", f"groups/g/connections/{eve}", 404),
        ("HEAD", "groups/g", 404),
        ("PUT", f"connections/{eve}/groups/g", 200),
        ("DELETE", f"connections/{eve}/groups", 200),
        ("HEAD", "groups/g", 404),
        ("PUT", "users/eve/groups/g", 202),
        ("HEAD", "users/eve/groups/g", 200),
        ("HEAD", "groups/g", 200),
        ("DELETE", "users/eve/groups/g", 202),
        ("HEAD", "users/eve/groups/g", 404),
        ("PUT", "groups/g/users/eve", 202),
        ("DELETE", "users/eve/groups", 202),
        ("HEAD", "groups/g/users/eve", 404),
    ]
    for method, path, status in steps:
        assert (method, path, call(emulator, method, f"{HUB_PATH}/{path}")) == (
            method,
            path,
            status,
        )


def test_a_user_stays_in_a_group_over_a_new_connection_for_its_time(
    emulator: RunningEmulator, clients: NodeClients
) -> None:
    path = f"{HUB_PATH}/users/ted/groups"
    assert call(emulator, "PUT", f"{path}/lasting", query="&ttl=60") == 202
    assert call(emulator, "PUT", f"{path}/over", query="&ttl=0") == 202
    clients.connect("ted", emulator.info("ted"))
    for group in ("over", "lasting"):
        assert call(emulator, "POST", f"{HUB_PATH}/groups/{group}/:send", said(group)) == 202
    clients.wait_for("ted", "message")

    assert clients.messages("ted") == [["lasting"]]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "connections/{id}"),
        ("POST", "users/{name}/:closeConnections"),
        ("POST", "groups/{name}/:closeConnections"),
    ],
)
def test_a_connection_can_be_closed_with_a_reason(
    emulator: RunningEmulator, clients: NodeClients, method: str, path: str
) -> None:
    name = f"closed by {path[:5]}"
    connection = clients.connect(name, emulator.info(quote(name)))
    emulator.change_group(action="add", groupName=quote(name), connectionId=connection)
    path = f"{HUB_PATH}/{path.format(id=connection, name=quote(quote(name)))}"

    assert call(emulator, method, path, query="&reason=Enough.") == 202
    assert "Enough." in clients.wait_for(name, "closed")["error"]


@pytest.mark.parametrize("form", ["/api", "/api/v1"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_is_told_to_anyone(emulator: RunningEmulator, form: str, method: str) -> None:
    answer = requests.request(method, f"{emulator.endpoint.url}{form}/health", timeout=10)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body", [None, [], {}, {"arguments": []}, {"target": 1}, {**BODY, "arguments": 1}]
)
def test_what_is_no_message_is_400(emulator: RunningEmulator, body: Any) -> None:
    assert call(emulator, "POST", f"{HUB_PATH}/:send", body) == 400


def test_a_message_of_more_than_a_mebibyte_is_413(emulator: RunningEmulator) -> None:
    assert call(emulator, "POST", f"{HUB_PATH}/:send", said("x" * 1024 * 1024)) == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/users"),
        ("POST", "/:fly"),
        ("POST", "/rooms/1/:send"),
        ("PUT", "/users/u"),
        ("DELETE", ""),
        ("GET", ""),
    ],
)
def test_other_paths_are_404(emulator: RunningEmulator, method: str, path: str) -> None:
    assert call(emulator, method, HUB_PATH + path, BODY) == 404


@pytest.mark.parametrize("wrong", ["none", "path", "host", "client"])
def test_a_token_for_another_url_is_401(emulator: RunningEmulator, wrong: str) -> None:
    url = f"{emulator.endpoint.url}{HUB_PATH}/:send"
    audience = {"path": f"{url}s", "host": f"http://h{HUB_PATH}/:send"}.get(wrong, url)
    token = make_token(emulator.endpoint, audience, {})
    if wrong == "client":
        token = emulator.info()["accessToken"]
    headers = {} if wrong == "none" else {"Authorization": f"Bearer {token}"}
    answer = requests.post(url, json=BODY, headers=headers, timeout=10)

    assert answer.status_code == 401
    assert "audience" in json.loads(answer.text)["error"]["message"]
