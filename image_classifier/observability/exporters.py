"""Starts the export of traces and metrics, if the environment asks for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from image_classifier.observability.telemetry import ENDPOINTS, subscribe

__all__ = ["configure_exporters"]

logger = logging.getLogger(__name__)


def configure_exporters(environ: Mapping[str, str]) -> None:
    """Exports traces and metrics to the endpoints that the environment names.

    Without any, it does nothing and imports nothing. A bad configuration is logged once and
    ignored.

    Args:
        environ: the standard variables ``OTEL_…``, or the one by which Azure's host exports.
    """
    by_the_host = environ.get("PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY", "").lower() == "true"
    if not (by_the_host or any(environ.get(name, "").strip() for name in ENDPOINTS)):
        return
    try:
        from image_classifier.observability.open_telemetry import from_environ

        exporter = from_environ(environ)
    except ImportError as exc:
        logger.warning(
            "No traces and metrics are sent: %s. Install opentelemetry-sdk and "
            "opentelemetry-exporter-otlp-proto-http, as requirements.txt has them.",
            exc,
        )
    except Exception as exc:
        logger.warning("No traces and metrics are sent: %s", exc)
    else:
        if exporter is not None:
            subscribe(exporter)
