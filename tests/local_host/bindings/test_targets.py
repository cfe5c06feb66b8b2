from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_host.bindings.targets import BindingTargets, HubTarget
from local_host.functions.function_table import FunctionTable
from local_host.queues.queue_target import QueueTarget
from tests.support.apps import write_app, write_function

STORAGE = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}


def queue(kind: str = "queueTrigger", **settings: Any) -> dict[str, Any]:
    direction = "in" if kind == "queueTrigger" else "out"
    return {"type": kind, "direction": direction, "name": "q", **settings}


def wire(root: Path, bindings: list[dict[str, Any]], **environ: str) -> BindingTargets:
    write_function(write_app(root), "f", "", bindings=bindings)
    return BindingTargets.resolve(FunctionTable.read(root, environ), environ)


def test_settings_are_put_into_names_and_capitals_are_lowered(tmp_path: Path) -> None:
    hub = {"type": "signalR", "direction": "out", "name": "s", "hubName": "%HUB%-1"}
    targets = wire(tmp_path, [queue(queueName="%Q%-Now"), hub], Q="Images", HUB="Cats", **STORAGE)

    reader = targets.readers["f"]
    assert (reader.queue, reader.poison) == ("images-now", "images-now-poison")
    assert targets.targets["f", "s"] == HubTarget("Cats-1", "AzureSignalRConnectionString")
    assert targets.hub_settings == {"AzureSignalRConnectionString"}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "queueName is missing"),
        ({"queueName": "a"}, "is not a name of a queue: 3 to 63"),
        ({"queueName": "a--b"}, "is not a name of a queue: 3 to 63"),
        ({"queueName": "images_1"}, "is not a name of a queue: 3 to 63"),
        ({"queueName": "%Nope%"}, "%Nope% does not resolve to a value. Set Nope"),
        ({"queueName": "q-{id}"}, "does not resolve {…}"),
        ({"queueName": "images", "connection": "Else"}, "'Else' does not exist"),
    ],
)
def test_trigger_that_cannot_be_used_turns_its_function_off(
    tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    targets = wire(tmp_path, [queue(**settings)], **STORAGE)

    assert reason in targets.off["f"]
    assert not targets.readers and not targets.errors


def test_output_that_cannot_be_used_puts_its_function_in_error(tmp_path: Path) -> None:
    targets = wire(tmp_path, [{"type": "httpTrigger", "name": "req"}, queue("queue")], **STORAGE)

    assert "queueName is missing" in targets.errors["f"]


def test_function_that_is_disabled_needs_nothing(tmp_path: Path) -> None:
    bindings = [queue(queueName="images"), {"type": "signalR", "direction": "out", "name": "s"}]
    targets = wire(tmp_path, bindings, **{"AzureWebJobs.f.Disabled": "true"})

    assert targets == BindingTargets()


@pytest.mark.parametrize("name", ["images-poison", "q" * 57])
def test_queue_whose_poison_queue_could_not_be_has_none(name: str, tmp_path: Path) -> None:
    targets = wire(tmp_path, [queue(queueName=name)], **STORAGE)

    assert isinstance(targets.readers["f"], QueueTarget) and targets.readers["f"].poison is None


@pytest.mark.parametrize("name", ["abc", "q" * 56, "a-poison-b", "0-9"])
def test_queue_of_any_other_name_has_a_poison_queue(name: str, tmp_path: Path) -> None:
    reader = wire(tmp_path, [queue(queueName=name)], **STORAGE).readers["f"]

    assert (reader.queue, reader.poison) == (name, f"{name}-poison")


@pytest.mark.parametrize(("name", "is_valid"), [("q" * 63, True), ("q" * 64, False), ("ab", False)])
def test_queue_name_has_3_to_63_characters(name: str, is_valid: bool, tmp_path: Path) -> None:
    targets = wire(tmp_path, [queue(queueName=name)], **STORAGE)

    assert ("f" in targets.readers) is is_valid and ("f" in targets.off) is not is_valid
