"""Blobs of the app's own account, fetched with its identity; and who must never see a token."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from image_classifier.errors import ClassifierError, FetchBlocked, FetchFailed
from image_classifier.fetching import connect
from image_classifier.fetching.fetch import fetch
from image_classifier.fetching.managed_identity import is_own_blob
from image_classifier.fetching.policy import FetchPolicy
from image_classifier.fetching.urls import parse_url
from image_classifier.settings import Settings
from image_classifier.storage_settings import OwnBlobs
from tests.support.fetch_servers import Internet, Server, TlsServer, http, internet_of, ok
from tests.support.identity_servers import IdentityEndpoint

ROOT = Path(__file__).resolve().parents[3]
HOST = "store.blob.core.windows.net"
ADDRESS, OTHER_ADDRESS = "93.184.215.14", "93.184.215.15"
BLOB = f"https://{HOST}/images/cat.png"


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    with internet_of(monkeypatch) as internet:
        internet.names[HOST] = [ADDRESS]
        internet.names["other.example"] = [OTHER_ADDRESS]
        yield internet


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[trustme.CA]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    connect.tls_context.cache_clear()
    yield authority
    connect.tls_context.cache_clear()


@pytest.fixture
def identity() -> Iterator[IdentityEndpoint]:
    with IdentityEndpoint() as endpoint:
        yield endpoint


class BlobServer(TlsServer):
    """Private blobs: without a token that the endpoint gave out they are not there."""

    def __init__(self, authority: trustme.CA, identity: IdentityEndpoint) -> None:
        self.identity, self.status = identity, "200 OK"
        self.missing: set[bytes] = set()
        super().__init__(authority, HOST, self._reply)

    def _reply(self, sock: socket.socket) -> None:
        head = self.requests[-1].lower()
        wanted = f"\r\nauthorization: bearer {self.identity.token}\r\n".lower().encode()
        let_in = wanted in head and b"\r\nx-ms-version: 20" in head
        is_fine = let_in and self.status == "200 OK"
        status = self.status if let_in else "409 Public access is not permitted"
        if let_in and self.requests[-1].split()[1] in self.missing:
            is_fine, status = False, "404 The specified blob does not exist."
        sock.sendall(ok(b"private image") if is_fine else http(status, "Content-Length: 0"))


@pytest.fixture
def blobs(
    authority: trustme.CA, identity: IdentityEndpoint, internet: Internet
) -> Iterator[BlobServer]:
    with BlobServer(authority, identity) as server:
        internet.publish(server, ADDRESS, 443)
        yield server


def policy_of(identity: IdentityEndpoint, **environ: str) -> FetchPolicy:
    return FetchPolicy.from_settings(settings_of(identity, **environ))


def settings_of(identity: IdentityEndpoint, **environ: str) -> Settings:
    return Settings.from_environ(
        {
            "FETCH_BLOB_IDENTITY": "true",
            "FETCH_BLOB_CONTAINERS": "images",
            "AzureWebJobsStorage__accountName": "store",
            "FETCH_TIMEOUT_SECONDS": "5",
        }
        | identity.environ
        | environ
    )


def tokens_in(server: Server) -> list[bytes]:
    return [head for head in server.requests if b"authorization" in head.lower()]


def test_a_private_blob_is_fetched(blobs: BlobServer, identity: IdentityEndpoint) -> None:
    policy = policy_of(identity)

    assert fetch(BLOB, policy) == b"private image"
    assert identity.asked == [
        {"resource": "https://storage.azure.com/", "api-version": "2019-08-01"}
    ]


def test_when_it_is_off_nobody_is_asked_and_nothing_is_sent(
    blobs: BlobServer, identity: IdentityEndpoint
) -> None:
    with pytest.raises(FetchFailed, match="answered 409"):
        fetch(BLOB, policy_of(identity, FETCH_BLOB_IDENTITY="false"))

    assert identity.asked == []
    assert len(blobs.requests) == 1
    assert tokens_in(blobs) == []


def test_when_it_is_off_its_modules_are_not_loaded() -> None:
    program = (
        "import sys\n"
        "from image_classifier import Settings\n"
        "from image_classifier.fetching.fetch import fetch\n"
        "from image_classifier.fetching.policy import FetchPolicy\n"
        "policy = FetchPolicy.from_settings(Settings.from_environ({}))\n"
        "try: fetch('http://127.0.0.1/', policy)\n"
        "except Exception as exc: print(type(exc).__name__)\n"
        "print([name for name in sys.modules if 'identity' in name])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.split("\n")[:2] == ["FetchBlocked", "[]"]


def test_a_user_assigned_identity_is_asked_for_by_its_id(
    blobs: BlobServer, identity: IdentityEndpoint
) -> None:
    identity.client_id = "1234"

    assert fetch(BLOB, policy_of(identity, AzureWebJobsStorage__clientId="1234"))
    assert identity.asked[0]["client_id"] == "1234"


# --- Who must never see a token


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/images/cat.png",
        f"http://{HOST}:443/images/cat.png",
        f"https://{HOST}:8443/images/cat.png",
        f"https://{HOST}.evil.example/images/cat.png",
        f"https://evil.{HOST}/images/cat.png",
        "https://store2.blob.core.windows.net/images/cat.png",
        "https://store.queue.core.windows.net/images",
        "https://other.example/store.blob.core.windows.net",
        f"{BLOB}?sv=2021-12-02&sig=x",
        f"{BLOB}?%73ig=x",
        f"{BLOB}?SIG",
        f"https://{HOST}/?comp=list",
        f"https://{HOST}/images?restype=container&comp=list",
        f"https://{HOST}/images",
        f"https://{HOST}/packages/released.zip",
        f"https://{HOST}/images/../packages/released.zip",
        f"{BLOB}?comp=tags",
        f"{BLOB}?snapshot=1&comp=metadata",
    ],
)
def test_no_token_goes_with_any_other_url(url: str) -> None:
    own = OwnBlobs(HOST, frozenset({"images"}), "", "", "")

    assert is_own_blob(parse_url(BLOB), own)
    assert is_own_blob(parse_url(f"{BLOB}?snapshot=2026-11-20T14:13:43Z"), own)
    assert is_own_blob(parse_url(f"https://{HOST.upper()}:443/images/cat.png"), own)
    assert not is_own_blob(parse_url(url), own)


def test_a_signature_in_the_url_wins(blobs: BlobServer, identity: IdentityEndpoint) -> None:
    with pytest.raises(FetchFailed):
        fetch(f"{BLOB}?sig=of-somebody", policy_of(identity))

    assert identity.asked == []
    assert tokens_in(blobs) == []


# Whoever decodes these, folds them or takes the dots out reads another container, or no blob.
TRICKS = [
    "packages/released.zip",
    "azure-webjobs-secrets/app/host.json",
    "azure-webjobs-hosts/ids/usage/abc",
    "cat.png",
    "images",
    "$root/cat.png",
    "Images/cat.png",
    "%70ackages/released.zip",
    "%69mages/cat.png",
    "images%2f..%2fpackages/released.zip",
    "images/../packages/released.zip",
    "images/%2e%2e/packages/released.zip",
    "images/%2E./packages/released.zip",
    "images/..%2fpackages/released.zip",
    "images/..%5cpackages/released.zip",
    "images/%252e%252e%252fpackages/released.zip",
    "images/..;/packages/released.zip",
    "images/%c0%ae%c0%ae/packages/released.zip",
    "images/．．/packages/released.zip",
    "images//cat.png",
    "/images/cat.png",
    "images/./cat.png",
    "images/cat.png%00",
]


@pytest.mark.parametrize("path", TRICKS)
def test_a_blob_outside_the_named_containers_is_fetched_as_from_any_host(
    path: str, blobs: BlobServer, identity: IdentityEndpoint
) -> None:
    with pytest.raises(FetchFailed, match="answered 409.*FETCH_BLOB_CONTAINERS") as error:
        fetch(f"https://{HOST}/{path}", policy_of(identity))

    assert error.value.upstream_status == 409
    assert identity.asked == []
    assert len(blobs.requests) == 1
    assert tokens_in(blobs) == []


def test_nobody_learns_which_blobs_are_in_other_containers(
    blobs: BlobServer, identity: IdentityEndpoint
) -> None:
    policy = policy_of(identity)
    blobs.missing = {b"/packages/none.zip", b"/images/none.zip"}
    answers = {}
    for container in ("packages", "images"):
        for name in ("have.zip", "none.zip"):
            url = f"https://{HOST}/{container}/{name}"
            try:
                answers[container, name] = fetch(url, policy).decode()
            except FetchFailed as exc:
                answers[container, name] = exc.message.replace(name, "*")

    assert answers["packages", "have.zip"] == answers["packages", "none.zip"]
    assert answers["images", "have.zip"] == "private image"
    assert "answered 404" in answers["images", "none.zip"]


def test_a_container_must_be_named_even_where_others_are(
    blobs: BlobServer, identity: IdentityEndpoint
) -> None:
    two = policy_of(identity, FETCH_BLOB_CONTAINERS="images,uploads")

    assert fetch(f"https://{HOST}/uploads/cat.png", two) == b"private image"
    with pytest.raises(FetchFailed, match="answered 409"):
        fetch(f"https://{HOST}/uploads/cat.png", policy_of(identity))


def test_a_redirect_within_the_account_takes_no_token_along(
    identity: IdentityEndpoint, internet: Internet, authority: trustme.CA
) -> None:
    """Neither to another container nor to another blob of the same one."""
    for path in ("/packages/released.zip", "../packages/released.zip", "/images/dog.png"):

        def answer(sock: socket.socket, path: str = path) -> None:
            is_first = account.requests[-1].startswith(b"GET /images/cat.png ")
            sock.sendall(http("302 Found", f"Location: {path}") if is_first else ok())

        with TlsServer(authority, HOST, answer) as account:
            internet.publish(account, ADDRESS, 443)

            assert fetch(BLOB, policy_of(identity)) == b"image"
            assert len(account.requests) == 2
            assert tokens_in(account) == account.requests[:1]


def test_neither_plain_http_nor_another_host_or_port_gets_a_token(
    blobs: BlobServer, identity: IdentityEndpoint, internet: Internet, authority: trustme.CA
) -> None:
    policy = policy_of(identity, FETCH_ALLOWED_PORTS="80,443,8443")
    with (
        Server(ok()) as plain,
        TlsServer(authority, HOST, ok()) as port,
        TlsServer(authority, "other.example", ok()) as other,
    ):
        internet.publish(plain, ADDRESS, 80)
        internet.publish(port, ADDRESS, 8443)
        internet.publish(other, OTHER_ADDRESS, 443)
        for url in (
            f"http://{HOST}/images/cat.png",
            f"https://{HOST}:8443/images/cat.png",
            "https://other.example/images/cat.png",
        ):
            assert fetch(url, policy) == b"image"
        fetch(BLOB, policy)
        fetch("https://other.example/after", policy)

        for server in (plain, port, other):
            assert server.requests
            assert tokens_in(server) == []


def test_a_redirect_from_the_account_takes_no_token_along(
    identity: IdentityEndpoint, internet: Internet, authority: trustme.CA
) -> None:
    away = http("302 Found", "Location: https://other.example/cat.png")
    with (
        TlsServer(authority, HOST, away) as account,
        TlsServer(authority, "other.example", ok()) as other,
    ):
        internet.publish(account, ADDRESS, 443)
        internet.publish(other, OTHER_ADDRESS, 443)

        assert fetch(BLOB, policy_of(identity)) == b"image"

        assert tokens_in(account) == account.requests
        assert len(other.requests) == 1
        assert tokens_in(other) == []


def test_a_redirect_to_the_account_brings_no_token(
    blobs: BlobServer, identity: IdentityEndpoint, internet: Internet, authority: trustme.CA
) -> None:
    """Else any page could have the app open its own blobs."""
    with TlsServer(authority, "other.example", http("302 Found", f"Location: {BLOB}")) as other:
        internet.publish(other, OTHER_ADDRESS, 443)
        with pytest.raises(FetchFailed, match="answered 409"):
            fetch("https://other.example/", policy_of(identity))

    assert identity.asked == []
    assert tokens_in(blobs) == []


def test_a_server_that_cannot_prove_to_be_the_account_sees_no_token(
    identity: IdentityEndpoint, internet: Internet, authority: trustme.CA
) -> None:
    with TlsServer(authority, "other.example", ok()) as impostor:
        internet.publish(impostor, ADDRESS, 443)
        with pytest.raises(FetchFailed, match="certificate"):
            fetch(BLOB, policy_of(identity))

    assert impostor.requests == []


def test_the_rules_of_fetching_come_first(
    identity: IdentityEndpoint, blobs: BlobServer, internet: Internet
) -> None:
    with pytest.raises(FetchBlocked, match="FETCH_ALLOWED_HOSTS"):
        fetch(BLOB, policy_of(identity, FETCH_ALLOWED_HOSTS="other.example"))
    internet.names[HOST] = ["10.0.0.4"]
    with pytest.raises(FetchBlocked):
        fetch(BLOB, policy_of(identity))

    assert blobs.requests == []


# --- Tokens


def test_one_token_serves_many_downloads_that_start_together(
    blobs: BlobServer, identity: IdentityEndpoint
) -> None:
    identity.delay_seconds = 0.1
    policy = policy_of(identity)
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda _: fetch(BLOB, policy), range(24)))

    assert bodies == [b"private image"] * 24
    assert identity.issued == 1


def test_a_token_that_ends_within_five_minutes_is_asked_for_anew(
    blobs: BlobServer, identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from image_classifier.fetching import managed_identity

    monkeypatch.setattr(managed_identity, "time", clock := Clock())
    policy = policy_of(identity)
    issued = []
    for minutes in (0, 50, 54, 56, 60):
        clock.minutes = minutes
        identity.lifetime_seconds = (minutes + 60) * 60
        fetch(BLOB, policy)
        issued.append(identity.issued)

    assert issued == [1, 1, 1, 2, 2]


def test_a_working_token_outlives_an_endpoint_that_is_down(
    blobs: BlobServer, identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from image_classifier.fetching import managed_identity

    monkeypatch.setattr(managed_identity, "time", clock := Clock())
    identity.lifetime_seconds = 3600
    policy = policy_of(identity)
    fetch(BLOB, policy)
    identity.status = 500
    clock.minutes = 57
    for _ in range(5):
        assert fetch(BLOB, policy)
    assert len(identity.asked) == 2
    clock.minutes = 61
    with pytest.raises(FetchFailed, match="answered 500") as error:
        fetch(BLOB, policy)
    assert error.value.transient
    identity.status = 200

    assert fetch(BLOB, policy)


class Clock:
    """The real time, some minutes later."""

    minutes = 0.0

    def time(self) -> float:
        import time

        return time.time() + self.minutes * 60

    def monotonic(self) -> float:
        import time

        return time.monotonic()


# --- What goes wrong


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 400}, "answered 400; is an identity assigned"),
        ({"key": "of another app"}, "answered 401"),
        ({"also": {"access_token": "two\r\nX-More: lines"}}, "no token"),
        ({"also": {"access_token": ""}}, "no token"),
        ({"also": {"expires_on": "tomorrow"}}, "no token"),
    ],
)
def test_without_a_token_the_blob_is_not_asked_for(
    answer: dict[str, object], words: str, blobs: BlobServer, identity: IdentityEndpoint
) -> None:
    policy = policy_of(identity)
    for name, value in answer.items():
        setattr(identity, name, value)
    with pytest.raises(FetchFailed, match=words) as error:
        fetch(BLOB, policy)

    assert error.value.transient
    assert "FETCH_BLOB" in error.value.message or "Try again" in error.value.message
    assert blobs.requests == []


def test_an_app_without_an_identity_is_told_so(
    blobs: BlobServer, identity: IdentityEndpoint
) -> None:
    with pytest.raises(FetchFailed, match="IDENTITY_ENDPOINT is not set"):
        fetch(BLOB, policy_of(identity, IDENTITY_ENDPOINT=""))


def test_a_slow_endpoint_ends_with_the_download(
    blobs: BlobServer, identity: IdentityEndpoint
) -> None:
    identity.delay_seconds = 1
    with pytest.raises(FetchFailed, match="too slow"):
        fetch(BLOB, policy_of(identity, FETCH_TIMEOUT_SECONDS="0.1"))


def test_a_missing_role_is_named(blobs: BlobServer, identity: IdentityEndpoint) -> None:
    blobs.status = "403 Forbidden"
    with pytest.raises(FetchFailed, match="Storage Blob Data Reader") as error:
        fetch(BLOB, policy_of(identity))

    assert not error.value.transient


def test_neither_token_nor_key_is_shown_or_logged(
    blobs: BlobServer, identity: IdentityEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    policy = policy_of(identity)
    shown = [repr(settings_of(identity)), repr(policy)]
    with caplog.at_level(logging.DEBUG):
        fetch(BLOB, policy)
        for status in ("403 Forbidden", "500 Oops"):
            blobs.status = status
            with pytest.raises(ClassifierError) as error:
                fetch(BLOB, policy)
            shown.append(str(error.value))
        spoilt = policy_of(identity, IDENTITY_HEADER="the-apps-own-key\r\nX: y")
        with pytest.raises(FetchFailed, match="cannot be reached") as error:
            fetch(BLOB, spoilt)
        shown.append(str(error.value))
    text = "\n".join([*shown, caplog.text])

    assert identity.token not in text
    assert identity.key not in text
