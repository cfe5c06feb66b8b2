"""Defines every app setting, and reads them once from the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from image_classifier import setting_parsers
from image_classifier.errors import SettingsError
from image_classifier.storage_settings import OwnBlobs, StorageSettings

__all__ = ["SETTINGS", "Setting", "Settings"]


class Setting(NamedTuple):
    """One app setting, as people write it.

    Attributes:
        name: the environment variable.
        default: the text that an absent or empty variable stands for.
        meaning: one line for README and for error messages, with the unit.
        parse: converts the text to the value; raises ValueError with the words "must be …".
        is_secret: no message repeats the text.
    """

    name: str
    default: str
    meaning: str
    parse: Callable[[str], Any]
    is_secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "MODELS_DIR",
        "models",
        "folder with the models, as <name>/<version>/, relative to the app's root; or such a place "
        "on Azure Blob Storage",
        setting_parsers.text,
    ),
    Setting(
        "MODELS_CACHE_DIR",
        "",
        "where versions from Blob Storage are kept; empty: a folder of the app's own among the "
        "system's temporary files",
        setting_parsers.text,
    ),
    Setting(
        "MODELS_POLL_SECONDS",
        "30",
        "time between two looks at Blob Storage for new versions",
        setting_parsers.seconds,
    ),
    Setting(
        "DEFAULT_MODEL",
        "",
        "model that answers when a caller names none; empty: the model in classify/ if one is "
        "there, else the demo model digits",
        setting_parsers.text,
    ),
    Setting(
        "MODEL_CONFIG_FILE",
        "",
        "TensorFlow Serving's model_config_list: version policies, version labels and other "
        "folders of models; relative to the app's root",
        setting_parsers.text,
    ),
    Setting(
        "ENGINE",
        "auto",
        "auto (the first that is there and installed) or the name of one engine: onnx, openvino, "
        "tensorflow, tflite",
        lambda text: setting_parsers.text(text).lower(),
    ),
    Setting(
        "ENGINE_THREADS",
        "0",
        "threads that one inference uses; 0: what was measured to be best, see benchmarks",
        setting_parsers.threads,
    ),
    Setting(
        "ONNX_PROVIDERS",
        "CPUExecutionProvider",
        "execution providers of ONNX Runtime, comma-separated, the preferred first",
        setting_parsers.items,
    ),
    Setting(
        "ONNX_PROVIDER_OPTIONS",
        "",
        'what execution providers are told, as JSON: {"CUDAExecutionProvider": {"device_id": 0}}',
        setting_parsers.provider_options,
    ),
    Setting(
        "OPENVINO_DEVICE",
        "CPU",
        "what the engine openvino runs on: CPU, GPU, NPU or AUTO",
        lambda text: setting_parsers.text(text).upper(),
    ),
    Setting(
        "WARM_UP",
        "false",
        "true: the default model is loaded in the background as soon as a worker process starts",
        setting_parsers.flag,
    ),
    Setting(
        "DECODE",
        "exact",
        "exact: pixels equal the exporter's to the bit; fast: large JPEGs are decoded at a smaller "
        "scale, several times sooner, and probabilities change a little",
        setting_parsers.decode,
    ),
    Setting(
        "MAX_IMAGE_BYTES",
        "20971520",
        "largest download or request body that is an image",
        setting_parsers.count,
    ),
    Setting(
        "MAX_IMAGE_PIXELS",
        "50000000",
        "largest image, width times height, checked before it is decoded",
        setting_parsers.count,
    ),
    Setting(
        "FETCH_TIMEOUT_SECONDS",
        "10",
        "time for a whole download, not for each read",
        setting_parsers.seconds,
    ),
    Setting(
        "FETCH_ALLOWED_HOSTS",
        "",
        "if set, the only hosts that are fetched, comma-separated, *.example.com allowed; "
        "these may have private addresses",
        setting_parsers.hosts,
    ),
    Setting(
        "FETCH_ALLOWED_PORTS",
        "80,443",
        "ports that may be fetched, comma-separated",
        setting_parsers.ports,
    ),
    Setting(
        "FETCH_ALLOW_PRIVATE_ADDRESSES",
        "false",
        "true: private addresses on any port may be fetched too, in Development only, and never "
        "the cloud's metadata addresses",
        setting_parsers.flag,
    ),
    Setting(
        "FETCH_BLOB_IDENTITY",
        "false",
        "true: blobs of the app's own storage account are fetched with its managed identity",
        setting_parsers.flag,
    ),
    Setting(
        "FETCH_BLOB_CONTAINERS",
        "",
        "the containers whose blobs FETCH_BLOB_IDENTITY may open, comma-separated",
        setting_parsers.containers,
    ),
    Setting(
        "CUSTOM_VISION_MODELS",
        "",
        "published names of the Custom Vision API and the models that answer to them, as "
        "Iteration1=pets,Iteration2=pets/2; empty: the model of that name, else the default model",
        setting_parsers.published_names,
    ),
    Setting(
        "API_KEYS",
        "",
        "keys, comma-separated, one of which every request must carry",
        setting_parsers.keys,
        is_secret=True,
    ),
    Setting(
        "ALLOW_ANONYMOUS",
        "false",
        "true: outside Development too, requests need no key when API_KEYS is empty",
        setting_parsers.flag,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The app settings, parsed. Each field is the setting of the same name in capitals."""

    models_dir: str
    models_cache_dir: str
    models_poll_seconds: float
    default_model: str
    model_config_file: str
    engine: str
    engine_threads: int
    onnx_providers: tuple[str, ...]
    onnx_provider_options: Mapping[str, Mapping[str, str]]
    openvino_device: str
    warm_up: bool
    decode: str
    max_image_bytes: int
    max_image_pixels: int
    fetch_timeout_seconds: float
    fetch_allowed_hosts: tuple[str, ...]
    fetch_allowed_ports: frozenset[int]
    fetch_allow_private_addresses: bool
    fetch_blob_identity: bool
    fetch_blob_containers: frozenset[str]
    custom_vision_models: tuple[setting_parsers.PublishedName, ...]
    api_keys: tuple[str, ...]
    allow_anonymous: bool
    development: bool
    storage: StorageSettings
    own_blobs: OwnBlobs | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Reads all settings; an absent or empty variable means the default.

        ``storage`` is the host's own setting, which names the account of MODELS_DIR=azure://….
        ``development`` is true when ``AZURE_FUNCTIONS_ENVIRONMENT`` is ``Development``, which
        ``func start`` and the local host set and Azure does not. ``own_blobs`` has, with
        ``FETCH_BLOB_IDENTITY``, the blobs that may be opened and the endpoint of tokens.

        Raises:
            SettingsError: a value cannot be used; the message names key, value (unless that is a
                secret) and what is allowed.
        """
        values: dict[str, Any] = {}
        for setting in SETTINGS:
            text = environ.get(setting.name, "")
            try:
                values[setting.name.lower()] = setting.parse(
                    text if text.strip() else setting.default
                )
            except ValueError as exc:
                shown = setting.name if setting.is_secret else f"{setting.name}={text!r}"
                raise SettingsError(f"{shown}: it {exc}.") from exc
        development = environ.get("AZURE_FUNCTIONS_ENVIRONMENT", "").lower() == "development"
        # The switch counts only in Development: a published copy of local settings stays safe.
        values["fetch_allow_private_addresses"] &= development
        storage = StorageSettings.from_environ(environ)
        own_blobs = None
        if values["fetch_blob_identity"]:
            own_blobs = OwnBlobs.from_environ(environ, storage, values["fetch_blob_containers"])
        return cls(development=development, storage=storage, own_blobs=own_blobs, **values)

    def __repr__(self) -> str:
        """Leaves the keys out, so that logged settings reveal none."""
        shown = {**vars(self), "api_keys": f"<{len(self.api_keys)} keys>"}
        shown["models_dir"] = self.models_dir.partition("?")[0]  # a signature follows
        return f"Settings({', '.join(f'{key}={value!r}' for key, value in shown.items())})"
