"""Models on Blob Storage opened by the app's identity: no key and no signature anywhere."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import trustme
from azure.storage.blob import ContainerClient

from image_classifier.storage_settings import BlobAccount
from image_classifier.stores.blob_location import BlobLocation
from image_classifier.stores.storage_errors import StorageError, translate_errors
from tests.image_classifier.stores.test_blob_store import demo_model
from tests.support.azurite import API_VERSION
from tools.azurite import Azurite
from tools.bootstrap.azurite_emulator import ACCOUNT, KEY
from tools.bootstrap.environments import has_node
from tools.models.__main__ import main


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Files of a certificate and its key, which this process trusts."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(certificate), append=True)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return certificate, key


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, list[str]]]]:
    """The identity endpoint that Azure gives an app, and the queries that it got."""
    queries: list[dict[str, list[str]]] = []

    class Endpoint(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            queries.append(parse_qs(urlsplit(self.path).query))
            now = int(time.time())
            claims = {
                "aud": "https://storage.azure.com",
                "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
                "iat": now,
                "nbf": now - 60,
                "exp": now + 3600,
            }
            token = jwt.encode(claims, "a key that nobody checks: 32 bytes", "HS256")
            answer = {"access_token": token, "expires_on": str(now + 3600), "token_type": "Bearer"}
            body = json.dumps(answer | {"resource": "https://storage.azure.com"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_port}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "secret")
        yield queries
        server.shutdown()


def test_an_app_with_an_identity_needs_no_key(
    authority: tuple[Path, Path],
    asked: list[dict[str, list[str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not has_node():
        pytest.skip("the storage emulator needs Node.js with npm, which is not here")
    with Azurite(service="blob", certificate=authority) as azurite:
        key = {"account_name": ACCOUNT, "account_key": KEY}
        with ContainerClient(azurite.endpoint, "models", key, api_version=API_VERSION) as client:
            client.create_container()
        # As Microsoft's templates set them; the emulator of this test has blobs only.
        monkeypatch.setenv("AzureWebJobsStorage__blobServiceUri", azurite.endpoint)
        monkeypatch.setenv("AzureWebJobsStorage__queueServiceUri", "https://a.queue.invalid/")
        monkeypatch.setenv("AzureWebJobsStorage__tableServiceUri", "https://a.table.invalid/")
        monkeypatch.setenv("AzureWebJobsStorage__credential", "managedidentity")
        monkeypatch.setenv("AzureWebJobsStorage__clientId", "client-1")
        monkeypatch.setenv("MODELS_DIR", "azure://models")
        monkeypatch.setenv("MODELS_CACHE_DIR", str(tmp_path / "cache"))

        export = demo_model(tmp_path / "export")
        assert main(["register", str(export), "--name", "digits", "--no-check"]) == 0
        assert main(["fetch", "digits/1"]) == 0
        folder = Path(capsys.readouterr().out.splitlines()[-1])

    assert (folder / "model.onnx").read_bytes() == (export / "model.onnx").read_bytes()
    assert {query["resource"][0] for query in asked} == {"https://storage.azure.com"}
    assert {query["client_id"][0] for query in asked} == {"client-1"}


def test_a_machine_without_an_identity_is_told_what_to_do() -> None:
    from azure.identity import CredentialUnavailableError

    location = BlobLocation(BlobAccount("https://a.blob.core.windows.net", identity=True), "models")
    with (
        pytest.raises(StorageError, match="no identity here that could open it.*az login"),
        translate_errors(location),
    ):
        raise CredentialUnavailableError("pages of text")
