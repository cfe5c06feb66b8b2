"""Returns SignalR connection info to clients with a valid key."""

from __future__ import annotations

import json
from functools import partial

import azure.functions as func

from image_classifier.bindings import http
from image_classifier.classifier import Classifier

__all__ = ["negotiate"]

# @microsoft/signalr adds these to its call, so a page on another origin must be allowed to.
_CLIENT_HEADERS = "X-Requested-With, X-SignalR-User-Agent"


def negotiate(
    req: func.HttpRequest, connection_info: str, classifier: Classifier
) -> func.HttpResponse:
    """Answers with the binding's value, for callers with a key.

    Args:
        req: from the host.
        connection_info: the ``signalRConnectionInfo`` binding's value: JSON with ``url`` and
            ``accessToken``, in this spelling; clients accept no other.
        classifier: its settings hold the keys.
    """
    response = http.answer(
        req,
        partial(_connection, connection_info=connection_info),
        service=classifier,
        function="negotiate",
        methods="POST, OPTIONS",
    )
    if req.method.upper() == "OPTIONS":
        allowed = response.headers["Access-Control-Allow-Headers"]
        response.headers["Access-Control-Allow-Headers"] = f"{allowed}, {_CLIENT_HEADERS}"
    return response


def _connection(_: func.HttpRequest, __: Classifier, *, connection_info: str) -> func.HttpResponse:
    # The token is for one client, for an hour.
    return http.json_response(json.loads(connection_info), headers={"Cache-Control": "no-store"})
