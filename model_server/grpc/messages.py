"""Makes classes of TensorFlow Serving's messages: ``messages.PredictRequest()``.

They have a pool of their own, so that they can live in one process with TensorFlow's, which have
the same names.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from model_server.grpc.descriptors import FILE_DESCRIPTOR_SET

_pool = descriptor_pool.DescriptorPool()
for _file in FileDescriptorSet.FromString(FILE_DESCRIPTOR_SET).file:
    _pool.AddSerializedFile(_file.SerializeToString())


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(name))


TensorProto = _class("tensorflow.TensorProto")
SignatureDefMap = _class("tensorflow.serving.SignatureDefMap")
PredictRequest = _class("tensorflow.serving.PredictRequest")
PredictResponse = _class("tensorflow.serving.PredictResponse")
ClassificationRequest = _class("tensorflow.serving.ClassificationRequest")
ClassificationResponse = _class("tensorflow.serving.ClassificationResponse")
RegressionRequest = _class("tensorflow.serving.RegressionRequest")
RegressionResponse = _class("tensorflow.serving.RegressionResponse")
MultiInferenceRequest = _class("tensorflow.serving.MultiInferenceRequest")
MultiInferenceResponse = _class("tensorflow.serving.MultiInferenceResponse")
GetModelMetadataRequest = _class("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _class("tensorflow.serving.GetModelMetadataResponse")
GetModelStatusRequest = _class("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = _class("tensorflow.serving.GetModelStatusResponse")
ReloadConfigRequest = _class("tensorflow.serving.ReloadConfigRequest")
ReloadConfigResponse = _class("tensorflow.serving.ReloadConfigResponse")
MonitoringConfig = _class("tensorflow.serving.MonitoringConfig")
SSLConfig = _class("tensorflow.serving.SSLConfig")

DATA_TYPES: dict[str, int] = {
    value.name: value.number for value in _pool.FindEnumTypeByName("tensorflow.DataType").values
}
SERVICES = {
    name: {
        method.name: (
            message_factory.GetMessageClass(method.input_type),
            message_factory.GetMessageClass(method.output_type),
        )
        for method in _pool.FindServiceByName(name).methods
    }
    for name in ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")
}
