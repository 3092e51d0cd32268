"""The whole of Spillway on one machine: the transformed template on emulated AWS, served over HTTP on loopback."""

import asyncio
import logging
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import aiohttp

from tests.calls.record import SEEN
from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION
from tests.sandbox.engine import EngineConfig
from tests.sandbox.engine_command import Command
from tests.sandbox.runtime import invocations
from tests.sandbox.runtime.admin import Admin
from tests.sandbox.runtime.alert_collector import AlertCollector
from tests.sandbox.runtime.aws_edge import AwsEdge
from tests.sandbox.runtime.checks import Checks
from tests.sandbox.runtime.creation import Clients
from tests.sandbox.runtime.custom_resources import CustomResources
from tests.sandbox.runtime.deployed import Deployed, deploy
from tests.sandbox.runtime.emulation import Emulation, Hooks
from tests.sandbox.runtime.engine_host import EngineHost
from tests.sandbox.runtime.fleet_door import FleetDoor
from tests.sandbox.runtime.front import Front
from tests.sandbox.runtime.functions import FunctionSpec, Surroundings
from tests.sandbox.runtime.lambda_runtime import LambdaRuntime
from tests.sandbox.runtime.loop_thread import LoopThread
from tests.sandbox.runtime.options import Options
from tests.sandbox.runtime.resource_policies import check_api
from tests.sandbox.runtime.sam_template import Transformation
from tests.sandbox.runtime.servers import Servers, address, listen
from tests.sandbox.runtime.stack_functions import WEB_HANDLER
from tests.sandbox.runtime.stack_life import StackLife
from tests.sandbox.runtime.stack_permissions import StackPermissions
from tests.sandbox.runtime.streaming import GatewayProxy, open_session
from tests.sandbox.runtime.template_stack import Target
from tests.sandbox.runtime.web_function import free_port, uvicorn_arguments

GATEWAY_START_SECONDS = 20.0


