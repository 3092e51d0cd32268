"""What a user asks for: the body of ``POST /deployments``, checked and with every default filled in."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from spillway.domain.engines.engine import Options
from spillway.domain.engines.registry import DEFAULT_ENGINE, ENGINES, engine_of
from spillway.domain.frozen import LEAST, Frozen
from spillway.domain.paths.bedrock_models import AskedModel
from spillway.domain.paths.model_catalog import known_task
from spillway.domain.paths.path import Billing, Path
from spillway.domain.paths.profile import PathProfile
from spillway.domain.paths.registry import profile_of
from spillway.domain.paths.targets import BedrockApi
from spillway.domain.task import Task

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,38}[a-z0-9]$"
_CLOCK = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$")


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise ValueError("is not an IANA time zone such as 'Europe/Berlin' or 'UTC'") from err
    return value


def _clock_time(value: str) -> str:
    if not _CLOCK.match(value):
        raise ValueError("is not a time of day from '00:00' to '23:59'")
    return value


ClockTime = Annotated[str, AfterValidator(_clock_time)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class ModelSpec(Frozen):
    """The model: a Hugging Face, JumpStart or Bedrock id, and the user's own weights if any.

    ``task`` decides which endpoints answer: left out it is what the id tells, else chat.
    On path bedrock, ``api`` is the one to call it by, chosen by the model when left out, and ``allow_global`` lets an
    inference profile be chosen that may answer from any region of the world.
    """

    id: Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]
    weights: Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$", max_length=1024)] | None = None
    accept_eula: bool = False
    api: BedrockApi | None = None
    allow_global: bool = False
    task: (
        Annotated[Task, Field(description="chat, embed or rerank: known of many models; chat where it is not")] | None
    ) = None


class WarmWindow(Frozen):
    """A weekly time span in which at least ``min`` instances stay up; a span may pass midnight."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1)]
    from_: Annotated[ClockTime, Field(alias="from")]
    to: ClockTime
    time_zone: TimeZone
    min: Annotated[int, Field(ge=1, le=100)] = 1

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True, populate_by_name=True)


class LargerSpec(Frozen):
    """Larger instances that the traffic is weighed against: once a day, the decisions say when they would pay.

    ``tokens_per_minute_per_instance`` is of one of them; up to ``max`` are thought of. Nothing is moved to them.
    """

    instance_type: Annotated[str, Field(min_length=1, max_length=64)]
    tokens_per_minute_per_instance: Annotated[float, Field(ge=LEAST, le=1e9)]
    max: Annotated[int, Field(ge=1, le=10)] = 1


class CapacitySpec(Frozen):
    """How many instances, of which types (most wanted first), bought how.

    ``tokens_per_minute_per_instance``: prompt and completion tokens that one instance serves; it comes before what a
    benchmark measured. With either, prices and a measured start, traffic is weighed in dollars; else thresholds decide.
    """

    min: Annotated[int, Field(ge=0, le=100)] = 0
    max: Annotated[int, Field(ge=1, le=100)] = 1
    instance_types: Annotated[tuple[str, ...], Field(max_length=10)] = ()
    market: Literal["on-demand", "spot"] = "on-demand"
    warm_windows: Annotated[tuple[WarmWindow, ...], Field(max_length=20)] = ()
    tokens_per_minute_per_instance: Annotated[float, Field(ge=LEAST, le=1e9)] | None = None
    larger: LargerSpec | None = None

    @model_validator(mode="after")
    def _larger_is_larger(self) -> "CapacitySpec":
        own = self.tokens_per_minute_per_instance
        if self.larger is not None and own is not None and self.larger.tokens_per_minute_per_instance <= own:
            raise PydanticCustomError(
                "not_larger",
                "must be above capacity.tokens_per_minute_per_instance, which is {own}",
                {"field": "larger.tokens_per_minute_per_instance", "own": own},
            )
        return self

    @model_validator(mode="after")
    def _min_is_within_max(self) -> "CapacitySpec":
        if self.min > self.max:
            raise _above_max("min", self.min, self.max)
        for number, window in enumerate(self.warm_windows):
            if window.min > self.max:
                raise _above_max(f"warm_windows.{number}.min", window.min, self.max)
        return self


