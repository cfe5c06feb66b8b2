from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local_host.configuration.host_json import HostFile
from local_host.configuration.local_settings import Cors, LocalSettings
from local_host.errors import HostError
from tests.support.apps import write_app


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), "utf-8-sig")
    return path


def test_example_is_read_only_when_the_real_file_is_missing(tmp_path: Path) -> None:
    write(tmp_path / "local.settings.json.example", {"Values": {"A": "example"}})
    assert LocalSettings.read(tmp_path).values == {"A": "example"}

    write(tmp_path / "local.settings.json", {"Values": {"A": "mine"}})
    assert LocalSettings.read(tmp_path).values == {"A": "mine"}


def test_no_file_means_no_settings(tmp_path: Path) -> None:
    assert LocalSettings.read(tmp_path) == LocalSettings()


def test_variables_of_the_environment_win_and_are_named(tmp_path: Path) -> None:
    write(tmp_path / "local.settings.json", {"Values": {"A": "1", "B": True, "C": 3, "D": None}})
    environ = {"A": "mine"}

    skipped = LocalSettings.read(tmp_path).apply(environ)

    assert skipped == ["A"]
    assert environ == {"A": "mine", "B": "true", "C": "3", "D": ""}


def test_a_connection_named_for_an_identity_replaces_the_connection_string_of_the_file(
    tmp_path: Path,
) -> None:
    """The host takes a connection string first, so the example's would hide what was asked for."""
    values = {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "AzureWebJobs": "1", "A": "2"}
    (tmp_path / "local.settings.json.example").write_text(json.dumps({"Values": values}))
    environ = {
        "AzureWebJobsStorage__blobServiceUri": "https://a.blob.core.windows.net",
        "A__clientId": "names no address, so it replaces nothing",
    }
    settings = LocalSettings.read(tmp_path)

    assert settings.added_to(environ) == {"AzureWebJobs": "1", "A": "2"}
    assert settings.apply(environ) == ["AzureWebJobsStorage"]
    assert "AzureWebJobsStorage" not in environ


def test_host_block_is_read(tmp_path: Path) -> None:
    host = {
        "CORS": "http://a:8080,http://b",
        "CORSCredentials": True,
        "LocalHttpPort": 7100,
        "LocalHttpAddress": "127.0.0.2",
    }
    settings = LocalSettings.read(tmp_path, write(tmp_path / "s.json", {"Host": host}))

    assert settings.cors == Cors(("http://a:8080", "http://b"), credentials=True)
    assert (settings.port, settings.address) == (7100, "127.0.0.2")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"IsEncrypted": True}, "encrypted"),
        ({"Values": {"A": {"B": "C"}}}, "Values.A must be a string"),
        ({"Values": ["A"]}, "Values must be a JSON object"),
        ({"Host": {"CORS": "*", "CORSCredentials": True}}, "cannot be \\*"),
        ({"Host": {"LocalHttpPort": "http"}}, "LocalHttpPort='http'"),
        ({"Host": {"CORS": ["http://a"]}}, "separated by commas"),
        (["Values"], "JSON object"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(
    tmp_path: Path, content: Any, reason: str
) -> None:
    path = write(tmp_path / "local.settings.json", content)
    with pytest.raises(HostError, match=reason) as caught:
        LocalSettings.read(tmp_path)
    assert str(path) in str(caught.value)


def test_host_json_has_the_real_hosts_defaults(tmp_path: Path) -> None:
    assert HostFile.read(write_app(tmp_path)) == HostFile("api", -1, -1, 1800.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:05:00", 300.0), ("1.00:00:00", 86400.0), ("00:00:00.5", 0.5), ("-1", None)],
)
def test_function_timeout_is_a_time_span(tmp_path: Path, text: str, seconds: float | None) -> None:
    host_file = HostFile.read(write_app(tmp_path, {"functionTimeout": text}))

    assert host_file.function_timeout_seconds == seconds


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"functionTimeout": "5 minutes"}, "hh:mm:ss"),
        ({"extensions": {"http": {"maxOutstandingRequests": 0}}}, "maxOutstandingRequests=0"),
        ({"extensions": {"http": {"maxConcurrentRequests": "many"}}}, "'many'"),
        ({"extensions": {"http": {"routePrefix": 1}}}, "routePrefix=1"),
        ({"extensions": ["http"]}, "extensions must be a JSON object"),
    ],
)
def test_host_json_that_cannot_be_used_is_refused(
    tmp_path: Path, content: dict[str, Any], reason: str
) -> None:
    write_app(tmp_path, content)
    with pytest.raises(HostError, match=reason):
        HostFile.read(tmp_path)


def test_missing_host_json_says_how_to_name_the_root(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="--root"):
        HostFile.read(tmp_path)
