"""Answers gRPC's health service, also when every other thread is busy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from model_server.grpc.messages import SERVICES

__all__ = ["HEALTH_PATH", "HEALTH_SERVICES", "HealthService"]

HEALTH_PATH = "/grpc.health.v1.Health/"
# TensorFlow Serving names its services so; clients that follow gRPC's rules use the full names.
HEALTH_SERVICES = ("", "ModelService", "PredictionService", *SERVICES)


class HealthService:
    """Tells whether the server is ready, for all its services alike; not ready at first.

    Args:
        server: gets the service; must not have been started.
    """

    def __init__(self, server: grpc.Server) -> None:
        self._servicer = _Servicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)
        self.set_ready(False)

    def set_ready(self, ready: bool) -> None:
        """Sets the answer to callers and watchers from now on."""
        status = health_pb2.HealthCheckResponse
        for name in HEALTH_SERVICES:
            self._servicer.set(name, status.SERVING if ready else status.NOT_SERVING)


class _Servicer(health.HealthServicer):  # type: ignore[misc]
    """Google's servicer with a thread of its own.

    On the threads that predict, a probe would stand in the queue of the predictions: a server that
    is merely busy would be taken for a dead one, and its load handed to the next.
    """

    def __init__(self) -> None:
        super().__init__(experimental_thread_pool=_THREAD)

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        return super().Check(request, context)


_THREAD = ThreadPoolExecutor(1, thread_name_prefix="grpc-health")
# gRPC looks for this at the method; its ``Watch`` gets it by the constructor.
_Servicer.Check.experimental_thread_pool = _THREAD  # type: ignore[attr-defined]
