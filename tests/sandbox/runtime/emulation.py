"""Everything that emulates AWS beside the functions themselves, wired together."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

import aiohttp
from aiohttp import web
from moto.sqs.models import sqs_backends

from tests.sandbox.bedrock import BedrockRuntime
from tests.sandbox.bedrock_catalog import Catalog, default_catalog
from tests.sandbox.bedrock_control import BedrockControl
from tests.sandbox.bedrock_subscriptions import Subscriptions as ModelSubscriptions
from tests.sandbox.cloud import fleet_api, hub, machine_images, price_list, sagemaker_api, scheduler
from tests.sandbox.cloud.agents import start_agents
from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.delivery import Delivery
from tests.sandbox.cloud.events import Events
from tests.sandbox.cloud.fleet import Fleet, FleetTimes
from tests.sandbox.cloud.leftovers import tagged_leftovers
from tests.sandbox.cloud.load_balancer import LoadBalancer
from tests.sandbox.cloud.metrics import Metrics
from tests.sandbox.cloud.ml_copies import MlTimes
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION, MotoCloud
from tests.sandbox.cloud.ports import EngineHost, Invoke, InvokeEvent, OnTarget, OnTask
from tests.sandbox.cloud.quotas import Quotas
from tests.sandbox.cloud.sagemaker import SageMaker
from tests.sandbox.cloud.scheduler import Scheduler
from tests.sandbox.cloud.subscriptions import Subscriptions
from tests.sandbox.cloud.vpc_links import VpcLinks
from tests.sandbox.cloud.workflows import Workflows
from tests.sandbox.runtime.functions import FunctionSpec
from tests.sandbox.runtime.lambda_runtime import Invocation
from tests.sandbox.sagemaker_runtime import SageMakerRuntime


@dataclass(frozen=True)
class Times:
    """How long AWS takes for things, in sandbox seconds."""

    fleet: FleetTimes = field(default_factory=FleetTimes)
    machine_learning: MlTimes = field(default_factory=MlTimes)
    import_seconds: float = 600.0
    model_copy_seconds: float = 60.0
    subscription_seconds: float = 600.0


@dataclass(frozen=True)
class Hooks:
    """What the emulated services call: functions, and the permission checks before tasks, deliveries, subscriptions."""

    invoke: Invoke
    invoke_event: InvokeEvent
    on_task: OnTask
    on_target: OnTarget
    may_subscribe: Callable[[Mapping[str, str]], bool]


class Emulation:
    """The emulated AWS; ``start`` returns moto's URL, ``begin`` lets time-driven things happen."""

    def __init__(self, clock: SandboxClock, engines: EngineHost, hooks: Hooks, times: Times) -> None:
        self.clock = clock
        self.moto = MotoCloud()
        self.faults = self.moto.faults
        self.metrics = Metrics()
        self.delivery = Delivery(hooks.invoke_event, hooks.on_target)
        self.events = Events(clock, self.delivery)
        self.scheduler = Scheduler(clock, self.delivery)
        self.fleet = Fleet(clock, engines, self.events.emit, self.faults, times.fleet)
        self.balancer = LoadBalancer(self.fleet)
        self.vpc_links = VpcLinks(clock.time)
        self.workflows = Workflows(clock, hooks.invoke, self.events.emit, hooks.on_task)
        self.sagemaker = SageMaker(clock, engines, self.events.emit, self.metrics, self.faults, times.machine_learning)
        self.quotas = Quotas(self.faults)
        self.topics = Subscriptions()
        self.catalog: Catalog = default_catalog()
        self.subscriptions = ModelSubscriptions(
            self.catalog, clock.now, hooks.may_subscribe, times.subscription_seconds
        )
        self.bedrock_control = BedrockControl(
            clock.now,
            self.catalog,
            import_seconds=times.import_seconds,
            is_throttled=lambda operation: self.faults.is_throttled("bedrock", operation),
            settle=self.subscriptions.settle,
        )
        self.bedrock = BedrockRuntime(
            self.catalog,
            clock.now,
            settle=self.bedrock_control.imports.settle,
            subscribed=self.subscriptions.check,
            copy_seconds=times.model_copy_seconds,
        )

    def start(self) -> str:
        """Start moto's server with everything of ours behind it."""
        url = self.moto.start()
        patches = self.moto.patches
        self.workflows.install(patches)
        self.events.install(patches)
        self.metrics.install(patches)
        self.topics.install(patches)
        scheduler.install(patches)
        fleet_api.install(self.fleet, patches)
        sagemaker_api.install(self.sagemaker, self.moto.front)
        hub.install(self.moto.front)
        price_list.install(self.moto.front)
        self.quotas.install(self.moto.front)
        machine_images.install()
        return url

    def begin(self) -> None:
        """Let schedules tick and instances report, once the stack stands."""
        self.scheduler.start()
        start_agents(self.fleet, self.metrics)

    def stop(self) -> None:
        """Stop everything."""
        self.clock.close()
        self.delivery.close()
        self.moto.stop()

    def leftovers(self, stack: str) -> list[str]:
        """Return everything that still carries a deployment's tag."""
        return tagged_leftovers(stack, self.sagemaker)

    def dead_letter(self, spec: FunctionSpec, payload: bytes, invocation: Invocation) -> None:
        """Send an asynchronous invocation that failed for good to the function's failure destination."""
        record = {
            "version": "1.0",
            "timestamp": self.clock.now().isoformat(),
            "requestContext": {"functionArn": f"{spec.arn}:$LATEST", "condition": "RetriesExhausted"},
            "requestPayload": json.loads(payload),
            "responsePayload": json.loads(invocation.payload),
        }
        if spec.dead_letter_arn is not None:
            queues = sqs_backends[ACCOUNT][REGION]
            queues.send_message(queue_name=spec.dead_letter_arn.rpartition(":")[2], message_body=json.dumps(record))

    def routes(self, session: aiohttp.ClientSession) -> list[web.RouteDef]:
        """Return the routes of the data planes and of what moto lacks."""
        sagemaker = SageMakerRuntime(self.sagemaker.resolve, session, Random(0))
        return [*self.bedrock.routes(), *self.bedrock_control.routes(), *sagemaker.routes()]
