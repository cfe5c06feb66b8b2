import json
from pathlib import Path
from uuid import UUID

import pytest

from image_classifier.errors import SettingsError
from image_classifier.setting_parsers import PublishedName
from image_classifier.settings import SETTINGS, Settings

ROOT = Path(__file__).resolve().parents[2]


def test_defaults_are_those_of_the_table() -> None:
    settings = Settings.from_environ({})

    assert settings.models_dir == "models"
    assert settings.max_image_bytes == 20 * 1024 * 1024
    assert settings.fetch_allowed_ports == {80, 443}
    assert not settings.development
    assert not settings.allow_anonymous


def test_an_empty_variable_means_the_default() -> None:
    assert Settings.from_environ({"MAX_IMAGE_PIXELS": " "}).max_image_pixels == 50_000_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_IMAGE_BYTES", "20 MB"),
        ("MAX_IMAGE_BYTES", "0"),
        ("MAX_IMAGE_PIXELS", "-1"),
        ("FETCH_TIMEOUT_SECONDS", "soon"),
        ("FETCH_TIMEOUT_SECONDS", "nan"),
        ("FETCH_TIMEOUT_SECONDS", "inf"),
        ("FETCH_TIMEOUT_SECONDS", "0"),
        ("FETCH_TIMEOUT_SECONDS", "3600.5"),
        ("ENGINE_THREADS", "-1"),
        ("ENGINE_THREADS", "many"),
        ("FETCH_ALLOWED_PORTS", "http"),
        ("FETCH_ALLOWED_PORTS", "70000"),
        ("FETCH_ALLOWED_PORTS", "65536"),
        ("FETCH_ALLOWED_PORTS", "0"),
        ("FETCH_ALLOWED_PORTS", "443,0"),
        ("FETCH_ALLOWED_HOSTS", "https://example.com/"),
        ("FETCH_ALLOWED_HOSTS", "exam*ple.com"),
        ("FETCH_ALLOW_PRIVATE_ADDRESSES", "maybe"),
        ("WARM_UP", "soon"),
        ("DECODE", "roughly"),
        ("ALLOW_ANONYMOUS", "yes please"),
        ("ONNX_PROVIDER_OPTIONS", "device_id=0"),
        ("ONNX_PROVIDER_OPTIONS", '{"device_id": 0}'),
        ("ONNX_PROVIDER_OPTIONS", '{"CUDAExecutionProvider": {"device_id": [0]}}'),
        ("FETCH_BLOB_CONTAINERS", "*"),
        ("FETCH_BLOB_CONTAINERS", "images,ab"),
        ("FETCH_BLOB_CONTAINERS", "x" * 64),
        ("FETCH_BLOB_CONTAINERS", "Images"),
        ("FETCH_BLOB_CONTAINERS", "pic--tures"),
        ("FETCH_BLOB_CONTAINERS", "-images"),
        ("FETCH_BLOB_CONTAINERS", "images-"),
        ("FETCH_BLOB_CONTAINERS", "images/cats"),
        ("FETCH_BLOB_CONTAINERS", "images;packages"),
        ("FETCH_BLOB_CONTAINERS", "pic.tures"),
        ("FETCH_BLOB_CONTAINERS", "pict%75res"),
        ("FETCH_BLOB_CONTAINERS", "bïlder"),
        ("FETCH_BLOB_CONTAINERS", "$root"),
        ("FETCH_BLOB_CONTAINERS", "$web"),
        ("FETCH_BLOB_CONTAINERS", "$logs"),
        ("FETCH_BLOB_CONTAINERS", "images,azure-webjobs-secrets"),
        ("FETCH_BLOB_CONTAINERS", "azure-webjobs-hosts"),
        ("FETCH_BLOB_CONTAINERS", "app-package-func-abc-1234567"),
        ("CUSTOM_VISION_MODELS", "pets"),
        ("CUSTOM_VISION_MODELS", "=pets"),
        ("CUSTOM_VISION_MODELS", "Iteration1="),
        ("CUSTOM_VISION_MODELS", "Iteration1=pets/"),
        ("CUSTOM_VISION_MODELS", "Iteration1=pets/new"),
        ("CUSTOM_VISION_MODELS", "Iteration1=pets/" + "9" * 5000),
        ("CUSTOM_VISION_MODELS", "my-project/Iteration1=pets"),
        ("CUSTOM_VISION_MODELS", "Iteration1=pets, iteration1=dogs"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match="must be|may have|must have") as error:
        Settings.from_environ({name: value})

    assert name in str(error.value)
    assert value in str(error.value)


