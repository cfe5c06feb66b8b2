import pytest

from image_classifier import Settings
from image_classifier.bindings.authentication import check_key
from image_classifier.errors import Unauthorized
from tests.support.builders import request

DEVELOPMENT = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development"}
KEYS = {"API_KEYS": "alpha, beta"}


def lets_in(environ: dict[str, str], **sent: dict[str, str]) -> bool:
    try:
        check_key(request(**sent), Settings.from_environ(environ))  # type: ignore[arg-type]
    except Unauthorized:
        return False
    return True


def test_development_without_keys_is_open() -> None:
    assert lets_in(DEVELOPMENT)


def test_without_any_setting_nobody_gets_in() -> None:
    assert not lets_in({})
    assert not lets_in({}, headers={"x-functions-key": "anything"})


def test_allow_anonymous_opens_an_app_without_keys() -> None:
    assert lets_in({"ALLOW_ANONYMOUS": "true"})


@pytest.mark.parametrize("environ", [KEYS, KEYS | DEVELOPMENT, KEYS | {"ALLOW_ANONYMOUS": "true"}])
def test_where_there_are_keys_one_is_needed_everywhere(environ: dict[str, str]) -> None:
    assert not lets_in(environ)
    assert lets_in(environ, headers={"x-functions-key": "beta"})


@pytest.mark.parametrize(
    "sent",
    [
        {"headers": {"x-functions-key": "alpha"}},
        {"headers": {"Prediction-Key": "alpha"}},
        {"headers": {"Ocp-Apim-Subscription-Key": "alpha"}},
        {"headers": {"Authorization": "Bearer alpha"}},
        {"headers": {"Authorization": "bearer  alpha "}},
        {"params": {"code": "alpha"}},
    ],
)
def test_a_key_is_taken_from_each_place(sent: dict[str, dict[str, str]]) -> None:
    assert lets_in(KEYS, **sent)


@pytest.mark.parametrize(
    "sent",
    [
        {"headers": {"x-functions-key": "Alpha"}},
        {"headers": {"x-functions-key": "alph"}},
        {"headers": {"x-functions-key": "alpha,beta"}},
        {"headers": {"x-functions-key": "älpha"}},
        {"headers": {"Authorization": "Basic alpha"}},
        {"headers": {"Authorization": "alpha"}},
        {"params": {"key": "alpha"}},
        {"headers": {"x-functions-key": "wrong"}, "params": {"code": "alpha"}},
    ],
)
def test_anything_else_is_refused(sent: dict[str, dict[str, str]]) -> None:
    assert not lets_in(KEYS, **sent)


def test_the_refusal_says_what_to_do_and_never_the_key() -> None:
    with pytest.raises(Unauthorized, match="API_KEYS.*x-functions-key") as missing:
        check_key(request(), Settings.from_environ(KEYS))
    with pytest.raises(Unauthorized) as wrong:
        check_key(request(headers={"x-functions-key": "hunter2"}), Settings.from_environ(KEYS))

    for error in (missing, wrong):
        assert not any(key in error.value.message for key in ("alpha", "beta", "hunter2"))
