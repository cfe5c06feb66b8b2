"""Makes classes of TensorFlow Serving's messages, as far as the client needs them.

They have a pool of their own, so that they can live in one process with TensorFlow's and with
those of ``tensorflow-serving-api``, which have the same names.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from image_classifier_client.descriptors import FILE_DESCRIPTOR_SET

__all__ = [
    "DATA_TYPES",
    "GetModelMetadataRequest",
    "GetModelMetadataResponse",
    "GetModelStatusRequest",
    "GetModelStatusResponse",
    "PredictRequest",
    "PredictResponse",
    "SignatureDefMap",
    "TensorProto",
]

_pool = descriptor_pool.DescriptorPool()
for _file in FileDescriptorSet.FromString(FILE_DESCRIPTOR_SET).file:
    _pool.AddSerializedFile(_file.SerializeToString())


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(name))


TensorProto = _class("tensorflow.TensorProto")
SignatureDefMap = _class("tensorflow.serving.SignatureDefMap")
PredictRequest = _class("tensorflow.serving.PredictRequest")
PredictResponse = _class("tensorflow.serving.PredictResponse")
GetModelMetadataRequest = _class("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _class("tensorflow.serving.GetModelMetadataResponse")
GetModelStatusRequest = _class("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = _class("tensorflow.serving.GetModelStatusResponse")

# TensorFlow's name of each type -> its number on the wire.
DATA_TYPES: dict[str, int] = {
    value.name: value.number for value in _pool.FindEnumTypeByName("tensorflow.DataType").values
}
