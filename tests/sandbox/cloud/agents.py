"""The agent on each instance of a fleet: it tells once a minute how full its engine is, as its boot script does."""

from decimal import Decimal

from moto.dynamodb.models import dynamodb_backends

from tests.sandbox.cloud.fleet import Fleet
from tests.sandbox.cloud.machines import Machine
from tests.sandbox.cloud.metrics import Metrics
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION

NAMESPACE = "Spillway/Engine"
REPORT_SECONDS = 60.0
_BLOCK_SECONDS = 300


def start_agents(fleet: Fleet, metrics: Metrics) -> None:
    """Report every minute of the sandbox from now on, one word an instance."""
    fleet.clock.call_later(REPORT_SECONDS, _report, fleet, metrics)


def _report(fleet: Fleet, metrics: Metrics) -> None:
    now = fleet.clock.time()
    for machine in list(fleet.machines.values()):
        if engine := machine.engine:
            load = engine.load()
            if machine.loads_table:
                _tell(machine, machine.loads_table, load.running, load.waiting, load.kv_cache_use, int(now))
                continue
            # A boot script of before there was the table.
            values = {
                "RequestsRunning": load.running,
                "RequestsWaiting": load.waiting,
                "KvCacheUse": load.kv_cache_use,
            }
            for name, value in values.items():
                metrics.put(NAMESPACE, name, {"Deployment": machine.deployment}, [value], now)
    start_agents(fleet, metrics)


def _tell(machine: Machine, table: str, running: float, waiting: float, cache: float, now: int) -> None:
    told = {"at": now, "running": running, "waiting": waiting, "cache": cache}
    dynamodb_backends[ACCOUNT][REGION].update_item(
        table_name=table,
        key={"id": {"S": f"{machine.deployment}#engines#{now // _BLOCK_SECONDS}"}},
        update_expression="SET #instance = :gauges, expires_at = :expires",
        expression_attribute_names={"#instance": machine.id},
        expression_attribute_values={
            ":expires": {"N": str(now + 86_400)},
            ":gauges": {"M": {name: {"N": str(Decimal(str(value)))} for name, value in told.items()}},
        },
    )
