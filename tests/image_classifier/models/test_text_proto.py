"""Texts are read as ``google.protobuf.text_format.Parse`` reads them: accepted, refused, values."""

from __future__ import annotations

import re
import struct
import warnings
from typing import Any

import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message as ProtobufMessage
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from image_classifier.models.serving_config_schema import MODEL_SERVER_CONFIG
from image_classifier.models.text_proto import (
    EnumType,
    Message,
    MessageType,
    Scalar,
    parse_text_proto,
)

SCALARS = {
    FieldDescriptor.TYPE_STRING: Scalar.STRING,
    FieldDescriptor.TYPE_BYTES: Scalar.BYTES,
    FieldDescriptor.TYPE_DOUBLE: Scalar.DOUBLE,
    FieldDescriptor.TYPE_INT32: Scalar.INT32,
    FieldDescriptor.TYPE_INT64: Scalar.INT64,
    FieldDescriptor.TYPE_UINT32: Scalar.UINT32,
}


def test_the_schema_is_that_of_tensorflow_serving() -> None:
    def check(described: MessageType, descriptor: Descriptor) -> None:
        assert list(described.fields) == [field.name for field in descriptor.fields]
        for field in descriptor.fields:
            ours = described.fields[field.name]
            assert ours.repeated == field.is_repeated, field.full_name
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                oneof = field.containing_oneof
                assert ours.oneof == (oneof.name if oneof else ""), field.full_name
                assert isinstance(ours.type, MessageType), field.full_name
                check(ours.type, field.message_type)
                continue
            assert ours.optional == (field.has_presence and not field.is_repeated)
            if field.type == FieldDescriptor.TYPE_ENUM:
                assert isinstance(ours.type, EnumType)
                assert ours.type.numbers == {v.name: v.number for v in field.enum_type.values}
            else:
                assert ours.type is SCALARS[field.type], field.full_name

    check(MODEL_SERVER_CONFIG, ModelServerConfig.DESCRIPTOR)


def protobuf_reads(text: str) -> ProtobufMessage | None:
    """The message as protobuf reads it, or None if it refuses the text."""
    try:
        with warnings.catch_warnings():  # of escapes that Python does not know
            warnings.simplefilter("ignore")
            return text_format.Parse(text, ModelServerConfig())
    except (text_format.ParseError, ValueError):  # the second: an enum's number out of bounds
        return None


def exact(value: Any) -> Any:
    return struct.pack("d", value) if isinstance(value, float) else value


def of_protobuf(message: ProtobufMessage) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type and field.message_type.GetOptions().map_entry:
            values[field.name] = dict(value)
        elif field.message_type and field.is_repeated:
            values[field.name] = [of_protobuf(each) for each in value]
        elif field.message_type:
            values[field.name] = of_protobuf(value) if message.HasField(field.name) else None
        elif field.is_repeated:
            values[field.name] = list(value)
        else:
            is_there = not field.has_presence or message.HasField(field.name)
            values[field.name] = exact(value) if is_there else None
    return values


def of_ours(message: Message, descriptor: Descriptor) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in descriptor.fields:
        value = message.values.get(field.name)
        inner = field.message_type
        if inner and inner.GetOptions().map_entry:
            entries = [of_ours(each, inner) for each in value or []]
            values[field.name] = {each["key"]: each["value"] for each in entries}
        elif inner and field.is_repeated:
            values[field.name] = [of_ours(each, inner) for each in value or []]
        elif inner:
            values[field.name] = of_ours(value, inner) if value is not None else None
        elif field.is_repeated:
            values[field.name] = value or []
        else:
            default = None if field.has_presence else field.default_value
            values[field.name] = exact(default if value is None else value)
    return values


def check_same(text: str) -> bool:
    """Asserts that protobuf and this package agree on the text; returns whether it is accepted."""
    theirs = protobuf_reads(text)
    if theirs is None:
        with pytest.raises(ValueError, match=r"^f.txt, line [0-9]+: .*\.$") as caught:
            parse_text_proto(text, MODEL_SERVER_CONFIG, where="f.txt")
        line = int(re.findall(r"line ([0-9]+)", str(caught.value))[0])
        assert 1 <= line <= text.count("\n") + 1
        return False
    ours = parse_text_proto(text, MODEL_SERVER_CONFIG, where="f.txt")
    assert of_ours(ours, ModelServerConfig.DESCRIPTOR) == of_protobuf(theirs)
    return True


def config(inside: str) -> str:
    return f"model_config_list {{ config {{ {inside} }} }}"


def versions(numbers: str) -> str:
    return config(f"model_version_policy {{ specific {{ versions: {numbers} }} }}")


