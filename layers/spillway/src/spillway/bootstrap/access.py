"""The composition root of what guards the API; apart from the others, because every first request waits for it."""

from dataclasses import dataclass

from spillway import clock
from spillway.adapters.aws.clients import client
from spillway.adapters.aws.custom_resource import Respond, respond
from spillway.adapters.aws.secrets import secret_reader
from spillway.adapters.dynamodb.keys_table import KeysTable
from spillway.services.authorize import Authorize
from spillway.services.seed_admin_key import SeedAdminKey
from spillway.settings import Settings


@dataclass(frozen=True)
class SeedServices:
    """What the custom resource uses."""

    admin_key: SeedAdminKey
    respond: Respond


def authorize_service(settings: Settings) -> Authorize:
    """Build the service of ``authorize_request``."""
    return Authorize(keys=KeysTable(client("dynamodb"), settings.keys_table), now=clock.utc_now)


def seed_services(settings: Settings) -> SeedServices:
    """Build the services of ``seed_admin_key``."""
    return SeedServices(
        admin_key=SeedAdminKey(
            keys=KeysTable(client("dynamodb"), settings.keys_table),
            read_secret=secret_reader(client("secretsmanager"), settings.admin_secret_arn),
            now=clock.utc_now,
        ),
        respond=respond,
    )