def _above_max(field: str, value: int, limit: int) -> PydanticCustomError:
    # The context's "field" tells the API which field of the two to name.
    return PydanticCustomError(
        "above_max", "{value} is above capacity.max, which is {limit}", {"field": field, "value": value, "limit": limit}
    )


_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_Domain = Annotated[str, Field(max_length=253, pattern=rf"^{_LABEL}(\.{_LABEL})+$")]


# A closed set like any other to pydantic, whose members only the registry knows.
if TYPE_CHECKING:
    _EngineName: TypeAlias = str
else:
    _EngineName = Literal[tuple(ENGINES)]


# What switches a parser off; null is the default, as everywhere.
OFF = "none"
_Parser = Annotated[str, Field(max_length=64)]


class EngineSpec(Frozen):
    """The inference server of a fleet; ``media_domains`` are the only hosts that it may fetch media from, none all.

    ``tool_call_parser`` and ``reasoning_parser`` read calls of tools and thoughts out of the model's output: null is
    what is known of the model, ``none`` is nothing. ``chat_template`` is fetched by each instance when it starts.
    ``args`` are flags of the engine by name.
    """

    name: _EngineName = DEFAULT_ENGINE.name
    max_model_len: Annotated[int, Field(ge=256, le=1_000_000)] = 8192
    media_domains: Annotated[tuple[_Domain, ...], Field(max_length=20)] = ()
    tool_call_parser: _Parser | None = None
    reasoning_parser: _Parser | None = None
    chat_template: (
        Annotated[str, Field(max_length=1024, pattern=r"^(https://[a-z0-9]|s3://[a-z0-9])[!-~]*\.jinja2?$")] | None
    ) = None
    args: dict[str, Any] = Field(default_factory=dict, max_length=32)

    @property
    def options(self) -> Options:
        """How the engine is to read its model's output, as it was asked for."""
        tools, thoughts = (None if name == OFF else name for name in (self.tool_call_parser, self.reasoning_parser))
        return Options(tools, thoughts, self.args)

    @model_validator(mode="after")
    def _media_domains_hold(self) -> "EngineSpec":
        if self.media_domains and not engine_of(self.name).limits_media:
            raise PydanticCustomError(
                "media_domains",
                "is nothing that the engine {engine} can be held to: leave it out",
                {"field": "media_domains", "engine": self.name},
            )
        return self

    @model_validator(mode="after")
    def _has_its_parsers(self) -> "EngineSpec":
        engine = engine_of(self.name)
        for field, names in (
            ("tool_call_parser", engine.tool_call_parsers),
            ("reasoning_parser", engine.reasoning_parsers),
        ):
            value = getattr(self, field)
            if value is not None and value not in {OFF, *names}:
                raise PydanticCustomError(
                    "unknown_parser",
                    "is none of the engine {engine}: '{value}'",
                    {"field": field, "engine": self.name, "value": value, "allowed": [OFF, *sorted(names)]},
                )
        return self

    @model_validator(mode="after")
    def _has_its_args(self) -> "EngineSpec":
        flags = engine_of(self.name).flags
        for name, value in self.args.items():
            if name not in flags:
                raise PydanticCustomError(
                    "unknown_flag",
                    "is no flag of the engine {engine} that can be given",
                    {"field": f"args.{name}", "engine": self.name, "allowed": sorted(flags)},
                )
            if not flags[name].accepts(value):
                raise PydanticCustomError(
                    "flag_value", "must be {takes}", {"field": f"args.{name}", "takes": flags[name].takes}
                )
        return self


class Thresholds(Frozen):
    """The user's bounds on every decision.

    ``idle_after_seconds``: sleep no later than this without a request.
    ``cold_start_after_seconds``: spill when the first token would take longer than this.
    ``queue_depth_per_instance``: requests waiting per instance above which a fleet is saturated.
    ``waiting_usd_per_request``: without a spill target, what a request that finds no instance costs the user. Without
    it such a deployment keeps one instance up; with it the deployment may sleep, and waiting is weighed against
    instances.
    ``default_max_tokens``: the limit of an answer that Bedrock is told where the client set none, because it counts
    against a quota when a request begins; without it, one is learned from what answers use.
    """

    idle_after_seconds: Annotated[int, Field(ge=60, le=604_800)] = 900
    cold_start_after_seconds: Annotated[float, Field(ge=0.05, le=900)] = 2.0
    queue_depth_per_instance: Annotated[float, Field(ge=LEAST, le=10_000)] = 8.0
    waiting_usd_per_request: (
        Annotated[
            float,
            Field(
                ge=LEAST,
                le=10_000,
                description="Without a spill target, what a request that finds no instance costs you: lets it sleep",
            ),
        ]
        | None
    ) = None
    default_max_tokens: (
        Annotated[
            int,
            Field(
                ge=1,
                le=1_000_000,
                description="Limit of an answer on Bedrock where the client sets none; learned when left out",
            ),
        ]
        | None
    ) = None


