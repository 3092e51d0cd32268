"""The body of ``POST /plans``, checked and with every default filled in."""

from datetime import date
from io import StringIO
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from spillway.domain.costs.credits import Credit
from spillway.domain.economics.scenario import LARGEST
from spillway.domain.frozen import LEAST, Frozen
from spillway.domain.paths.fleet import ec2_instance_type
from spillway.domain.paths.instance_types import INSTANCE_TYPE
from spillway.domain.planner.traffic_profile import TrafficProfile, examples, profile_of_curve, profile_of_log

_DAY, _WEEK = 24, 168
# Assumed where a request says nothing else; see PlanRequest.
TARGET_UTILISATION = 0.8
COLD_START_SECONDS = 420.0

_Number = Annotated[float, Field(ge=0, le=LARGEST)]
_Positive = Annotated[float, Field(ge=LEAST, le=LARGEST)]
# Slower than a token in a quarter of an hour is no machine, and as little traffic is none.
_Rate = Annotated[float, Field(ge=1e-3, le=LARGEST)]
_Share = Annotated[float, Field(ge=0, le=1)]
_InstanceType = Annotated[str, Field(pattern=INSTANCE_TYPE, max_length=40)]


class PlanTraffic(Frozen):
    """One of three: hourly requests with lengths, a request log, or a named example; ``scale`` multiplies requests."""

    requests_per_hour: Annotated[
        tuple[_Number, ...] | None,
        Field(description="24 values, from midnight, or 168, from Monday's midnight"),
    ] = None
    prompt_tokens: Annotated[_Number | tuple[_Number, ...] | None, Field(description="Of one request; one or all")] = (
        None
    )
    completion_tokens: Annotated[_Number | tuple[_Number, ...] | None, Field(description="As prompt_tokens")] = None
    log: Annotated[
        str | None,
        Field(
            description="CSV with t_seconds,requests,prompt_tokens,completion_tokens; a row is a request or a window, "
            "and its tokens are those of all its requests"
        ),
    ] = None
    example: Annotated[str | None, Field(max_length=64)] = None
    scale: _Positive = 1.0

    @model_validator(mode="after")
    def _is_one_of_three(self) -> "PlanTraffic":
        given = [name for name in ("requests_per_hour", "log", "example") if getattr(self, name) is not None]
        if len(given) != 1:
            named = " and ".join(given) if given else "none of them"
            raise _wrong("give exactly one of requests_per_hour, log and example; it has {named}", None, named=named)
        if self.example is not None and self.example not in examples():
            known = ", ".join(sorted(examples()))
            raise _wrong("is none of the examples: {known}", "example", known=known)
        if self.requests_per_hour is not None:
            self._check_curve(len(self.requests_per_hour))
        elif self.prompt_tokens is not None or self.completion_tokens is not None:
            raise _wrong("comes with the {named}", "prompt_tokens", named=given[0])
        return self

    def _check_curve(self, hours: int) -> None:
        if hours not in (_DAY, _WEEK):
            raise _wrong(
                "must have 24 values (a day) or 168 (a week); it has {hours}", "requests_per_hour", hours=hours
            )
        for name in ("prompt_tokens", "completion_tokens"):
            lengths = getattr(self, name)
            if lengths is None:
                raise _wrong("is required with requests_per_hour", name)
            if isinstance(lengths, tuple) and len(lengths) != hours:
                raise _wrong("must have one value, or {hours} as requests_per_hour has", name, hours=hours)

    def shape(self) -> TrafficProfile:
        """Return the hours; InvalidRequest for a log with a wrong row."""
        if self.log is not None:
            shape = profile_of_log(StringIO(self.log, newline=""))
        elif (
            self.requests_per_hour is not None and self.prompt_tokens is not None and self.completion_tokens is not None
        ):
            shape = profile_of_curve(self.requests_per_hour, self.prompt_tokens, self.completion_tokens)
        else:
            example = examples()[self.example or ""]
            shape = profile_of_curve(
                example["requests_per_hour"], example["prompt_tokens"], example["completion_tokens"]
            )
        return shape.scaled(self.scale)


class PlanRequest(Frozen):
    """What to plan for. Only ``model`` and ``traffic`` are required; the rest replaces an assumption by a fact.

    ``target_utilisation`` is the share of an instance's measured throughput that an hour may plan with: the minutes of
    an hour are not alike. Shares are of requests. ``import_tokens_per_second`` is one copy's throughput. ``deployment``
    names one of this stack whose own throughput, stated or measured, comes before what was published.
    """

    model: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]
    traffic: PlanTraffic
    deployment: Annotated[str | None, Field(max_length=64)] = None
    region: Annotated[str | None, Field(max_length=32)] = None
    instance_types: Annotated[tuple[_InstanceType, ...], Field(max_length=20)] = ()
    tokens_per_second: dict[_InstanceType, _Rate] = Field({}, max_length=20)
    target_utilisation: Annotated[float, Field(ge=0.01, le=1)] = TARGET_UTILISATION
    flex_share: _Share = 0.0
    batch_share: _Share = 0.0
    cached_share: _Share = 0.0
    cold_start_seconds: Annotated[float, Field(ge=0, le=7200)] = COLD_START_SECONDS
    response_seconds: Annotated[float, Field(ge=LEAST, le=900)] = 10.0
    spot_usd_per_hour: dict[_InstanceType, _Positive] = Field({}, max_length=20)
    import_units: Annotated[int | None, Field(ge=1, le=1000)] = None
    import_tokens_per_second: _Rate | None = None
    credits: Annotated[tuple[Credit, ...], Field(max_length=20)] = ()
    starts_on: Annotated[date | None, Field(lt=date(2200, 1, 1))] = None

    @field_validator("instance_types", "tokens_per_second", "spot_usd_per_hour")
    @classmethod
    def _are_ec2_types(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return tuple(map(ec2_instance_type, given))
        bare = {ec2_instance_type(name): number for name, number in given.items()}
        if len(bare) < len(given):
            raise _wrong("has an instance type twice, with ml. and without", None)
        return bare

    @model_validator(mode="after")
    def _shares_fit(self) -> "PlanRequest":
        if self.flex_share + self.batch_share > 1:
            raise _wrong("and flex_share are more than 1 together", "batch_share")
        return self


def _wrong(message: str, field: str | None, **context: Any) -> PydanticCustomError:
    # The context's "field" tells the API which field to name.
    return PydanticCustomError("plan", message, {**context, **({"field": field} if field else {})})
