"""Probes of a busy server, and connections that do not last for ever, as a cluster needs them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.model_servers import Client, ModelServer, photos_request

ROOT = Path(__file__).resolve().parents[3]
NINE = (ROOT / "frontend" / "samples" / "nine.png").read_bytes()
SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    arguments = ["--model_name=digits", f"--model_base_path={ROOT}/models/digits"]
    arguments += ["--grpc_max_threads=1", "--enable_grpc_healthcheck_service=true"]
    # As deploy/kubernetes/model_server.yaml, but a connection gets old sooner.
    ages = "grpc.max_connection_age_ms=300,grpc.max_connection_age_grace_ms=30000"
    with ModelServer(*arguments, f"--grpc_channel_arguments={ages}") as running:
        yield running


def test_probes_are_answered_before_the_predictions_that_wait(server: ModelServer) -> None:
    request = photos_request(1)
    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    with Client(server.address) as client, grpc.insecure_channel(server.address, options) as other:
        health = health_pb2_grpc.HealthStub(other)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=60).status == SERVING
        waiting = [client.prediction.Predict.future(request, timeout=120) for _ in range(12)]
        # Once the first is answered, the others stand in the queue for the only thread.
        waiting[0].result()
        answers = [health.Check(health_pb2.HealthCheckRequest(), timeout=60) for _ in range(2)]
        left = [call for call in waiting if not call.done()]
        for call in waiting:
            assert call.result().outputs

    assert {answer.status for answer in answers} == {SERVING}
    assert len(left) >= 3


def test_connections_end_by_themselves_and_no_call_fails(server: ModelServer) -> None:
    """So clients look the name up again, and find the servers that came in the meantime."""
    states: list[grpc.ChannelConnectivity] = []
    with Client(server.address) as client:
        client.channel.subscribe(states.append, try_to_connect=True)
        deadline = time.monotonic() + 30
        while states.count(grpc.ChannelConnectivity.READY) < 3:
            assert time.monotonic() < deadline, states
            assert client.predict("digits", {"image": [NINE]}, signature="bytes").outputs
