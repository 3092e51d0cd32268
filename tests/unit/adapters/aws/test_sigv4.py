"""Our signatures are botocore's, whatever is signed."""

from datetime import UTC, datetime
from unittest.mock import patch

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from spillway.adapters.aws.sigv4 import Credentials, Signer

NOW = datetime(2026, 11, 24, 9, 30, 5, tzinfo=UTC)
SEGMENT = st.text("abcXYZ019-._~%:+ ", min_size=1, max_size=12).filter(lambda text: text.strip(".") != "")
VALUES = st.text("abc XYZ=;,/", max_size=20)


def by_botocore(url: str, service: str, body: bytes, headers: dict[str, str], token: str | None) -> str:
    request = AWSRequest(method="POST", url=url, data=body, headers=headers)
    stamp = NOW.replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", return_value=stamp):
        SigV4Auth(BotoCredentials("AKIA", "secret", token), service, "eu-west-1").add_auth(request)
    return str(request.headers["Authorization"])


@given(
    segments=st.lists(SEGMENT, max_size=4),
    host=st.sampled_from(
        ["https://a.example", "https://a.example:443", "http://127.0.0.1:8123", "http://a.example:80"]
    ),
    service=st.sampled_from(["bedrock", "sagemaker", "execute-api", "dynamodb"]),
    body=st.binary(max_size=50),
    value=VALUES,
    token=st.none() | st.just("a/token+="),
)
def test_the_signature_is_botocores(
    segments: list[str], host: str, service: str, body: bytes, value: str, token: str | None
) -> None:
    from urllib.parse import quote

    url = f"{host}/" + "/".join(quote(segment, safe="") for segment in segments)
    headers = {"content-type": "application/json", "X-Amzn-Thing": value}

    ours = Signer("eu-west-1").headers(url, service, body, headers, Credentials("AKIA", "secret", token), NOW)

    assert ours["authorization"] == by_botocore(url, service, body, headers, token)
    assert ours["x-amz-date"] == "20261124T093005Z"
    assert ours.get("x-amz-security-token") == token
