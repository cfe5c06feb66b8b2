"""Asks a served model, over gRPC or REST: ``python -m examples.client -f GRPC image.jpg``.

Needs neither TensorFlow nor its serving package: over gRPC it uses the project's own messages.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# So that `python examples/client.py` works as well.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model_server.grpc import messages
from model_server.grpc.messages import DATA_TYPES

TIMEOUT_SECONDS = 30


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the answer; returns the exit status."""
    args = _parser().parse_args(argv)
    try:
        row = _row(args)
    except (OSError, ValueError) as exc:
        print(f"client: {exc}", file=sys.stderr)
        return 2
    try:
        answer = _over_grpc(args, row) if args.format == "GRPC" else _over_rest(args, row)
    except (ConnectionError, RuntimeError) as exc:
        print(f"client: {exc}", file=sys.stderr)
        return 1
    print(json.dumps(answer, ensure_ascii=False) if isinstance(answer, dict) else answer)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.client", description="Ask a served model."
    )
    parser.add_argument("-f", "--format", choices=["GRPC", "REST"], default="GRPC")
    parser.add_argument("image", nargs="?", type=Path, help="an image file")
    parser.add_argument("--text", help="in place of an image: a sentence")
    parser.add_argument("--columns", help="in place of an image: a JSON object, one row of a table")
    parser.add_argument("--model", default="digits", help="default: digits")
    parser.add_argument("--signature", default="serving_default", help="default: serving_default")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, help="default: 8500 for gRPC, 8501 for REST")
    parser.add_argument("--key", help="one of the server's API_KEYS")
    return parser


def _row(args: argparse.Namespace) -> dict[str, Any]:
    """Makes one value for each input of the model."""
    if args.columns:
        row = json.loads(args.columns)
        if not isinstance(row, dict):
            raise ValueError("--columns must be a JSON object.")
        return row
    if args.text is not None:
        return {"text": args.text}
    if args.image is None:
        raise ValueError("Name an image file, or give --text or --columns.")
    data = args.image.read_bytes()
    if args.signature == "serving_default":  # which takes web-safe base64 text
        return {"image": base64.urlsafe_b64encode(data).decode()}
    return {"image": data}


def _over_grpc(args: argparse.Namespace, row: Mapping[str, Any]) -> Any:
    import grpc

    request = messages.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = args.model, args.signature
    for name, value in row.items():
        tensor = request.inputs[name]
        tensor.tensor_shape.dim.add(size=1)
        if isinstance(value, str | bytes):
            tensor.dtype = DATA_TYPES["DT_STRING"]
            tensor.string_val.append(value.encode() if isinstance(value, str) else value)
        else:
            tensor.dtype = DATA_TYPES["DT_FLOAT"]
            tensor.float_val.append(value)
    with grpc.insecure_channel(f"{args.host}:{args.port or 8500}") as channel:
        predict = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=messages.PredictRequest.SerializeToString,
            response_deserializer=messages.PredictResponse.FromString,
        )
        metadata = [("x-functions-key", args.key)] if args.key else []
        try:
            answer = predict(request, timeout=TIMEOUT_SECONDS, metadata=metadata)
        except grpc.RpcError as exc:
            raise RuntimeError(f"{exc.code().name}: {exc.details()}") from exc
    outputs = {name: _first(tensor) for name, tensor in sorted(answer.outputs.items())}
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))


def _first(tensor: Any) -> Any:
    """Reads the answer for the only row."""
    values = [each.decode("utf-8", "replace") for each in tensor.string_val]
    values = values or [round(value, 6) for value in tensor.float_val]
    return values if len(tensor.tensor_shape.dim) > 1 else values[0]


def _over_rest(args: argparse.Namespace, row: Mapping[str, Any]) -> Any:
    import requests

    instance = {
        name: {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in row.items()
    }
    url = f"http://{args.host}:{args.port or 8501}/v1/models/{args.model}:predict"
    body = {"signature_name": args.signature, "instances": [instance]}
    headers = {"x-functions-key": args.key} if args.key else {}
    try:
        answer = requests.post(url, json=body, headers=headers, timeout=TIMEOUT_SECONDS)
    except requests.RequestException as exc:
        raise RuntimeError(f"{url} cannot be asked: {exc}") from exc
    if answer.status_code != 200:
        raise RuntimeError(f"{answer.status_code}: {answer.text}")
    return answer.json()["predictions"][0]


if __name__ == "__main__":
    sys.exit(main())
