"""The storage emulator as a process: started, asked, ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from tests.support.azurite import API_VERSION, Queue
from tests.support.servers import ROOT
from tools.azurite import Azurite
from tools.bootstrap.azurite_emulator import install
from tools.bootstrap.environments import EnvironmentSetupError


def test_two_emulators_do_not_see_each_others_queues(azurite: Azurite) -> None:
    queue = Queue(azurite)
    with Azurite() as other:
        assert not Queue(other, queue.name, create=False).exists

    assert other.process.returncode is not None
    assert queue.exists


def test_queues_in_a_folder_outlive_the_emulator(azurite: Azurite, tmp_path: Path) -> None:
    with Azurite(folder=tmp_path) as first:
        Queue(first, "kept").put("hello")
    with Azurite(port=first.port, folder=tmp_path) as second:
        assert Queue(second, "kept", create=False).texts() == ["hello"]


def test_blobs_are_there_beside_the_queues_when_asked_for() -> None:
    command = [sys.executable, "-m", "tools.azurite", "--port", "0", "--blobs", "0"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        lines = [running.stdout.readline() for _ in range(3)]
        setting = lines[2].strip().partition("=")[2]
        with QueueServiceClient.from_connection_string(setting) as queues:
            assert list(queues.list_queues()) == []
        with BlobServiceClient.from_connection_string(setting, api_version=API_VERSION) as blobs:
            assert list(blobs.list_containers()) == []
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(10)
        running.stdout.close()
    assert lines[0].startswith("Azurite's queues") and lines[1].startswith("Azurite's blobs")


def test_a_port_in_use_is_told_with_what_to_do(azurite: Azurite) -> None:
    port = azurite.port
    command = [sys.executable, "-m", "tools.azurite", "--port", str(port)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"Port {port} is in use" in done.stderr and "--port" in done.stderr


def test_a_machine_without_node_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("package.json", "package-lock.json"):
        (tmp_path / name).write_bytes((ROOT / "tools" / "azurite" / name).read_bytes())
    monkeypatch.setattr("tools.bootstrap.azurite_emulator.HERE", tmp_path)

    with pytest.raises(EnvironmentSetupError, match=r"install Node\.js 20"):
        install()
