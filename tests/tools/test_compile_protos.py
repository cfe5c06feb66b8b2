"""The compiled messages are up to date, and are TensorFlow Serving's on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from model_server.grpc import messages
from model_server.grpc.messages import SERVICES
from tools.compile_protos import TARGETS, compiled


@pytest.mark.process
def test_the_committed_files_are_what_the_tool_makes() -> None:
    made = compiled()

    assert len(TARGETS) == 2
    assert all(target.read_text("utf-8") == made for target in TARGETS)


def test_every_field_has_the_number_and_type_of_the_official_one() -> None:
    import tensorflow  # noqa: F401 - registers its messages
    from google.protobuf import descriptor_pool
    from tensorflow_serving.apis import (  # noqa: F401 - register their messages
        get_model_status_pb2,
        model_service_pb2,
        prediction_service_pb2,
    )

    official = descriptor_pool.Default()
    # Not in the official package: their numbers are those of its repository.
    elsewhere = {
        "tensorflow.serving.PrometheusConfig",
        "tensorflow.serving.MonitoringConfig",
        "tensorflow.serving.SSLConfig",
    }
    seen: set[str] = set()

    def compare(ours: Any) -> None:
        if ours.full_name in seen | elsewhere or ours.full_name.startswith("google."):
            return
        seen.add(ours.full_name)
        theirs = official.FindMessageTypeByName(ours.full_name)
        for field in ours.fields:
            other = theirs.fields_by_name[field.name]
            wire = (field.number, _wire(field.type), field.is_repeated)
            assert wire == (other.number, _wire(other.type), other.is_repeated), field.full_name
            if field.message_type is not None:
                assert field.message_type.full_name == other.message_type.full_name
                compare(field.message_type)
            elif field.enum_type is not None:
                for name, value in field.enum_type.values_by_name.items():
                    assert other.enum_type.values_by_name[name].number == value.number

    for methods in SERVICES.values():
        for request, response in methods.values():
            compare(request.DESCRIPTOR)
            compare(response.DESCRIPTOR)
    assert len(seen) > 35
    for name, methods in SERVICES.items():
        theirs = official.FindServiceByName(name).methods_by_name
        for method, (request, response) in methods.items():
            assert theirs[method].input_type.full_name == request.DESCRIPTOR.full_name
            assert theirs[method].output_type.full_name == response.DESCRIPTOR.full_name


def _wire(kind: int) -> int:
    # An enum is sent as an int32.
    return 5 if kind == 14 else kind


def test_a_message_can_be_read_by_the_official_class_and_back() -> None:
    from tensorflow_serving.apis import predict_pb2

    ours = messages.PredictRequest()
    ours.model_spec.name, ours.model_spec.version.value = "m", 3
    ours.inputs["x"].dtype = 1
    ours.inputs["x"].float_val.extend([1.5, 2.5])
    theirs = predict_pb2.PredictRequest.FromString(ours.SerializeToString())

    assert theirs.inputs["x"].float_val == [1.5, 2.5]
    assert theirs.model_spec.version.value == 3
    assert messages.PredictRequest.FromString(theirs.SerializeToString()) == ours