def sampling(inside: str) -> str:
    return config(f"logging_config {{ sampling_config {{ {inside} }} }}")


ACCEPTED = [
    "",
    "# a comment alone",
    "model_config_list <>",
    "model_config_list: { config: [ { name: 'a' }, < name: 'b' > ] }, ",
    "model_config_list { config [] };",
    config("base_path: '/x/caf\\u00e9'"),
    config("base_path: '\\U0001F600\\x41\\x4g\\101\\0\\n\\'\\\"\\z\\N{DIGIT ONE}'"),
    config("name: '\\303' # in two halves\n \"\\251\" 'é'"),
    config("name: 'a', base_path: 'b'; model_platform: 'c'"),
    config("name: '' name: 'a'"),
    config("model_type: TENSORFLOW"),
    config("model_type: 2"),
    config("model_type: -7"),
    config("model_type: 0x10"),
    config("version_labels { key: 'a' value: 010 } version_labels { key: 'a' value: 2 }"),
    config("version_labels {}"),
    config("model_version_policy { all {} }"),
    versions("010, versions: 0x1F; versions: -0"),
    versions("[1, 0b11, 1_000, +5, 0o17, -010]"),
    versions("[]"),
    versions("[9223372036854775807, -9223372036854775808]"),
    sampling("sampling_rate: 0.1 attributes: -2147483648"),
    *(
        sampling(f"sampling_rate: {number}")
        for number in ("1", "-.5", "1e-3", "1.5f", "inf", "-Infinity", "nan", "nanf", "-0.0", "5F")
    ),
    sampling("per_task_sampling_configs { task_index: 0 dc: 'x' } per_task_sampling_configs {}"),
    config("logging_config { custom_logging_config { type_url: 'a/b' value: '\\377' } }"),
    "custom_model_config {}",
]
REFUSED = [
    "model_config_list",
    "model_config_list {",
    "model_config_list { >",
    "model_config_list }",
    "model_config_list {} model_config_list {}",
    "model_config_list {} custom_model_config {}",
    "model_config_list {},,",
    "[a.b] {}",
    "a{" * 5000,
    config("name 'a'"),
    config("name: a"),
    config("name: 'a"),
    config("name: 'a\\'"),
    config("name: 'a\\"),
    config("name: 'a\nb'"),
    config("name: \"a'"),
    config("name: 'a' name: 'b'"),
    config("name: 'a' name: ''"),
    config("name: ['a']"),
    config("name: '\\400'"),
    config("name: '\\xg'"),
    config("name: '\\u12'"),
    config("name: '\\ud800'"),
    config("name: '\\u0100\\N{BULLET}'"),
    config("name: '\\303'"),
    config("unknown: 1"),
    config("config {}"),
    config("model_type: SOMETHING"),
    config("model_type: 010"),
    config("model_type: 2147483648"),
    config("model_version_policy { latest {} all {} }"),
    config("model_version_policy {} model_version_policy {}"),
    config("model_version_policy { latest { num_versions: -1 } }"),
    config("model_version_policy { latest { num_versions: 4294967296 } }"),
    versions("99999999999999999999"),
    versions("9" * 5000),
    versions("9223372036854775808"),
    versions("-9223372036854775809"),
    versions("- 1"),
    versions("08"),
    versions("1.0"),
    versions("[1 2]"),
    versions("[1, 2,]"),
    versions("[1; 2]"),
    versions("'1'"),
    sampling("sampling_rate: 00.5"),
    sampling("sampling_rate: 1 sampling_rate: 0"),
    sampling("sampling_rate: -0.0 sampling_rate: 1"),
    sampling("sampling_rate: 'a'"),
    sampling("attributes: 2147483648"),
    sampling("per_task_sampling_configs { task_index: 0 task_index: 0 }"),
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_texts_that_protobuf_accepts_have_the_same_values(text: str) -> None:
    assert check_same(text)


@pytest.mark.parametrize("text", REFUSED, ids=[text[:60] for text in REFUSED])
def test_texts_that_protobuf_refuses_are_refused_with_their_line(text: str) -> None:
    assert not check_same(text)


def test_the_expanded_form_of_any_is_refused() -> None:
    text = "custom_model_config { [type.googleapis.com/tensorflow.serving.ModelConfig] {} }"
    assert protobuf_reads(text) is not None

    with pytest.raises(ValueError, match=r"f.txt, line 1: the name of a field .* where \[ is"):
        parse_text_proto(text, MODEL_SERVER_CONFIG, where="f.txt")


def test_errors_have_the_line_of_the_token_that_is_wrong() -> None:
    text = "# \n\nmodel_config_list {\n config {\n  name: 'a'\n\n  base_path:\n  7 } }"

    with pytest.raises(ValueError, match="^f.txt, line 8: base_path must be a string, not 7.$"):
        parse_text_proto(text, MODEL_SERVER_CONFIG, where="f.txt")


# Words, numbers, strings and signs that stand somewhere in such files, or should not.
SCRAPS = st.one_of(
    st.sampled_from(
        list("{}<>[],;:#\n/.-+@é\\'\"") + ["true", "name", "base_path", "config", "versions", "a-b"]
    ),
    st.sampled_from(["''", "[type.googleapis.com/tensorflow.serving.ModelConfig]"]),
    st.sampled_from(
        ["010", "0x1f", "-0", "1e3", ".5", "0.1f", "08", "1_0", "0b1", "inf", "2147483648"]
    ),
    st.from_regex(r"'(\\[0-7xuUN{}a-z\"'\\]|[a-f0-9é\u3042]){0,8}'", fullmatch=True),
    st.from_regex(r"[+-]?[0-9._efx]{1,6}", fullmatch=True),
    st.text(max_size=3),
)
STRINGS = st.one_of(
    st.text(max_size=6).map(lambda text: f'"{text_format.text_encoding.CEscape(text, False)}"'),
    st.from_regex(
        r"\"(\\[0-7xuUNa-z'\"\\]|\\x[0-9a-f]{1,2}|\\[0-7]{1,3}|[ -!#-\[\]-~]){0,5}\"",
        fullmatch=True,
    ),
    st.sampled_from(["'a' \"b\"", "''", "'\\u00e9'", "'\\303' '\\251'"]),
)
INTEGERS = st.one_of(
    st.integers(-4, 4).map(str),
    st.sampled_from([2**31 - 1, 2**31, -(2**31), 2**32 - 1, 2**32, 2**63 - 1, 2**63]).map(str),
    st.integers(0, 600).map(lambda number: f"0{number:o}"),
    st.integers(0, 600).map(hex),
)
FLOATS = st.one_of(st.floats().map(repr), INTEGERS, st.sampled_from(["1f", "infinityf", "nanF"]))
SEPARATORS = st.sampled_from(["", " ", "\n", ",", ";", " # comment\n", ", "])
COLONS = st.sampled_from([":", ": ", ":\n"])


@st.composite
def values(draw: st.DrawFn, field: FieldDescriptor) -> str:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        opening, closing = draw(st.sampled_from([("{", "}"), ("<", ">")]))
        return f"{opening}{draw(messages(field.message_type))}{closing}"
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        return draw(STRINGS)
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return draw(FLOATS)
    if field.type == FieldDescriptor.TYPE_ENUM:
        names = [value.name for value in field.enum_type.values]
        return draw(st.one_of(st.sampled_from(names), INTEGERS))
    return draw(INTEGERS)


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor) -> str:
    """Texts of a message, most of them good."""
    text = ""
    fields = list(descriptor.fields)
    for field in draw(st.lists(st.sampled_from(fields), max_size=4)) if fields else []:
        colon = draw(COLONS)
        if field.type == FieldDescriptor.TYPE_MESSAGE and draw(st.booleans()):
            colon = " "
        if field.is_repeated and draw(st.booleans()):
            listed = draw(st.lists(values(field), max_size=2))
            text += f"{field.name}{colon}[{', '.join(listed)}]"
        else:
            text += f"{field.name}{colon}{draw(values(field))}"
        text += draw(SEPARATORS) or " "
    return text


TEXTS = messages(ModelServerConfig.DESCRIPTOR.fields_by_name["model_config_list"].message_type).map(
    lambda inside: f"model_config_list {{ {inside} }}"
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_generated_messages_are_read_as_protobuf_reads_them(text: str) -> None:
    check_same(text)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(TEXTS, st.data())
def test_damaged_messages_are_read_as_protobuf_reads_them(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 2))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 3, len(text))))
        text = text[:start] + data.draw(SCRAPS) + text[end:]
    if "type.googleapis.com/" not in text:  # the exception that the module names
        check_same(text)


@settings(max_examples=100, deadline=None)
@given(st.one_of(SCRAPS, STRINGS), st.sampled_from(["name", "model_type", "value"]))
@example("\x1c'a'", "name")
def test_any_value_is_read_as_protobuf_reads_it(scrap: str, field: str) -> None:
    places = {
        "name": config(f"name: {scrap} base_path: {scrap}"),
        "model_type": config(f"model_type: {scrap}\n}} config {{"),
        "value": versions(scrap),
    }
    check_same(places[field])
