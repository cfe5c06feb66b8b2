"""The app itself with its models on Blob Storage: real processes, the real emulator."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
import requests

from tests.image_classifier.stores.test_blob_store import SEVEN, demo_model, register
from tests.support.azurite import Container, wait_until
from tests.support.servers import LocalHost
from tools.azurite import Azurite
from tools.bootstrap.environments import has_node


def ask(host: LocalHost) -> tuple[str, str]:
    answer = requests.post(f"{host.url}/api/classify", data=SEVEN, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.headers["X-Model"], answer.json()["predictedTagName"]


def test_the_app_follows_the_container_and_outlives_it(tmp_path: Path) -> None:
    if not has_node():
        pytest.skip("the storage emulator needs Node.js with npm, which is not here")
    folder = demo_model(tmp_path / "export")
    storage = Azurite(service="blob")
    storage.start()
    try:
        container = Container(storage)
        register(container, folder)
        env = {
            "MODELS_DIR": f"azure://{container.name}",
            "MODELS_CACHE_DIR": str(tmp_path / "cache"),
            "MODELS_POLL_SECONDS": "0.2",
            "AzureWebJobsStorage": storage.connection_string,
            "WARM_UP": "true",
        }
        with LocalHost(env=env, workers=2) as host:
            check_that_it_follows(host, container, folder)
            storage.stop()
            away = "cannot be reached: nothing answers at 127"
            wait_until(
                lambda: ask(host) == ("digits/2", "n7") and away in host.log(), "it is noticed"
            )
            assert ask(host) == ("digits/2", "n7")
            assert "sig=" not in host.log()
    finally:
        storage.stop()


def check_that_it_follows(host: LocalHost, container: Container, folder: Path) -> None:
    # Both workers warm up at once, and more requests come than one of them would take.
    threads = [threading.Thread(target=ask, args=(host,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(re.findall(" loaded digits/1", host.log())) == 2, "both have it")
    assert host.log().count("downloaded digits/1") == 1

    register(container, demo_model(folder, "n"))
    wait_until(lambda: ask(host) == ("digits/2", "n7"), "the new version answers")
    in_both = " loaded digits/2"  # a worker looks when it is asked
    wait_until(lambda: bool(ask(host)) and len(re.findall(in_both, host.log())) == 2, "in both")
    assert host.log().count("downloaded digits/2") == 1

    register(container, demo_model(folder, "m"))
    container.put("digits/3/labels.txt", b"m0\nm1\nm2\nm3\nm4\nm5\nm6\nm7\nm8\nmX")
    damaged = "digits/3/labels.txt is damaged: its SHA-256"
    wait_until(lambda: ask(host) == ("digits/2", "n7") and damaged in host.log(), "it is refused")
