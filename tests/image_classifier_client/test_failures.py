"""The right exception each time, with the server's words; and what is tried again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import trustme

from image_classifier_client import (
    Busy,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    PredictionError,
    ServerError,
    TooLarge,
    Unauthorized,
    Unavailable,
    messages,
)
from tests.support.model_servers import ModelServer, tls_config
from tests.support.prediction_clients import Asker
from tests.support.servers import ROOT, free_port

DIGITS = ("--model_name=digits", f"--model_base_path={ROOT / 'models' / 'digits'}")


def failed(kind: type[PredictionError], call: Callable[[], object]) -> PredictionError:
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    return caught.value


def test_what_the_caller_has_to_mend_is_invalid_input_in_the_servers_words(
    served: ModelServer, kind: str, nine: Path
) -> None:
    client = Asker(kind, served.address)
    batch = np.zeros((1, 3), np.float32)
    for call, words in (
        (lambda: client.classify(b"<html>"), "an HTML page"),
        (lambda: client.classify(nine.read_bytes()[:500]), "cut"),
        (lambda: client.score_image(b""), "0 bytes"),
        (lambda: client.score_numpy_arrays({"images": batch}), "has shape [1, 3]"),
        (lambda: client.score_numpy_arrays({"images": batch.astype(float)}), "float but double"),
        (lambda: client.score_file(nine, outputs="nothing"), "gives nothing"),
    ):
        error = failed(InvalidInput, call)
        assert words in error.message
        assert (error.code, error.attempts) == ("INVALID_ARGUMENT", 1)
    wrong = Asker(kind, served.address, model="digits", signature="no")
    error = failed(InvalidInput, lambda: wrong.score_file(nine))
    assert (error.code, error.message) == (
        "FAILED_PRECONDITION",
        'Serving signature key "no" not found.',
    )


def test_a_model_that_is_not_served_is_not_found(
    served: ModelServer, kind: str, nine: Path
) -> None:
    client = Asker(kind, served.address, model="cats")

    for call in (lambda: client.classify(nine), client.metadata, client.status):
        assert "cats" in failed(NotFound, call).message


def test_a_token_opens_and_a_wrong_one_is_unauthorized(kind: str, nine: Path) -> None:
    with ModelServer(*DIGITS, env={"API_KEYS": "secret"}, rest=False) as server:
        right = Asker(kind, server.address, access_token="secret\n")
        assert right.classify(nine, 1)[0].label == "9"
        for token, words in (("guess", "The key is wrong."), ("", "A key is needed.")):
            client = Asker(kind, server.address, access_token=token)
            for call in (lambda c=client: c.classify(nine), client.status):
                error = failed(Unauthorized, call)
                assert error.message.startswith(words)
                assert error.message.endswith("access_token=.")
                assert error.attempts == 1


def test_tls_wants_a_certificate_that_is_trusted_and_tls_on_both_sides(
    kind: str, nine: Path, tmp_path: Path
) -> None:
    authority = trustme.CA()
    roots = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(roots)
    config = tls_config(tmp_path, authority)
    with ModelServer(*DIGITS, f"--ssl_config_file={config}", rest=False) as server:
        for trusted in (str(roots), roots, roots.read_bytes()):
            client = Asker(kind, "localhost", server.port, True, root_certificates=trusted)
            assert client.classify(nine, 1)[0].label == "9"
        stranger = trustme.CA().cert_pem.bytes()
        for client in (
            Asker(kind, "localhost", server.port, use_ssl=True),
            Asker(kind, "localhost", server.port, use_ssl=True, root_certificates=stranger),
            Asker(kind, "127.0.0.1", server.port, use_ssl=True, root_certificates=roots),
        ):
            error = failed(Unavailable, client.status)
            assert "pass root_certificates" in error.message
            assert (error.attempts, error.transient) == (1, False)
        for host in ("localhost", "127.0.0.1"):
            plain = Asker(kind, host, server.port, retries=0)
            assert failed(Unavailable, plain.status).message.endswith(
                "Is the server running, is this its gRPC port, and does it want TLS (use_ssl=True)?"
            )


def test_a_server_without_tls_is_named_as_such(served: ModelServer, kind: str) -> None:
    error = failed(Unavailable, Asker(kind, served.address, use_ssl=True).status)

    assert "Is TLS on at the server (use_ssl)?" in error.message
    assert error.attempts == 1


def test_nobody_at_the_address_is_unavailable_after_retries(kind: str) -> None:
    error = failed(Unavailable, Asker(kind, "127.0.0.1", free_port(), retries=2).status)

    assert error.attempts == 3
    assert str(error).endswith("(tried 3 times)")
    assert error.code == "UNAVAILABLE"
    assert "Connection refused" in error.message
    assert "is this its gRPC port" in error.message


def test_retries_end_with_the_timeout_and_say_why_none_succeeded(kind: str) -> None:
    client = Asker(kind, "127.0.0.1", free_port(), retries=100)
    error = failed(Unavailable, lambda: client.status(timeout=3.0))

    assert 1 < error.attempts < 10


def test_a_deadline_that_passes_is_not_tried_again(kind: str, nine: Path) -> None:
    with ModelServer(*DIGITS, rest=False) as server:
        client = Asker(kind, server.address, timeout=0.5)
        assert client.classify(nine, timeout=60)
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            for call in (lambda: client.classify(nine), lambda: client.status(timeout=0.2)):
                error = failed(DeadlineExceeded, call)
                assert (error.code, error.attempts) == ("DEADLINE_EXCEEDED", 1)
                assert error.message.startswith(f"{server.address} did not answer within 0.")
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        assert client.classify(nine, 1, timeout=60)[0].label == "9", "the client goes on"


def test_a_server_that_dies_in_the_middle_of_a_call_and_starts_again(kind: str, nine: Path) -> None:
    with ModelServer(*DIGITS, rest=False) as server:
        client = Asker(kind, server.address, timeout=60, retries=20)
        assert client.classify(nine)
        os.kill(server.process.pid, signal.SIGSTOP)  # so that the call is under way
        with ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(client.classify, nine, 1)
            with pytest.raises(TimeoutError):
                under_way.result(timeout=0.3)
            server.process.kill()
            server.process.wait()
            server.__enter__()

            assert under_way.result()[0].label == "9"


def test_no_call_fails_while_the_server_is_ended_in_good_order_and_started_again(
    nine: Path,
) -> None:
    data, over = nine.read_bytes(), threading.Event()
    answers: list[str] = []

    def ask(client: Asker) -> set[str]:
        labels: set[str] = set()
        while not over.is_set():
            labels.add(client.classify(data, 1)[0].label)
            answers.append("one")
        return labels

    def wait_for_answers(count: int) -> None:
        enough, deadline = len(answers) + count, time.monotonic() + 60
        while len(answers) < enough:
            assert time.monotonic() < deadline, "no more answers come"
            for call in calls:
                if call.done():  # it has failed: its error says more
                    call.result()
            time.sleep(0.01)

    with ModelServer(*DIGITS, rest=False) as server, ThreadPoolExecutor(4) as pool:
        clients = [Asker("sync", server.address, timeout=60, retries=20) for _ in range(2)]
        calls = [pool.submit(ask, client) for client in clients * 2]
        try:
            wait_for_answers(8)
            server.stop()
            server.__enter__()
            wait_for_answers(8)
        finally:
            over.set()
        assert [call.result() for call in calls] == [{"9"}] * 4


def test_too_large_a_message_and_too_large_an_image(kind: str) -> None:
    limit = "--grpc_channel_arguments=grpc.max_receive_message_length=100000"
    with ModelServer(*DIGITS, limit, env={"MAX_IMAGE_BYTES": "4000"}, rest=False) as server:
        client = Asker(kind, server.address)
        error = failed(TooLarge, lambda: client.classify(bytes(200_000)))
        assert (error.code, error.attempts) == ("RESOURCE_EXHAUSTED", 1)
        assert "100000" in error.message
        error = failed(InvalidInput, lambda: client.classify(bytes(5_000)))
        assert "MAX_IMAGE_BYTES" in error.message or "4000" in error.message


class Refusing:
    """A gRPC server that refuses calls as told, and then answers."""

    def __init__(self, codes: Sequence[grpc.StatusCode]) -> None:
        self.codes = list(codes)
        self.calls = 0
        self._server = grpc.server(ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(
            self._answer, response_serializer=messages.GetModelStatusResponse.SerializeToString
        )
        name = "tensorflow.serving.ModelService"
        generic = grpc.method_handlers_generic_handler(name, {"GetModelStatus": handler})
        self._server.add_generic_rpc_handlers((generic,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def _answer(self, request: bytes, context: grpc.ServicerContext) -> Any:
        self.calls += 1
        if self.codes:
            context.abort(self.codes.pop(0), "the reason")
        return messages.GetModelStatusResponse()

    def stop(self) -> None:
        self._server.stop(None).wait()


@pytest.fixture
def refusing() -> Iterator[Callable[..., Refusing]]:
    made: list[Refusing] = []

    def make(*codes: grpc.StatusCode) -> Refusing:
        made.append(Refusing(codes))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"])
def test_what_may_pass_is_tried_again(
    refusing: Callable[..., Refusing], kind: str, code: str
) -> None:
    server = refusing(grpc.StatusCode[code], grpc.StatusCode[code])

    assert Asker(kind, "127.0.0.1", server.port).status() == []
    assert server.calls == 3


def test_a_server_that_says_why_it_is_not_available_is_not_asked_about_its_port(
    refusing: Callable[..., Refusing], kind: str
) -> None:
    server = refusing(grpc.StatusCode.UNAVAILABLE)
    error = failed(Unavailable, Asker(kind, "127.0.0.1", server.port, retries=0).status)

    assert error.message.endswith("is not available: the reason")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("INVALID_ARGUMENT", InvalidInput),
        ("FAILED_PRECONDITION", InvalidInput),
        ("OUT_OF_RANGE", InvalidInput),
        ("NOT_FOUND", NotFound),
        ("UNAUTHENTICATED", Unauthorized),
        ("PERMISSION_DENIED", Unauthorized),
        ("DEADLINE_EXCEEDED", DeadlineExceeded),
        ("INTERNAL", ServerError),
        ("UNKNOWN", ServerError),
        ("UNIMPLEMENTED", ServerError),
        ("DATA_LOSS", ServerError),
        ("ABORTED", ServerError),
        ("ALREADY_EXISTS", ServerError),
    ],
)
def test_what_will_not_pass_fails_at_once(
    refusing: Callable[..., Refusing], kind: str, code: str, error: type[PredictionError]
) -> None:
    server = refusing(grpc.StatusCode[code])
    caught = failed(error, Asker(kind, "127.0.0.1", server.port).status)

    assert "the reason" in caught.message
    assert (caught.code, caught.attempts, server.calls) == (code, 1, 1)
    assert isinstance(caught.__cause__, grpc.RpcError)


def test_a_server_that_stays_busy_is_busy(refusing: Callable[..., Refusing], kind: str) -> None:
    server = refusing(*[grpc.StatusCode.RESOURCE_EXHAUSTED] * 9)
    caught = failed(Busy, Asker(kind, "127.0.0.1", server.port, retries=1).status)

    assert (server.calls, caught.attempts) == (2, 2)


def test_what_is_no_model_server_is_a_server_error(refusing: Callable[..., Refusing]) -> None:
    client = Asker("sync", "127.0.0.1", refusing().port)

    assert failed(ServerError, client.metadata).code == "UNIMPLEMENTED"
