"""The client installs alone, so it has copies of the server's messages: they must stay the same."""

from __future__ import annotations

import numpy as np
import pytest

from image_classifier.model_files.signatures import NUMPY_DTYPES
from image_classifier_client import descriptors, messages, tensors
from model_server.grpc import descriptors as server_descriptors
from model_server.grpc import messages as server_messages
from model_server.grpc import tensors as server_tensors

MESSAGES = [name for name in messages.__all__ if name != "DATA_TYPES"]


def test_the_compiled_messages_are_the_servers() -> None:
    assert descriptors.FILE_DESCRIPTOR_SET == server_descriptors.FILE_DESCRIPTOR_SET


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_the_servers_message_of_this_name(name: str) -> None:
    ours, theirs = getattr(messages, name).DESCRIPTOR, getattr(server_messages, name).DESCRIPTOR

    assert ours.full_name == theirs.full_name
    assert ours.file.serialized_pb == theirs.file.serialized_pb


def test_types_have_the_same_numbers_arrays_and_fields() -> None:
    assert len(MESSAGES) == 8
    assert messages.DATA_TYPES == server_messages.DATA_TYPES
    assert tensors._NUMPY == NUMPY_DTYPES
    assert tensors._FIELD == server_tensors._FIELDS


def test_a_type_that_only_one_side_knows_would_be_found() -> None:
    spoilt = {**tensors._NUMPY, "DT_FLOAT": np.dtype(np.float64)}

    assert spoilt != NUMPY_DTYPES
