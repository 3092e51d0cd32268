"""The sandbox's own endpoints: permission checks for workers, and what tests and the demo look at or break."""

import asyncio
import dataclasses
import json
from itertools import zip_longest
from typing import Any

from aiohttp import web

from tests.calls.record import CallShape
from tests.sandbox.cloud.fleet import Fleet
from tests.sandbox.cloud.machines import DEPLOYMENT_TAG
from tests.sandbox.runtime.alert_collector import AlertCollector
from tests.sandbox.runtime.emulation import Emulation
from tests.sandbox.runtime.lambda_runtime import LambdaRuntime, UnknownFunctionError
from tests.sandbox.runtime.permissions import Permissions, UnknownKeyError


class Admin:
    """Routes under ``/_sandbox/``, open on loopback to whoever runs the sandbox."""

    def __init__(self, permissions: Permissions, emulation: Emulation, functions: LambdaRuntime, stack: str) -> None:
        self._permissions = permissions
        self._emulation = emulation
        self._functions = functions
        self.alerts: AlertCollector | None = None
        self._stack = stack

    def routes(self) -> list[web.RouteDef]:
        """Return all routes, and that of Lambda's Invoke, which moto would answer by itself."""
        return [
            web.post("/_sandbox/authorize", self._authorize),
            web.get("/_sandbox/calls", self._calls),
            web.get("/_sandbox/alerts", self._alerts),
            web.get("/_sandbox/events", self._events),
            web.get("/_sandbox/failures", self._failures),
            web.get("/_sandbox/leftovers", self._leftovers),
            web.get("/_sandbox/instances", self._instances),
            web.get("/_sandbox/meter", self._meter),
            web.post("/_sandbox/instances/{id}/{action:kill|crash|interrupt}", self._act_on_instance),
            web.get("/_sandbox/faults", self._faults),
            web.post("/_sandbox/faults", self._set_faults),
            web.post("/2015-03-31/functions/{name}/invocations", self._invoke),
        ]

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        try:
            refused = self._permissions.refusal_of_key(
                asked["principal"], asked["service"], asked["operation"], asked["params"]
            )
        except UnknownKeyError:
            refused = "no role of the stack has this access key"
        if refused is None and asked["shape"]:
            self._permissions.shapes.add(CallShape(asked["service"], asked["operation"], asked["shape"]))
        return web.json_response({"allowed": refused is None, "message": refused})

    async def _calls(self, request: web.Request) -> web.Response:
        return web.json_response(self._permissions.describe(denied="denied" in request.query))

    async def _alerts(self, request: web.Request) -> web.Response:
        if self.alerts is None:
            return web.json_response([])
        found = await asyncio.to_thread(self.alerts.notifications)
        return web.json_response([dataclasses.asdict(each) for each in found])

    async def _events(self, request: web.Request) -> web.Response:
        return web.json_response([_event(entry) for entry in list(self._emulation.events.seen)])

    async def _failures(self, request: web.Request) -> web.Response:
        failures = [{"function": name, "error": json.loads(each.payload)} for name, each in self._functions.failures]
        undelivered = [dataclasses.asdict(each) for each in self._emulation.delivery.undelivered]
        return web.json_response({"invocations": failures, "undelivered": undelivered})

    async def _leftovers(self, request: web.Request) -> web.Response:
        found = self._emulation.leftovers(self._stack)
        wanted = request.query.get("contains", "")
        return web.json_response([each for each in found if wanted in each])

    async def _instances(self, request: web.Request) -> web.Response:
        return web.json_response(
            [
                {
                    "id": machine.id,
                    "deployment": machine.deployment,
                    "group": machine.group,
                    "type": machine.type,
                    "zone": machine.zone,
                    "spot": machine.spot,
                    "phase": machine.phase.value,
                    "answers": machine.engine is not None,
                }
                for machine in list(self._emulation.fleet.machines.values())
            ]
        )

    async def _meter(self, request: web.Request) -> web.Response:
        """Show what the simulated AWS would bill: instances with their times (epoch seconds), and models' tokens."""
        instances = [
            {
                "path": "fleet",
                "deployment": machine.deployment,
                "type": machine.type,
                "from": machine.launched_at,
                "to": machine.ended_at,
                "count": 1,
            }
            for machine in list(self._emulation.fleet.launched)
        ]
        for endpoint in list(self._emulation.sagemaker.made):
            ends = [at for at, _ in endpoint.counts[1:]]
            instances += [
                {
                    "path": "jumpstart",
                    "deployment": endpoint.tags.get(DEPLOYMENT_TAG, endpoint.name),
                    "type": endpoint.instance_type,
                    "from": begin,
                    "to": end,
                    "count": count,
                }
                for (begin, count), end in zip_longest(endpoint.counts, ends)
            ]
        tokens = {name: dataclasses.asdict(use) for name, use in self._emulation.bedrock.use.items()}
        return web.json_response({"instances": instances, "tokens": tokens})

    async def _act_on_instance(self, request: web.Request) -> web.Response:
        fleet: Fleet = self._emulation.fleet
        actions = {"kill": fleet.kill_instance, "crash": fleet.crash_engine, "interrupt": fleet.interrupt_spot}
        instance_id = request.match_info["id"]
        if instance_id not in fleet.machines:
            return web.json_response({"message": f"no instance {instance_id}"}, status=404)
        await asyncio.to_thread(actions[request.match_info["action"]], instance_id)
        return web.json_response({})

    async def _faults(self, request: web.Request) -> web.Response:
        faults = self._emulation.faults
        return web.json_response(
            {
                "insufficient_capacity": sorted(faults.insufficient_capacity),
                "crash_while_loading": sorted(faults.crash_while_loading),
                "resource_limit": faults.resource_limit,
            }
        )

    async def _set_faults(self, request: web.Request) -> web.Response:
        """Set what the body names: sets and limits replace the present ones, ``clear`` comes first."""
        wanted: dict[str, Any] = json.loads(await request.read())
        faults = self._emulation.faults
        unknown = set(wanted) - {
            "clear", "insufficient_capacity", "crash_while_loading", "resource_limit", "throttle", "bedrock"
        }  # fmt: skip
        if unknown:
            return web.json_response({"message": f"unknown fault: {', '.join(sorted(unknown))}"}, status=400)
        if wanted.get("clear"):
            faults.clear()
        if "insufficient_capacity" in wanted:
            faults.insufficient_capacity = set(wanted["insufficient_capacity"])
        if "crash_while_loading" in wanted:
            faults.crash_while_loading = set(wanted["crash_while_loading"])
        if "resource_limit" in wanted:
            faults.resource_limit = dict(wanted["resource_limit"])
        if throttle := wanted.get("throttle"):
            faults.throttle(throttle["service"], throttle["operation"], int(throttle["times"]))
        if bedrock := wanted.get("bedrock"):
            self._emulation.bedrock.fail_next(**bedrock)
        return await self._faults(request)

    async def _invoke(self, request: web.Request) -> web.Response:
        payload = await request.read()
        name = request.match_info["name"]
        try:
            if request.headers.get("X-Amz-Invocation-Type") == "Event":
                self._functions.invoke_event(name, payload)
                return web.Response(status=202)
            invocation = await self._functions.run_async(name, payload)
        except UnknownFunctionError as unknown:
            headers = {"x-amzn-ErrorType": "ResourceNotFoundException"}
            return web.json_response({"Type": "User", "Message": str(unknown)}, status=404, headers=headers)
        headers = {"X-Amz-Function-Error": invocation.function_error} if invocation.function_error else {}
        return web.Response(body=invocation.payload, headers=headers, content_type="application/json")


def _event(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what was put on a bus as a rule's target gets it; ``time`` is the sandbox's."""
    return {
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "detail": json.loads(entry["Detail"]),
        "time": entry["at"].isoformat(),
    }
