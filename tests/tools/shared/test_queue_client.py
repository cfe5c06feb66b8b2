"""Queues are opened by the name of a setting, and no message holds a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.servers import free_port
from tools.azurite import Azurite
from tools.shared.errors import ToolError
from tools.shared.queue_client import (
    count_messages,
    create_queue,
    decode,
    encode,
    open_queue,
    sending_url,
)

KEY = "c2VjcmV0LWtleS1vZi10aGUtYWNjb3VudA=="


def local_settings(folder: Path, values: dict[str, str]) -> Path:
    (folder / "local.settings.json").write_text(json.dumps({"Values": values}))
    return folder


def test_the_environment_wins_over_the_file_and_the_file_over_nothing(tmp_path: Path) -> None:
    root = local_settings(tmp_path, {"AzureWebJobsStorage": f"AccountName=filed;AccountKey={KEY}"})
    environ = {"AzureWebJobsStorage": f"AccountName=environ;AccountKey={KEY}"}

    assert open_queue("images", root=root, environ=environ).account_name == "environ"
    assert open_queue("images", root=root, environ={}).account_name == "filed"
    empty = {"AzureWebJobsStorage": ""}
    assert open_queue("images", root=root, environ=empty).account_name == "filed"


def test_a_connection_is_found_by_both_of_its_names(tmp_path: Path) -> None:
    text = f"AccountName=other;AccountKey={KEY}"
    for name in ("Images", "AzureWebJobsImages"):
        queue = open_queue("images", setting="Images", root=tmp_path, environ={name: text})
        assert queue.account_name == "other"


def test_the_emulator_has_a_short_name(tmp_path: Path) -> None:
    environ = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
    queue = open_queue("images", root=tmp_path, environ=environ)

    assert queue.url == "http://127.0.0.1:10001/devstoreaccount1/images"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "neither in the environment nor in local.settings.json"),
        (f"AccountKey={KEY}", "is not a connection string"),
        (KEY, "is not a connection string"),
        (f"{KEY};", "is not a connection string"),
    ],
)
def test_a_setting_that_is_no_connection_string_is_named_and_not_shown(
    text: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ToolError, match=words) as caught:
        open_queue("images", root=tmp_path, environ={"AzureWebJobsStorage": text})

    assert "AzureWebJobsStorage" in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_secret_on_the_command_line_is_refused_without_being_repeated(tmp_path: Path) -> None:
    text = f"AccountName=a;AccountKey={KEY}"
    with pytest.raises(ToolError, match="everybody on this machine") as caught:
        open_queue("images", setting=text, root=tmp_path, environ={})

    assert KEY not in str(caught.value)


@pytest.mark.parametrize("name", ["", "ab", "Images", "a_b", "-ab", "ab-", "a--b", "a" * 64, "a/b"])
def test_a_name_that_no_queue_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="cannot be a queue's name"):
        open_queue(name, root=tmp_path, environ={"AzureWebJobsStorage": KEY})


def test_local_settings_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text("{")

    with pytest.raises(ToolError, match=r"local\.settings\.json"):
        open_queue("images", root=tmp_path, environ={})


def test_a_queue_is_made_once_and_counted(azurite: Azurite, tmp_path: Path) -> None:
    environ = {"AzureWebJobsStorage": azurite.connection_string}
    queue = open_queue("of-test-storage", root=tmp_path, environ=environ)

    assert count_messages(queue) is None
    assert create_queue(queue)
    assert not create_queue(queue)
    assert count_messages(queue) == 0
    queue.send_message("x")
    assert count_messages(queue) == 1


def test_a_key_that_is_wrong_is_said(azurite: Azurite, tmp_path: Path) -> None:
    text = f"AccountName=devstoreaccount1;AccountKey={KEY};QueueEndpoint={azurite.endpoint}"
    queue = open_queue("images", root=tmp_path, environ={"AzureWebJobsStorage": text})

    with pytest.raises(ToolError, match="does not accept the key") as caught:
        count_messages(queue)
    assert KEY not in str(caught.value)


def test_a_storage_that_is_not_there_is_said_with_what_starts_it(tmp_path: Path) -> None:
    text = (
        f"AccountName=devstoreaccount1;AccountKey={KEY};"
        f"QueueEndpoint=http://127.0.0.1:{free_port()}/devstoreaccount1"
    )
    queue = open_queue("images", root=tmp_path, environ={"AzureWebJobsStorage": text})

    with pytest.raises(ToolError, match=r"Nothing answers at 127.*python -m tools\.azurite"):
        count_messages(queue)


def test_the_signature_for_sending_lets_nobody_read(azurite: Azurite, tmp_path: Path) -> None:
    environ = {"AzureWebJobsStorage": azurite.connection_string}
    queue = open_queue("of-test-signature", root=tmp_path, environ=environ)
    create_queue(queue)
    address, _, signature = sending_url(queue).partition("/messages?messagettl=-1&")

    assert address == queue.url
    text = f"QueueEndpoint={azurite.endpoint};SharedAccessSignature={signature}"
    signed = open_queue("of-test-signature", root=tmp_path, environ={"AzureWebJobsStorage": text})
    signed.send_message("x")
    with pytest.raises(ToolError):
        count_messages(signed)
    # Who has only a signature sends with it.
    assert "sig=" in sending_url(signed)


def test_text_goes_through_base64_and_back() -> None:
    assert decode(encode("Grüße 😀")) == "Grüße 😀"
    assert encode("a") == "YQ=="


@pytest.mark.parametrize("content", ["https://h/", "YQ", "//79", "ä"])
def test_content_that_is_not_base64_of_text_has_none(content: str) -> None:
    assert decode(content) is None
