"""Storage connection strings, and the signatures of requests."""

from __future__ import annotations

import base64
import hmac

import pytest

from local_host.errors import HostError
from local_host.queues.storage_account import StorageAccount, find_account

KEY = "a2V5IG9mIGEgc3RvcmFnZSBhY2NvdW50"
SAS = "sv=2021-12-02&ss=q&srt=sco&sp=rwdlacup&se=2030-01-01T00%3A00%3A00Z&sig=c2ln%3D"


@pytest.mark.parametrize(
    ("text", "endpoint", "name"),
    [
        (
            "UseDevelopmentStorage=true",
            "http://127.0.0.1:10001/devstoreaccount1",
            "devstoreaccount1",
        ),
        (
            "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite",
            "http://azurite:10001/devstoreaccount1",
            "devstoreaccount1",
        ),
        (
            f"DefaultEndpointsProtocol=https;AccountName=cats;AccountKey={KEY};"
            "EndpointSuffix=core.windows.net",
            "https://cats.queue.core.windows.net",
            "cats",
        ),
        (
            f" accountname = cats ; ACCOUNTKEY = {KEY} ",
            "https://cats.queue.core.windows.net",
            "cats",
        ),
        (
            f"AccountName=c;AccountKey={KEY};QueueEndpoint=http://127.0.0.1:7777/c/;",
            "http://127.0.0.1:7777/c",
            "c",
        ),
        (
            f"QueueEndpoint=https://cats.queue.core.windows.net;SharedAccessSignature=?{SAS}",
            "https://cats.queue.core.windows.net",
            "",
        ),
    ],
)
def test_connection_string_is_understood(text: str, endpoint: str, name: str) -> None:
    account = StorageAccount.parse(text, "S")

    assert (account.endpoint, account.name) == (endpoint, name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "is not a storage connection string"),
        ("UseDevelopmentStorage=false", "names no address"),
        (f"AccountKey={KEY}", "names no address"),
        (f"AccountName=c;AccountKey={KEY};QueueEndpoint=ftp://c", "names no address"),
        ("AccountName=c", "neither AccountKey nor SharedAccessSignature"),
        ("AccountName=c;AccountKey=secret!", "is not base64"),
    ],
)
def test_what_is_no_connection_string_is_refused_without_showing_it(text: str, reason: str) -> None:
    with pytest.raises(HostError, match=reason) as caught:
        StorageAccount.parse(text, "MyStorage")

    assert "MyStorage" in str(caught.value) and "UseDevelopmentStorage=true" in str(caught.value)
    assert "secret" not in str(caught.value) and KEY not in str(caught.value)


def test_secrets_are_not_in_the_representation() -> None:
    shown = repr(StorageAccount.parse(f"AccountName=c;AccountKey={KEY}", "S"))
    shown += repr(StorageAccount.parse(f"QueueEndpoint=https://c;SharedAccessSignature={SAS}", "S"))

    assert "key of a" not in shown and "sig=" not in shown


@pytest.mark.parametrize("mark", ["", "?"])
def test_shared_access_signature_goes_into_the_address_and_nothing_is_signed(mark: str) -> None:
    text = f"QueueEndpoint=https://c;SharedAccessSignature={mark}{SAS}"
    account = StorageAccount.parse(text, "S")

    assert account.url("/q/messages", {"a": "b c&d"}) == f"https://c/q/messages?a=b%20c%26d&{SAS}"
    assert "authorization" not in account.headers("GET", "/q/messages", {}, b"")


@pytest.mark.parametrize("connection", ["", "Storage", "AzureWebJobsStorage"])
def test_connection_is_looked_up_with_its_prefix_first(connection: str) -> None:
    environ = {
        "Storage": "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://wrong",
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    }

    assert find_account(connection, environ).setting == "AzureWebJobsStorage"


def test_connection_may_be_the_settings_own_name() -> None:
    assert find_account("Mine", {"Mine": "UseDevelopmentStorage=true"}).setting == "Mine"


