"""The short way of an HttpResponse against the library's own converter; the rest: test_server."""

from __future__ import annotations

from collections.abc import Callable

import azure.functions as func
import pytest
from azure.functions.meta import Datum

from local_host.functions.converters import RESPONSE, converter_for
from local_host.functions.http_messages import to_response


def with_headers(**headers: str) -> func.HttpResponse:
    return func.HttpResponse("{}", headers={n.replace("_", "-"): v for n, v in headers.items()})


@pytest.mark.parametrize(
    "make",
    [
        lambda: func.HttpResponse("grün"),
        lambda: func.HttpResponse(b"\x00\xff", mimetype="image/png"),
        lambda: func.HttpResponse("x", mimetype="text/html", charset="latin-1"),
        lambda: func.HttpResponse(None, status_code=304, headers={"ETag": '"1"'}),
        lambda: func.HttpResponse("no body may come with this", status_code=204),
        lambda: with_headers(Content_Type="application/json", X_Model="digits/1"),
        lambda: with_headers(CONTENT_TYPE="application/json"),
        lambda: with_headers(Content_Length="99", Connection="close"),
        lambda: with_headers(Set_Cookie="a=1; Path=/"),
    ],
)
def test_a_response_goes_out_as_the_librarys_converter_would_have_it(
    make: Callable[[], func.HttpResponse],
) -> None:
    short = to_response(Datum(make(), RESPONSE))
    long = to_response(converter_for("http").encode(make(), expected_type=None))

    assert short.status_code == long.status_code
    assert short.body == long.body
    assert sorted(short.raw_headers) == sorted(long.raw_headers)
