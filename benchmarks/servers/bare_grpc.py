"""Takes any message and answers with so many bytes.

    python -m benchmarks.servers.bare_grpc PORT ANSWER_BYTES

The cost of gRPC alone: the two programs, the kernel and the loopback network.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

__all__ = ["METHOD"]

ADDRESS = "127.0.0.1"
METHOD = "/bare.Service/Call"


def serve(port: int, size: int) -> None:
    answer = bytes(size)

    def call(request: bytes, context: grpc.ServicerContext) -> bytes:
        return answer

    options = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(4), options=options)
    handlers: dict[str, Any] = {"Call": grpc.unary_unary_rpc_method_handler(call)}
    generic = grpc.method_handlers_generic_handler("bare.Service", handlers)
    server.add_generic_rpc_handlers((generic,))
    server.add_insecure_port(f"{ADDRESS}:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