class Sandbox:
    """Starts everything and ends everything; usable as a context manager, from a coroutine or not.

    After the start: ``base_url``, ``openai_base_url``, ``aws_endpoint_url`` and ``admin_key`` say how to reach it;
    ``clock``, ``emulation``, ``engines``, ``functions``, ``permissions``, ``deployed`` and ``alerts`` let tests look
    inside, and ``life`` updates and deletes the stack.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.clock = SandboxClock(self.options.time_factor)
        self._closing = ExitStack()

    def start(self) -> None:
        """Start; blocks for some seconds. Raises PortInUseError, TemplateError or what a function reports."""
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End every process, thread and server."""
        self._closing.close()

    def __enter__(self) -> "Sandbox":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> "Sandbox":
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)

    def _start(self) -> None:
        front, edge = listen(self.options.port), listen(0)
        self._closing.callback(front.close)
        self._closing.callback(edge.close)
        self.aws_endpoint_url = address(edge)
        transformation = Transformation(self.options.parameters, REGION)
        self._closing.callback(transformation.close)
        self._start_runtime()
        moto_url = self._start_emulation()
        servers = self._start_servers()
        door = FleetDoor(self.emulation.balancer, self.emulation.vpc_links, self._session)
        admin = Admin(self.permissions, self.emulation, self.functions, self.options.stack)
        custom = CustomResources(self.aws_endpoint_url, self.functions.invoke_event)
        own = [*admin.routes(), *custom.routes()]
        emulated = [*self.emulation.routes(self._session), *invocations.routes(self.functions)]
        servers.serve(AwsEdge(moto_url, self.permissions, self._session, emulated, own, door).app(), edge)

        self.deployed = self._deploy(transformation.result(), moto_url)
        door.api = self.deployed.fleets
        self.alerts = admin.alerts = AlertCollector(self.deployed.stack)
        gateways = self._start_gateways()
        self.life = StackLife(self.deployed.stack, custom)
        self.emulation.moto.front.handle("cloudformation", "DescribeStacks", self.life.describe)
        self.life.create()
        self.admin_key = self.deployed.secret()
        api = self.deployed.api
        public = Front(api, self.functions, gateways, REGION, ACCOUNT, self.clock.time)
        servers.serve(public.app(), front, unpacks=False)
        self.base_url = f"{address(front)}/{api.stage}"
        self.openai_base_url = f"{self.base_url}/v1"
        self._await_gateways(gateways)
        self.emulation.begin()

    def _start_runtime(self) -> None:
        logs = self.options.folder / "logs"
        shutil.rmtree(logs, ignore_errors=True)
        around = Surroundings(REGION, self.aws_endpoint_url, self.clock.to_env(), ACCOUNT)
        self.functions = LambdaRuntime(around, logs)
        self.functions.real_seconds = self.clock.real_seconds
        self._closing.callback(self.functions.close)

    def _start_emulation(self) -> str:
        # A workflow that fails is a part of the story; moto's interpreter would print its insides.
        logging.getLogger("moto").setLevel(logging.CRITICAL)
        self.checks = Checks()
        self.permissions = self.checks.permissions
        self.engines = EngineHost(self._engine, self.clock.time)
        self._closing.callback(self.engines.close)
        hooks = Hooks(
            self.functions.invoke,
            self.functions.invoke_event,
            self.checks.before_task,
            self.checks.before_delivery,
            self.checks.may_subscribe,
        )
        self.emulation = Emulation(self.clock, self.engines, hooks, self.options.times)
        self._closing.callback(self.emulation.stop)
        return self.emulation.start()

    def _start_servers(self) -> Servers:
        self._loop = LoopThread("sandbox-servers")
        self._closing.callback(self._loop.close)
        self._session = self._loop.run(_open_session())
        self._closing.callback(lambda: self._loop.run(self._session.close()))
        servers = Servers(self._loop)
        self._closing.callback(servers.close)
        return servers

    def _deploy(self, template: Mapping[str, Any], moto_url: str) -> Deployed:
        target = Target(moto_url, REGION, ACCOUNT, self.options.stack)
        # Gated weights need a token; nothing is downloaded with this one.
        token = Clients(moto_url, REGION)("secretsmanager").create_secret(
            Name="hugging-face", SecretString="hf_sandbox"
        )
        parameters = {"HuggingFaceTokenSecretArn": token["ARN"], **self.options.parameters}
        deployed = deploy(template, parameters, target, self.aws_endpoint_url)
        check_api(deployed)
        self.functions.register(deployed.functions)
        self.functions.dead_letter = self.emulation.dead_letter
        policies = StackPermissions(deployed, self.emulation.catalog)
        self.checks.know(deployed, policies.evaluate)
        self._closing.callback(lambda: SEEN.add(self.permissions.shapes, policies.used))
        return deployed

    def _start_gateways(self) -> dict[str, GatewayProxy]:
        return {spec.name: self._start_gateway(spec) for spec in self.deployed.functions if spec.handler == WEB_HANDLER}

    def _start_gateway(self, spec: FunctionSpec) -> GatewayProxy:
        port = free_port()
        self.functions.serve_web(spec, uvicorn_arguments(spec, port), {"AWS_LWA_PORT": str(port)})
        return GatewayProxy(f"http://127.0.0.1:{port}", spec, self._session)

    def _await_gateways(self, gateways: dict[str, GatewayProxy]) -> None:
        for gateway in gateways.values():
            self._loop.run(gateway.ready(GATEWAY_START_SECONDS), GATEWAY_START_SECONDS + 1)

    def _engine(self, command: Command) -> EngineConfig:
        return replace(
            self.options.engine,
            model_names=(command.served_name,),
            model=command.model,
            task=command.task,
            tool_call_parser=command.tool_call_parser,
            reasoning_parser=command.reasoning_parser,
            upstream_url=self.options.engine_url,
        )


async def _open_session() -> aiohttp.ClientSession:
    return open_session()