def test_published_names_may_name_project_and_version() -> None:
    project = "6AD1D8E4-27DE-4E47-8BF1-1C3B0B3F4A11"
    text = f"My model = pets , {project}/Iteration1=dogs/2,"
    names = Settings.from_environ({"CUSTOM_VISION_MODELS": text}).custom_vision_models

    assert names == (
        PublishedName(None, "my model", "pets", None),
        PublishedName(UUID(project), "iteration1", "dogs", 2),
    )


def test_what_providers_are_told_is_text() -> None:
    text = '{"CUDAExecutionProvider": {"device_id": 1, "use_tf32": false, "arena": "kSame"}}'
    told = Settings.from_environ({"ONNX_PROVIDER_OPTIONS": text}).onnx_provider_options

    assert told == {
        "CUDAExecutionProvider": {"device_id": "1", "use_tf32": "false", "arena": "kSame"}
    }


def test_the_largest_values_are_taken() -> None:
    environ = {"FETCH_TIMEOUT_SECONDS": "3600", "FETCH_ALLOWED_PORTS": "1,65535"}
    settings = Settings.from_environ(environ)

    assert settings.fetch_timeout_seconds == 3600
    assert settings.fetch_allowed_ports == {1, 65535}


def test_containers_are_named_by_azures_rules() -> None:
    text = "images, a-1 ,000," + "x" * 63
    named = Settings.from_environ({"FETCH_BLOB_CONTAINERS": text}).fetch_blob_containers

    assert named == {"images", "a-1", "000", "x" * 63}
    assert Settings.from_environ({}).fetch_blob_containers == frozenset()


def test_a_container_may_have_a_name_that_only_looks_like_the_hosts() -> None:
    text = "azure-webjobs,my-azure-webjobs-secrets"

    assert Settings.from_environ({"FETCH_BLOB_CONTAINERS": text}).fetch_blob_containers


def test_private_addresses_stay_closed_outside_development() -> None:
    published = {"FETCH_ALLOW_PRIVATE_ADDRESSES": "true"}
    local = {**published, "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}

    assert not Settings.from_environ(published).fetch_allow_private_addresses
    assert Settings.from_environ(local).fetch_allow_private_addresses


def test_keys_do_not_show_in_the_repr() -> None:
    assert "secret-1" not in repr(Settings.from_environ({"API_KEYS": "secret-1,secret-2"}))


@pytest.mark.parametrize(
    "value",
    [
        "@Microsoft.KeyVault(SecretUri=https://kv-abc.vault.azure.net/secrets/api-keys)",
        "key-one, @microsoft.keyvault(VaultName=kv-abc;SecretName=api-keys)",
        "@Microsoft.AppConfiguration(Endpoint=https://a.azconfig.io; Key=keys)",
    ],
)
def test_a_reference_that_azure_did_not_resolve_is_no_key(value: str) -> None:
    with pytest.raises(SettingsError, match="API_KEYS.*could not resolve") as error:
        Settings.from_environ({"API_KEYS": value, "ALLOW_ANONYMOUS": "true"})

    assert "kv-abc" not in str(error.value) and "key-one" not in str(error.value)


def test_the_example_lists_every_setting_and_no_other() -> None:
    example = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))["Values"]
    hosts_own = {
        "FUNCTIONS_WORKER_RUNTIME",
        "AzureWebJobsStorage",
        "AzureWebJobs.classify_queue.Disabled",
        "AzureSignalRConnectionString",
        "PYTHON_THREADPOOL_THREAD_COUNT",
        "PYTHON_ISOLATE_WORKER_DEPENDENCIES",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
    }

    assert set(example) - hosts_own == {setting.name for setting in SETTINGS}


def test_the_example_has_the_defaults_but_for_the_sample_on_localhost() -> None:
    example = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))["Values"]
    changed = {s.name: example[s.name] for s in SETTINGS if example[s.name] != s.default}

    assert changed == {"FETCH_ALLOW_PRIVATE_ADDRESSES": "true"}
