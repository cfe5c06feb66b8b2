from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.functions.meta import Datum

from local_host.bindings.outputs import QueueWrite, SignalRWrite, Write, to_writes
from local_host.bindings.targets import BindingTargets
from local_host.functions.converters import converter_for
from local_host.functions.function_table import FunctionTable
from local_host.signalr.messages import SignalRError
from tests.support.apps import write_app, write_function

BINDINGS = [
    {"type": "httpTrigger", "direction": "in", "name": "req"},
    {"type": "queue", "direction": "out", "name": "q", "queueName": "images"},
    {"type": "signalR", "direction": "out", "name": "$return", "hubName": "Cats"},
]
HELLO = {"target": "hello", "arguments": [1]}


def writes(root: Path, *, is_base64: bool = True, **values: Any) -> list[Write]:
    environ = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
    write_function(write_app(root), "f", "", bindings=BINDINGS)
    table = FunctionTable.read(root, environ)
    named = {"$return" if name == "signalr" else name: value for name, value in values.items()}
    targets = BindingTargets.resolve(table, environ)
    return to_writes(table.functions[0], named, targets, is_base64=is_base64)


def queue_texts(root: Path, value: Any) -> list[str]:
    """What goes into the queue for what a function gave, decoded."""
    datum = converter_for("queue").encode(value, expected_type=None)
    found = writes(root, q=datum)
    assert all(isinstance(one, QueueWrite) and one.target.queue == "images" for one in found)
    return [base64.b64decode(one.text).decode() for one in found if isinstance(one, QueueWrite)]


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("plain", ["plain"]),
        ("", [""]),
        (b"bytes \xc3\xa4", ["bytes ä"]),
        (b"[1, 2]", ["[1, 2]"]),
        ('{"a": [1]}', ['{"a": [1]}']),
        ('["a", {"b": "ü"}, 3, null]', ["a", '{"b": "ü"}', "3", "null"]),
        ("[not json", ["[not json"]),
        ("[]", []),
        (["one", "two"], ["one", "two"]),
    ],
)
def test_queue_takes_text_and_bytes_and_one_message_for_each_element(
    tmp_path: Path, value: Any, texts: list[str]
) -> None:
    assert queue_texts(tmp_path, value) == texts


def test_queue_message_objects_are_sent_as_json_as_the_real_host_does(tmp_path: Path) -> None:
    (text,) = queue_texts(tmp_path, func.QueueMessage(id="1", body="hello"))

    assert json.loads(text) == {"id": "1", "body": "hello"}


def test_queue_text_is_as_it_is_without_encoding(tmp_path: Path) -> None:
    (write,) = writes(tmp_path, is_base64=False, q=Datum("hello", "string"))

    assert isinstance(write, QueueWrite) and write.text == "hello"


def test_message_that_fits_exactly_is_taken_and_one_byte_more_is_refused(tmp_path: Path) -> None:
    assert writes(tmp_path / "a", q=Datum("x" * 49152, "string"))
    with pytest.raises(ValueError, match="'images' has 49153 bytes; at most 49152 fit"):
        writes(tmp_path / "b", q=Datum("x" * 49153, "string"))


@pytest.mark.parametrize(
    "datum",
    [
        Datum(json.dumps(HELLO), "string"),
        Datum(json.dumps(HELLO).encode(), "bytes"),
        Datum(HELLO, "json"),
    ],
)
def test_signalr_takes_text_bytes_and_objects(tmp_path: Path, datum: Any) -> None:
    (write,) = writes(tmp_path, signalr=datum)

    assert isinstance(write, SignalRWrite)
    assert write.message == HELLO and write.target.hub == "Cats"


@pytest.mark.parametrize(
    "datum",
    [Datum(json.dumps([HELLO, HELLO, HELLO]), "string"), Datum([HELLO, HELLO, HELLO], "json")],
)
def test_signalr_sends_each_element_of_an_array(tmp_path: Path, datum: Any) -> None:
    assert len(writes(tmp_path, signalr=datum)) == 3


@pytest.mark.parametrize("text", ["hello", "3", '{"target": "x"}', '["x"]', "null", "[[]]"])
def test_what_is_no_signalr_message_is_refused_in_the_real_hosts_words(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(SignalRError, match="valid output binding type, check parameters"):
        writes(tmp_path, signalr=Datum(text, "string"))


def test_outputs_that_were_not_set_write_nothing(tmp_path: Path) -> None:
    assert writes(tmp_path, q=None, signalr=Datum(None, None)) == []
