from __future__ import annotations

import time

import pytest

from image_classifier.errors import SettingsError
from image_classifier.fetching.urls import parse_url
from image_classifier.settings import Settings
from image_classifier.storage_settings import BlobAccount, OwnBlobs, StorageSettings

IMAGES = frozenset({"images", "cat-photos"})
CONNECTION = "DefaultEndpointsProtocol=https;AccountName=store;AccountKey=c2VjcmV0"


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({"__accountName": "store"}, "store.blob.core.windows.net"),
        ({"__accountName": " Store "}, "store.blob.core.windows.net"),
        ({"__blobServiceUri": "https://a.blob.core.windows.net"}, "a.blob.core.windows.net"),
        (
            {
                "__blobServiceUri": "https://a.blob.core.windows.net/",
                "__queueServiceUri": "https://b.queue.core.windows.net/",
                "__tableServiceUri": "https://c.table.core.windows.net/",
            },
            "a.blob.core.windows.net",
        ),
        (
            {"__blobServiceUri": "https://A.Blob.Core.ChinaCloudApi.cn:443/", "__accountName": "x"},
            "a.blob.core.chinacloudapi.cn",
        ),
        ({"": CONNECTION}, "store.blob.core.windows.net"),
        (
            {"": f"{CONNECTION};EndpointSuffix=core.usgovcloudapi.net"},
            "store.blob.core.usgovcloudapi.net",
        ),
        (
            {"": "BlobEndpoint=https://store.z01.blob.storage.azure.net/;SharedAccessSignature=x"},
            "store.z01.blob.storage.azure.net",
        ),
        ({"": CONNECTION, "__accountName": "other"}, "store.blob.core.windows.net"),
        (
            {"": CONNECTION, "__blobServiceUri": "https://other.blob.core.windows.net"},
            "store.blob.core.windows.net",
        ),
        ({"": " ", "__accountName": "other"}, "other.blob.core.windows.net"),
    ],
)
def test_the_account_is_the_one_that_the_host_uses(environ: dict[str, str], host: str) -> None:
    named = {f"AzureWebJobsStorage{name}": value for name, value in environ.items()}

    assert own_blobs_in(named).host == host


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"": "UseDevelopmentStorage=true"},
        {"": "not a connection string"},
        {"": "AccountName=store"},
        {"": f"{CONNECTION};BlobEndpoint=http://store.blob.core.windows.net"},
        {"__accountName": "store.evil.example/"},
        {"__accountName": "st"},
        {"__blobServiceUri": "http://store.blob.core.windows.net"},
        {"__blobServiceUri": "https://store.blob.core.windows.net:8443"},
        {"__blobServiceUri": "https://store.blob.core.windows.net:many"},
        {"__queueServiceUri": "https://store.queue.core.windows.net"},
        {"__blobServiceUri": "https://blobs.example.com/store"},
        {"__blobServiceUri": "https://store.blob.core.windows.net/?sig=c2VjcmV0"},
        {"__blobServiceUri": "https://"},
        {"__blobServiceUri": "https://[store"},
    ],
)
def test_an_app_without_such_an_account_does_not_start(environ: dict[str, str]) -> None:
    named = {f"AzureWebJobsStorage{name}": value for name, value in environ.items()}
    with pytest.raises(SettingsError, match="FETCH_BLOB_IDENTITY='true'") as error:
        Settings.from_environ(
            {"FETCH_BLOB_IDENTITY": "true", "FETCH_BLOB_CONTAINERS": "images", **named}
        )

    assert "c2VjcmV0" not in str(error.value)
    assert Settings.from_environ(named).own_blobs is None


def test_models_and_images_are_in_the_account_that_the_host_uses() -> None:
    """The Functions host passes over the settings for an identity beside a connection string."""
    both = {
        "AzureWebJobsStorage": CONNECTION,
        "AzureWebJobsStorage__accountName": "other",
        "AzureWebJobsStorage__clientId": "c-1",
    }
    connection_string = StorageSettings.from_environ(both).account()
    identity = StorageSettings.from_environ(both | {"AzureWebJobsStorage": ""}).account()

    assert connection_string == BlobAccount(
        "https://store.blob.core.windows.net", "store", "c2VjcmV0"
    )
    assert identity == BlobAccount(
        "https://other.blob.core.windows.net", identity=True, client_id="c-1"
    )
    assert StorageSettings.from_environ({}).account() is None


def test_the_endpoints_key_does_not_show() -> None:
    own = own_blobs_in({"AzureWebJobsStorage__accountName": "store", "IDENTITY_HEADER": "secret"})

    assert own.token_key == "secret"
    assert "secret" not in repr(own)


