from __future__ import annotations

import pytest

from image_classifier.errors import SettingsError
from image_classifier.own_blobs import OwnBlobs
from image_classifier.settings import Settings

CONNECTION = "DefaultEndpointsProtocol=https;AccountName=store;AccountKey=c2VjcmV0"


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({"__accountName": "store"}, "store.blob.core.windows.net"),
        ({"__accountName": " Store "}, "store.blob.core.windows.net"),
        ({"__blobServiceUri": "https://a.blob.core.windows.net"}, "a.blob.core.windows.net"),
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
        ({"": CONNECTION, "__accountName": "newer"}, "newer.blob.core.windows.net"),
    ],
)
def test_the_account_is_the_one_that_the_host_uses(environ: dict[str, str], host: str) -> None:
    named = {f"AzureWebJobsStorage{name}": value for name, value in environ.items()}

    assert OwnBlobs.from_environ(named).host == host


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"": "UseDevelopmentStorage=true"},
        {"": "not a connection string"},
        {"__accountName": "store.evil.example/"},
        {"__accountName": "st"},
        {"__blobServiceUri": "http://store.blob.core.windows.net"},
        {"__blobServiceUri": "https://store.blob.core.windows.net:8443"},
        {"__blobServiceUri": "https://store.blob.core.windows.net:many"},
        {"__blobServiceUri": "https://"},
        {"__blobServiceUri": "https://[store"},
    ],
)
def test_an_app_without_such_an_account_does_not_start(environ: dict[str, str]) -> None:
    named = {f"AzureWebJobsStorage{name}": value for name, value in environ.items()}
    with pytest.raises(SettingsError, match="FETCH_BLOB_IDENTITY='true'") as error:
        Settings.from_environ({"FETCH_BLOB_IDENTITY": "true", **named})

    assert "c2VjcmV0" not in str(error.value)
    assert Settings.from_environ(named).own_blobs is None


def test_the_endpoints_key_does_not_show() -> None:
    own = OwnBlobs.from_environ(
        {"AzureWebJobsStorage__accountName": "store", "IDENTITY_HEADER": "secret"}
    )

    assert own.token_key == "secret"
    assert "secret" not in repr(own)
