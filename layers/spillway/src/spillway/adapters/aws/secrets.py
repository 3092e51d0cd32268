"""Secrets Manager."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from spillway.adapters.aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def secret_reader(client: "SecretsManagerClient", arn: str) -> Callable[[], str]:
    """Return a function that reads one secret's present value."""

    def read() -> str:
        with translated():
            return client.get_secret_value(SecretId=arn)["SecretString"]

    return read
