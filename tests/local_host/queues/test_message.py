"""Queue messages: their text decoded, and as the trigger's value of a function."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_host.queues.message import QueueCall, RawMessage, decode_text, trigger_value

INSERTED = datetime(2026, 11, 30, 12, 0, 0, 5000, UTC)
MESSAGE = RawMessage(
    id="id-1",
    text="",
    pop_receipt="receipt",
    dequeue_count=3,
    inserted=INSERTED,
    expires=INSERTED + timedelta(days=7),
    next_visible=INSERTED + timedelta(minutes=10),
)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def value_of(body: str | bytes) -> Any:
    return trigger_value(QueueCall("f", "q", MESSAGE, body), "queueTrigger")


@pytest.mark.parametrize(
    ("text", "is_base64", "body"),
    [
        (encoded("hällo".encode()), True, "hällo"),
        (encoded(b"\xff\x00"), True, b"\xff\x00"),
        ("", True, ""),
        (encoded(b"a"), False, encoded(b"a")),
        ("no base64!", False, "no base64!"),
    ],
)
def test_text_is_decoded_as_the_settings_say(text: str, is_base64: bool, body: str | bytes) -> None:
    assert decode_text(text, is_base64=is_base64) == body


@pytest.mark.parametrize("text", ["no base64!", "YQ", "YQ==\n", "Ÿ", "Y Q = ="])
def test_text_that_is_not_base64_is_an_error_that_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="^not base64: "):
        decode_text(text, is_base64=True)


@pytest.mark.parametrize("body", ["hello", b"\xff", '{"id": "mine"}', "[1]", "{broken", "{" * 9999])
def test_function_gets_the_message_with_all_that_is_known_of_it(body: str | bytes) -> None:
    message = value_of(body)

    assert message.get_body() == (body if isinstance(body, bytes) else body.encode())
    # A field of the message does not hide what the service says.
    assert (message.id, message.pop_receipt, message.dequeue_count) == ("id-1", "receipt", 3)
    assert message.insertion_time == MESSAGE.inserted
    assert message.expiration_time == MESSAGE.expires
    assert message.time_next_visible == MESSAGE.next_visible


def test_fields_of_the_message_do_not_replace_what_the_service_says() -> None:
    message = value_of(json.dumps({"Id": "wrong", "DequeueCount": 99, "PopReceipt": "wrong"}))

    assert (message.id, message.pop_receipt, message.dequeue_count) == ("id-1", "receipt", 3)


def test_call_says_why_in_the_real_hosts_words() -> None:
    call = QueueCall("f", "images", MESSAGE, "")

    assert call.reason == "New queue message detected on 'images'."
    assert call.details == (
        "Trigger Details: MessageId: id-1, DequeueCount: 3, "
        "InsertionTime: 2026-11-30T12:00:00.005+00:00"
    )
