"""Parameters under which everything in the template exists."""

from tests.template.conftest import WITH_ALL

EVERYTHING = {**WITH_ALL, "GatewayServer": "ec2"}