@pytest.mark.parametrize("text", ["", " ", ",", " , ,"])
def test_no_container_never_means_all_of_them(text: str) -> None:
    environ = {
        "FETCH_BLOB_IDENTITY": "true",
        "FETCH_BLOB_CONTAINERS": text,
        "AzureWebJobsStorage__accountName": "store",
    }
    with pytest.raises(SettingsError, match="Set FETCH_BLOB_CONTAINERS to"):
        Settings.from_environ(environ)

    own = Settings.from_environ(environ | {"FETCH_BLOB_CONTAINERS": "images"}).own_blobs
    assert own is not None
    assert own.containers == {"images"}


@pytest.mark.parametrize(
    "path",
    [
        "/images/cat.png",
        "/cat-photos/2026/07/cat.png",
        "/images/2026%2F07%2Fcat.png",
        "/images/my%20cat%20%281%29.png",
        "/images/K%C3%A4tzchen%E2%80%AFAM.png",
        "/images/100%25.png",
        "/images/a%2520b.png",
        "/images/.hidden/..cat..png",
        "/images/cat.png.",
        "/images/a;b.png",
        "/images/packages",
        "/images/why%3F.png",
    ],
)
def test_blobs_of_the_named_containers_are_the_apps_own(path: str) -> None:
    assert own_blobs().has(path)


# What a server, or something before it, could read as the path of another container.
TRICKS = [
    "/packages/released.zip",
    "/azure-webjobs-secrets/app/host.json",
    "/images2/cat.png",
    "/images-/cat.png",
    "/image/s/cat.png",
    "/cat.png",
    "/images",
    "/images/",
    "/",
    "/$root/cat.png",
    "/%24web/cat.png",
    "//images/cat.png",
    "//packages/released.zip",
    "/./images/cat.png",
    "/x/../images/cat.png",
    "/Images/cat.png",
    "/IMAGES/cat.png",
    "/%70ictures/cat.png",
    "/images%20/cat.png",
    "/images%00/cat.png",
    "/images;packages/cat.png",
    "/images,packages/cat.png",
    "/images%2Fcat.png",
    "/images%2f..%2fpackages/released.zip",
    "/%70ackages/released.zip",
    "/%EF%BD%90ictures/cat.png",
    "/images/../packages/released.zip",
    "/images/a/../../packages/released.zip",
    "/images/..",
    "/images/./cat.png",
    "/images/.../packages",
    "/images/..;/packages/released.zip",
    "/images/..;x=1/packages/released.zip",
    "/images/..%3b/packages/released.zip",
    "/images/..%20/packages/released.zip",
    "/images/..%2fpackages/released.zip",
    "/images/%2e%2e/packages/released.zip",
    "/images/.%2E/packages/released.zip",
    "/images/%2e%2e%2fpackages%2freleased.zip",
    "/images/%252e%252e/packages/released.zip",
    "/images/%25252e%25252e%25252fpackages/released.zip",
    "/images/%2525252525252e%2525252525252e/packages/released.zip",
    "/images/..%5cpackages%5creleased.zip",
    "/images/x%5c..%5c..%5cpackages",
    "/images/%255c%255cpackages",
    "/images/%c0%ae%c0%ae/packages/released.zip",
    "/images/%c0%af..",
    "/images/%ff",
    "/images/%EF%BC%8E%EF%BC%8E/packages/released.zip",
    "/images/%EF%BC%8E%EF%BC%8E%EF%BC%8Fpackages",
    "/images/x%EF%BC%BC..%EF%BC%BCpackages",
    "/images/%E2%80%A5/packages/released.zip",
    "/images//cat.png",
    "/images/%2fcat.png",
    "/images/%2F%2Fstore.example/cat.png",
    "/images/cat.png/",
    "/images/cat.png%2f",
    "/images/%20/cat.png",
    "/images/cat.png%00.jpg",
    "/images/cat%0d%0aX-More:%20lines.png",
    "/images/cat%C2%85.png",
]


@pytest.mark.parametrize("path", TRICKS)
def test_a_path_that_could_lead_elsewhere_is_not(path: str) -> None:
    url = parse_url(f"https://store.blob.core.windows.net{path}")

    assert not own_blobs().has(url.path)


def test_a_path_that_is_encoded_many_times_is_soon_done_with() -> None:
    started = time.monotonic()

    assert not own_blobs().has("/images/%" + "25" * 4000)
    assert time.monotonic() - started < 1


def own_blobs_in(environ: dict[str, str]) -> OwnBlobs:
    return OwnBlobs.from_environ(environ, StorageSettings.from_environ(environ), IMAGES)


def own_blobs() -> OwnBlobs:
    return OwnBlobs("store.blob.core.windows.net", IMAGES, "", "", "")
