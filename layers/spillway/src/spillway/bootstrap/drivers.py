"""The composition root of the drivers' functions, apart from the rest: each loads only its own path's code."""

from spillway import clock
from spillway.adapters.aws.clients import client
from spillway.adapters.dynamodb.deployments_table import DeploymentsTable
from spillway.ports import Driver
from spillway.services.driver_task import DriverTask
from spillway.settings import Settings


def bedrock_driver_task(settings: Settings) -> DriverTask:
    """Build the service of ``drive_bedrock``."""
    from spillway.adapters.drivers.bedrock import BedrockDriver

    driver = BedrockDriver(settings.region, client("bedrock"), settings.allows_model_subscriptions)
    return _drive(settings, driver)


def import_driver_task(settings: Settings) -> DriverTask:
    """Build the service of ``drive_import``."""
    from spillway.adapters.drivers.imported import ImportDriver

    role_arn = settings.import_role_arn if settings.has("IMPORT_ROLE_ARN") else None
    return _drive(settings, ImportDriver(settings.stack, settings.region, role_arn, client("bedrock")))


def jumpstart_driver_task(settings: Settings) -> DriverTask:
    """Build the service of ``drive_jumpstart``."""
    from spillway.adapters.aws.quotas import Quotas
    from spillway.adapters.drivers.jumpstart.driver import jumpstart_driver

    driver = jumpstart_driver(
        settings.stack,
        settings.region,
        settings.endpoint_role_arn,
        client("sagemaker"),
        Quotas(client("service-quotas")),
    )
    return _drive(settings, driver)


def fleet_driver_task(settings: Settings) -> DriverTask:
    """Build the service of ``drive_fleet``."""
    from spillway.adapters.drivers.fleet.config import fleet_config
    from spillway.adapters.drivers.fleet.disabled import DisabledFleetDriver
    from spillway.adapters.drivers.fleet.driver import FleetClients, fleet_driver

    if not settings.has("FLEET_LISTENER_ARN"):
        return _drive(settings, DisabledFleetDriver())
    clients = FleetClients(
        ec2=client("ec2"),
        autoscaling=client("autoscaling"),
        elb=client("elbv2"),
        ssm=client("ssm"),
        service_quotas=client("service-quotas"),
    )
    return _drive(settings, fleet_driver(fleet_config(settings), clients))


def _drive(settings: Settings, driver: Driver) -> DriverTask:
    return DriverTask(driver, DeploymentsTable(client("dynamodb"), settings.deployments_table), clock.utc_now)