@pytest.mark.parametrize("address", ["accountName", "queueServiceUri", "blobServiceUri"])
@pytest.mark.parametrize("connection", ["", "AzureWebJobsStorage", "Mine"])
def test_an_account_for_an_identity_alone_is_told_apart_from_none(
    connection: str, address: str
) -> None:
    setting = connection or "AzureWebJobsStorage"
    named = f"{setting}__{address}"
    environ = {named: "https://cats.queue.core.windows.net", f"{setting}__clientId": "1"}
    with pytest.raises(HostError, match="connection string only") as caught:
        find_account(connection, environ)

    assert str(caught.value).startswith(f"{named} names")
    assert f"Set {setting} to one as well" in str(caught.value)
    opened = find_account(connection, environ | {setting: "UseDevelopmentStorage=true"})
    assert opened.setting == setting


def test_settings_that_name_no_account_do_not_count_as_one() -> None:
    environ = {"AzureWebJobsStorage__credential": "managedidentity", "Other__accountName": "cats"}
    with pytest.raises(HostError, match="does not exist"):
        find_account("", environ | {"AzureWebJobsStorage__accountName": " "})


def test_missing_connection_names_the_setting_to_make() -> None:
    with pytest.raises(HostError, match=r"'AzureWebJobsStorage' does not exist\. Set"):
        find_account("", {"AzureWebJobsStorage": " "})
    with pytest.raises(HostError, match=r"'Mine' does not exist\. Set Mine"):
        find_account("Mine", {})


def test_request_is_signed_as_the_service_documents_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts to sign are written out by the rules of Shared Key."""
    date = "Mon, 30 Nov 2026 12:00:00 GMT"
    monkeypatch.setattr("local_host.queues.storage_account.formatdate", lambda usegmt: date)
    account = StorageAccount.parse(f"AccountName=cats;AccountKey={KEY}", "S")
    query = {"visibilitytimeout": "30", "popreceipt": "a+b"}

    bare = account.headers("DELETE", "/q/messages/1", query, b"")
    full = account.headers("POST", "/q/messages", {"messagettl": "-1"}, b"<x/>")

    assert bare == {
        "x-ms-date": date,
        "x-ms-version": "2021-12-02",
        "authorization": f"SharedKey cats:{signature(BARE)}",
    }
    assert full["content-type"] == "application/xml"
    assert full["authorization"] == f"SharedKey cats:{signature(FULL)}"


def test_path_of_the_endpoint_is_signed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    date = "Mon, 30 Nov 2026 12:00:00 GMT"
    monkeypatch.setattr("local_host.queues.storage_account.formatdate", lambda usegmt: date)
    text = f"AccountName=cats;AccountKey={KEY};QueueEndpoint=http://127.0.0.1:1/cats/"
    account = StorageAccount.parse(text, "S")

    headers = account.headers("PUT", "/q", {}, b"")

    expected = BARE.replace("DELETE", "PUT").partition("/cats/q")[0] + "/cats/cats/q"
    assert headers["authorization"] == f"SharedKey cats:{signature(expected)}"
    assert account.url("/q", {}) == "http://127.0.0.1:1/cats/q"


BARE = (
    "DELETE\n\n\n\n\n\n\n\n\n\n\n\n"
    "x-ms-date:Mon, 30 Nov 2026 12:00:00 GMT\nx-ms-version:2021-12-02\n"
    "/cats/q/messages/1\npopreceipt:a+b\nvisibilitytimeout:30"
)
FULL = (
    "POST\n\n\n4\n\napplication/xml\n\n\n\n\n\n\n"
    "x-ms-date:Mon, 30 Nov 2026 12:00:00 GMT\nx-ms-version:2021-12-02\n"
    "/cats/q/messages\nmessagettl:-1"
)


def signature(text: str) -> str:
    digest = hmac.digest(base64.b64decode(KEY), text.encode(), "sha256")
    return base64.b64encode(digest).decode()
