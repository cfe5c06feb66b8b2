from __future__ import annotations

import pytest

from image_classifier import Settings
from image_classifier.errors import SettingsError
from image_classifier.storage_settings import BlobAccount, StorageSettings
from image_classifier.stores.blob_location import BlobLocation, find_location

KEY = "c2VjcmV0LWtleQ=="
OWN = StorageSettings(f"AccountName=own;AccountKey={KEY};EndpointSuffix=core.windows.net")
IDENTITY = StorageSettings(account_name="own", client_id="c-1")
# What Microsoft's templates set; the sisters for queues and tables change nothing here.
BY_ADDRESS = StorageSettings.from_environ(
    {
        "AzureWebJobsStorage__blobServiceUri": "https://own.blob.core.windows.net/",
        "AzureWebJobsStorage__queueServiceUri": "https://own.queue.core.windows.net/",
        "AzureWebJobsStorage__tableServiceUri": "https://own.table.core.windows.net/",
        "AzureWebJobsStorage__credential": "managedidentity",
        "AzureWebJobsStorage__clientId": "c-1",
    }
)
SIGNED = "sv=2024-01-01&sp=rl&sig=very-secret"


def find(models_dir: str, storage: StorageSettings = OWN) -> BlobLocation:
    location = find_location(models_dir, storage)
    assert location is not None
    return location


@pytest.mark.parametrize("text", ["models", "/srv/models", "C:\\models", "../a b", "c:/models"])
def test_a_folder_is_no_location(text: str) -> None:
    assert find_location(text, OWN) is None


def test_an_address_with_a_signature_is_opened_by_it() -> None:
    found = find(f"https://other.blob.core.windows.net/models/live/v2?{SIGNED}")

    assert found.shown == "https://other.blob.core.windows.net/models/live/v2"
    assert (found.container, found.prefix) == ("models", "live/v2/")
    assert found.account == BlobAccount("https://other.blob.core.windows.net", sas=SIGNED)
    assert "secret" not in repr(found)


def test_an_address_in_the_apps_own_account_is_opened_by_its_key() -> None:
    found = find("https://own.blob.core.windows.net/models")

    assert (found.account.name, found.account.key, found.prefix) == ("own", KEY, "")
    assert KEY not in repr(found)


def test_a_key_is_never_taken_to_another_account() -> None:
    found = find("https://other.blob.core.windows.net/models")

    assert found == BlobLocation(BlobAccount("https://other.blob.core.windows.net"), "models")


def test_azure_means_the_account_of_the_app() -> None:
    assert find("azure://models/live").shown == "https://own.blob.core.windows.net/models/live"
    assert find("azure://models/", StorageSettings("UseDevelopmentStorage=true")).shown == (
        "http://127.0.0.1:10000/devstoreaccount1/models"
    )
    shared = StorageSettings(
        "BlobEndpoint=https://own.blob.core.windows.net/;SharedAccessSignature=?sig=s"
    )
    assert find("azure://models", shared).account.sas == "sig=s"


@pytest.mark.parametrize("storage", [IDENTITY, BY_ADDRESS], ids=["by name", "by address"])
def test_an_identity_opens_its_own_account_and_others_of_azure(storage: StorageSettings) -> None:
    own = find("azure://models", storage)
    other = find("https://other.blob.core.windows.net/models", storage)
    elsewhere = find("https://files.example.com/models", storage)
    by_url = find("https://own.blob.core.windows.net/models", storage)

    assert own.account.url == "https://own.blob.core.windows.net"
    assert own.account.identity and own.account.client_id == "c-1"
    assert by_url == own
    assert other.account.identity and other.account.client_id == "c-1"
    assert not elsewhere.account.identity, "what proves the identity is not for others to see"


def test_the_emulator_has_its_account_in_the_path() -> None:
    found = find("http://127.0.0.1:10005/devstoreaccount1/models/live")

    assert found.account.url == "http://127.0.0.1:10005/devstoreaccount1"
    assert (found.container, found.prefix) == ("models", "live/")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://own.blob.core.windows.net/models", "for the storage emulator only"),
        ("https://own.blob.core.windows.net", "cannot be a container's name"),
        ("https://own.blob.core.windows.net/Models", "cannot be a container's name"),
        ("https://own.blob.core.windows.net/models/../other", "must be names of folders"),
        ("https://own.blob.core.windows.net/models/%2e%2e", "must be names of folders"),
        (f"https://user:{KEY}@own.blob.core.windows.net/models", "It must be a folder"),
        ("https://own.blob.core.windows.net/models?x=very-secret", "no shared access signature"),
        (f"azure://models?{SIGNED}", "takes no query"),
        ("s3://models", "It must be a folder, https://"),
        ("https:///models", "It must be a folder"),
    ],
)
def test_what_cannot_be_used_is_said_without_the_secret(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        find(text)

    assert "MODELS_DIR" in str(caught.value)
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "AccountName=a", "nonsense", f"AccountKey={KEY}"])
def test_a_connection_string_that_opens_nothing_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError, match="AzureWebJobsStorage") as caught:
        find("azure://models", StorageSettings(text))

    assert KEY not in str(caught.value)


def test_an_account_that_is_not_named_can_be_named_in_each_way() -> None:
    queues = {"AzureWebJobsStorage__queueServiceUri": "https://own.queue.core.windows.net"}
    with pytest.raises(SettingsError, match="names none") as caught:
        find("azure://models", StorageSettings.from_environ(queues))

    for name in ("connection string", "__accountName", "__blobServiceUri"):
        assert name in str(caught.value)


def test_no_secret_shows_in_the_settings() -> None:
    settings = Settings.from_environ(
        {
            "MODELS_DIR": f"https://a.blob.core.windows.net/models?{SIGNED}",
            "AzureWebJobsStorage": f"AccountName=own;AccountKey={KEY}",
        }
    )

    assert "a.blob.core.windows.net/models" in repr(settings)
    assert "secret" not in repr(settings) and KEY not in repr(settings)