class SpillSpec(Frozen):
    """The Bedrock model that takes what the primary cannot; ``api`` and ``allow_global`` as a model's."""

    model_id: Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]
    api: BedrockApi | None = None
    allow_global: bool = False


class BudgetSpec(Frozen):
    """Dollars a calendar month (UTC) and the shares of it at which a cost alert goes out."""

    usd_per_month: Annotated[float, Field(ge=LEAST, le=10_000_000)]
    alert_at: Annotated[tuple[Annotated[float, Field(ge=LEAST, le=10)], ...], Field(min_length=1, max_length=10)] = (
        0.5,
        0.8,
        1.0,
    )


class RequestLogSpec(Frozen):
    """What is logged of requests beside their numbers; ``text`` is prompts and answers, in a log group of their own."""

    text: bool = False


class DeploymentSpec(Frozen):
    """A deployment as asked for; only ``name``, ``model.id`` and ``path`` are required."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    model: ModelSpec
    path: Path
    capacity: CapacitySpec = CapacitySpec()
    engine: EngineSpec = EngineSpec()
    thresholds: Thresholds = Thresholds()
    spill: SpillSpec | None = None
    budget: BudgetSpec | None = None
    request_log: RequestLogSpec = RequestLogSpec()

    @property
    def profile(self) -> PathProfile:
        """What is true of its path."""
        return profile_of(self.path)

    @property
    def task(self) -> Task:
        """What its model is for: as it was asked for, else as the model's id tells, else chat."""
        return self.model.task or known_task(self.model.id) or Task.CHAT

    @property
    def engine_options(self) -> Options:
        """How a fleet's engine is to serve the model."""
        return replace(self.engine.options, task=self.task)

    @property
    def wanted_instance_types(self) -> tuple[str, ...]:
        """The types to try as the path's service writes them, most wanted first; none where the service chooses.

        Raises InvalidRequest where one has to be named.
        """
        types = self.capacity.instance_types or self.profile.instance_types(self.model.id)
        return tuple(self.profile.instance_type(name) for name in types)

    @property
    def bedrock_models(self) -> tuple[AskedModel, ...]:
        """The models of Bedrock's catalog that may answer for it: its own on that path, and the spill target's."""
        asked = []
        if self.path.billing is Billing.TOKEN:
            asked.append(AskedModel(self.profile.model_id(self.model.id), "model.id", self.model.allow_global))
        if self.spill is not None:
            asked.append(AskedModel(self.spill.model_id, "spill.model_id", self.spill.allow_global))
        return tuple(asked)

    @property
    def spill_on_bedrock(self) -> "DeploymentSpec | None":
        """The spill target as a deployment of its own, for what only Bedrock's driver can check; None without one."""
        if self.spill is None:
            return None
        asked = self.spill
        model = ModelSpec(id=asked.model_id, accept_eula=self.model.accept_eula, allow_global=asked.allow_global)
        return DeploymentSpec(name=self.name, model=model, path=Path.BEDROCK)

    @model_validator(mode="after")
    def _has_the_weights_that_its_path_needs(self) -> "DeploymentSpec":
        if self.profile.needs_weights and self.model.weights is None:
            raise PydanticCustomError(
                "weights",
                "is required with path {path}: the S3 prefix of the weights",
                {"field": "model.weights", "path": self.path.value},
            )
        return self

    @model_validator(mode="after")
    def _nobody_waits_beside_a_spill_target(self) -> "DeploymentSpec":
        if self.spill is not None and self.thresholds.waiting_usd_per_request is not None:
            raise PydanticCustomError(
                "waiting_with_spill",
                "counts only without a spill target, which would answer instead: give one of the two, null the other",
                {"field": "thresholds.waiting_usd_per_request"},
            )
        return self
