"""Who is asked for what a request demands, what is waited for, and what is refused."""

from typing import Any

import pytest

from spillway.domain.capabilities.card import UNKNOWN, Ability, Card
from spillway.domain.capabilities.refusals import Lesson
from spillway.domain.decision import Code
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.targets import FleetTarget, ImportedTarget
from spillway.domain.routing.route import Choice, Route, RouteState
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.failover.learned_cards import KEPT_SECONDS, MOST_TARGETS, LearnedCards
from tests.builders import a_route
from tests.unit.gateway.doubles import BODY, GOOD_STREAM, FakeClock, World, a_world, call, completion, streaming

pytestmark = pytest.mark.usefixtures("virtual_time")

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
TOOLS: dict[str, Any] = {**BODY, "tools": [TOOL]}
NO_TOOLS = UNKNOWN.without(Ability.TOOLS)
NO_PARSER = UpstreamRejected(
    400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
)
TOO_LONG = UpstreamRejected(400, "This model's maximum context length is 8192 tokens. However, …", param="input_tokens")


def asked(world: World) -> list[str]:
    return [path for path, _, _ in world.upstreams.requests]


def a_world_that_answers(route: Route, **scripts: Any) -> World:
    return a_world(route, **{"fleet": [completion()], "bedrock": [completion()], **scripts})


@pytest.mark.parametrize("state", RouteState)
async def test_what_nothing_special_is_demanded_of_goes_as_ever(state: RouteState) -> None:
    plain = a_world_that_answers(a_route(state=state))
    carded = a_world_that_answers(a_route(state=state, primary_card=NO_TOOLS, spill_card=NO_TOOLS))
    assert (await call(plain)).status == (await call(carded)).status == 200
    assert asked(plain) == asked(carded)


async def test_a_target_that_cannot_is_not_asked_while_another_can() -> None:
    world = a_world_that_answers(a_route(primary_card=NO_TOOLS))
    answer = await call(world, TOOLS)
    assert (answer.status, answer.headers["x-spillway-target"]) == (200, "bedrock")
    assert answer.headers["x-spillway-reason"] == "primary_cannot"
    assert asked(world) == ["bedrock"]


async def test_what_is_unknown_is_tried() -> None:
    world = a_world_that_answers(a_route(spill_card=NO_TOOLS))
    assert (await call(world, TOOLS)).headers["x-spillway-target"] == "fleet"


@pytest.mark.parametrize("wakes", [True, False])
async def test_where_only_the_sleeping_one_can_it_is_woken_and_the_client_told_to_come_back(wakes: bool) -> None:
    route = a_route(
        state=RouteState.COLD, code=Code.ASLEEP, wakes=wakes, spill_card=NO_TOOLS, first_byte_seconds=0.02,
        retry_after_seconds=240,
    )  # fmt: skip
    world = a_world_that_answers(route)

    answer = await call(world, TOOLS)

    assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (503, "asleep", "60")
    assert asked(world) == []
    assert world.desk.announced == ["support-llama"]


async def test_a_fleet_is_not_woken_for_what_it_cannot_do() -> None:
    world = a_world_that_answers(a_route(state=RouteState.COLD, primary_card=NO_TOOLS))
    assert (await call(world, TOOLS)).headers["x-spillway-target"] == "bedrock"
    assert world.desk.announced == []
    assert (await call(world)).status == 200
    assert world.desk.announced == ["support-llama"]


@pytest.mark.parametrize("primary", [FleetTarget("support-llama"), None])
async def test_where_only_the_starting_one_can_the_request_waits_inside_its_threshold(
    primary: FleetTarget | None,
) -> None:
    # A deployment's first primary has no target before it is ready.
    starting = a_route(state=RouteState.WARMING, primary=primary, spill_card=NO_TOOLS, first_byte_seconds=600.0)
    world = a_world_that_answers(starting)
    reads = world.routes.get

    async def get(name: str) -> Route | None:
        if world.routes.reads == 3:
            world.routes.routes[name] = a_route(spill_card=NO_TOOLS)
        world.clock.moment += 5
        return await reads(name)

    world.gateway.completions.dispatch.wait_for_primary.__dict__["read"] = get

    answer = await call(world, TOOLS)

    assert (answer.status, answer.headers["x-spillway-target"]) == (200, "fleet")
    assert asked(world) == ["fleet"]


@pytest.mark.parametrize("target", [None, "spill"])
async def test_what_a_first_primary_cannot_either_is_refused_before_it_is_there(target: str | None) -> None:
    able = Card() if target else NO_TOOLS
    route = a_route(state=RouteState.WARMING, primary=None, primary_card=able, spill_card=NO_TOOLS)
    headers = [(b"x-spillway-target", target.encode())] if target else []
    answer = await call(a_world_that_answers(route), TOOLS, headers=headers)
    assert (answer.status, answer.error["code"]) == (400, "unsupported_by_model")


@pytest.mark.parametrize("state", [RouteState.FAILED, RouteState.DRAINING])
async def test_where_only_a_primary_can_that_does_not_come_it_is_a_503(state: RouteState) -> None:
    world = a_world_that_answers(a_route(state=state, spill_card=NO_TOOLS))
    answer = await call(world, TOOLS)
    assert (answer.status, asked(world), world.desk.announced) == (503, [], [])


async def test_an_imported_model_that_does_not_pay_answers_what_only_it_can() -> None:
    route = a_route(state=RouteState.COLD, primary=ImportedTarget("arn:m"), spill_card=NO_TOOLS)
    world = a_world_that_answers(route, **{"import": [completion()]})
    assert (await call(world, TOOLS)).headers["x-spillway-target"] == "import"
    assert (await call(world)).headers["x-spillway-target"] == "bedrock"


@pytest.mark.parametrize(
    ("changes", "ability", "param"),
    [
        ({"tools": [TOOL]}, Ability.TOOLS, "tools"),
        ({"logprobs": True}, Ability.LOGPROBS, "logprobs"),
        ({"response_format": {"type": "json_schema"}}, Ability.JSON_SCHEMA, "response_format"),
        ({"n": 9}, Ability.CHOICES, "n"),
    ],
)
@pytest.mark.parametrize("state", [RouteState.READY, RouteState.COLD])
async def test_what_none_ever_can_is_a_400_with_the_field(
    state: RouteState, changes: dict[str, Any], ability: Ability, param: str
) -> None:
    lacking = UNKNOWN.without(ability)
    world = a_world_that_answers(a_route(state=state, primary_card=lacking, spill_card=lacking))
    answer = await call(world, {**BODY, **changes})
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "unsupported_by_model", param)
    assert (asked(world), world.desk.announced) == ([], [])


# guidance holds it, xgrammar forgets the length, and Bedrock takes none.
WITH_LENGTH = {"type": "object", "properties": {"name": {"type": "string", "pattern": "^a+$", "maxLength": 9}}}
RESPONSE = {"model": "support-llama", "input": "hi"}
FORMAT: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "n", "schema": WITH_LENGTH, "strict": True}}


async def test_a_schema_goes_to_the_target_whose_grammar_holds_it() -> None:
    route = a_route(primary_card=Card(grammar="xgrammar"), spill_card=Card(grammar="guidance"))
    world = a_world_that_answers(route)
    answer = await call(world, {**BODY, "response_format": FORMAT})
    assert (answer.status, asked(world)) == (200, ["bedrock"])
    assert answer.headers["x-spillway-reason"] == "primary_cannot"
    plain = {"name": "n", "schema": {"type": "object"}, "strict": True}
    for schema in (plain, FORMAT["json_schema"] | {"strict": False}, {"name": "n", "schema": WITH_LENGTH}):
        asked_for = {"type": "json_schema", "json_schema": schema}
        assert (await call(world, {**BODY, "response_format": asked_for})).headers["x-spillway-target"] == "fleet"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/chat/completions", {**BODY, "response_format": FORMAT}, "response_format.json_schema.schema"),
        (
            "/v1/responses",
            {
                "model": "support-llama",
                "input": "hi",
                "text": {"format": {"type": "json_schema", **FORMAT["json_schema"]}},
            },
            "text.format.schema",
        ),
    ],
)
@pytest.mark.parametrize("state", [RouteState.READY, RouteState.COLD])
async def test_a_schema_that_no_grammar_holds_is_refused_by_its_place(
    state: RouteState, path: str, body: dict[str, Any], param: str
) -> None:
    route = a_route(state=state, primary_card=Card(grammar="xgrammar"), spill_card=Card(grammar="bedrock"))
    world = a_world_that_answers(route)
    answer = await call(world, body, path=path)
    assert (answer.status, answer.error["code"]) == (400, "unsupported_by_model")
    assert answer.error["param"] == f"{param}.properties.name.maxLength"
    assert (asked(world), world.desk.announced) == ([], [])


async def test_a_grammar_of_which_nothing_is_known_is_tried() -> None:
    for grammar in (None, "a-newer-one"):
        world = a_world_that_answers(a_route(primary_card=Card(grammar=grammar)))
        answer = await call(world, {**BODY, "response_format": FORMAT})
        assert answer.headers["x-spillway-target"] == "fleet"


@pytest.mark.parametrize("target", ["primary", "spill"])
async def test_where_one_target_alone_may_answer_it_alone_is_looked_at(target: str) -> None:
    world = a_world_that_answers(a_route(primary_card=NO_TOOLS, spill_card=NO_TOOLS))
    answer = await call(world, TOOLS, headers=[(b"x-spillway-target", target.encode())])
    assert (answer.status, answer.error["param"]) == (400, "tools")


@pytest.mark.parametrize(("refusal", "body"), [(NO_PARSER, TOOLS), (TOO_LONG, BODY)])
async def test_an_engine_that_cannot_is_not_the_last_word(refusal: UpstreamRejected, body: dict[str, Any]) -> None:
    world = a_world_that_answers(a_route(), fleet=refusal)
    answer = await call(world, body)
    assert (answer.status, answer.headers["x-spillway-target"]) == (200, "bedrock")
    assert answer.headers["x-spillway-reason"] == "primary_cannot"
    # It is no trouble of the target: the next request that it can answer goes there first.
    world.upstreams.scripts["fleet"] = [completion()]
    assert (await call(world, {**BODY, "max_tokens": 5})).headers["x-spillway-target"] == "fleet"


async def test_what_was_refused_is_not_asked_again() -> None:
    world = a_world_that_answers(a_route(), fleet=NO_PARSER)
    for _ in range(2):
        assert (await call(world, TOOLS)).status == 200
    assert asked(world) == ["fleet", "bedrock", "bedrock"]


async def test_a_prompt_that_was_too_long_for_a_context_has_the_larger_one_asked_first() -> None:
    world = a_world_that_answers(a_route(), fleet=TOO_LONG)
    long = {**BODY, "messages": [{"role": "user", "content": "word " * 12_000}]}
    for _ in range(2):
        assert (await call(world, long)).headers["x-spillway-target"] == "bedrock"
    assert asked(world) == ["fleet", "bedrock", "bedrock"]


async def test_what_the_spill_target_refuses_waits_for_the_sleeping_primary() -> None:
    route = a_route(state=RouteState.COLD, code=Code.ASLEEP, first_byte_seconds=0.02)
    world = a_world_that_answers(route, bedrock=UpstreamRejected(400, "This model doesn't support tool use."))
    for _ in range(2):
        answer = await call(world, TOOLS)
        assert (answer.status, answer.error["code"]) == (503, "asleep")
    assert asked(world) == ["bedrock"]
    assert world.desk.announced == ["support-llama"]


@pytest.mark.parametrize(
    ("refusal", "body", "code", "param"),
    [(NO_PARSER, TOOLS, "unsupported_by_model", "tools"), (TOO_LONG, BODY, "context_length_exceeded", "input_tokens")],
)
async def test_what_every_target_refuses_is_a_400_in_the_last_ones_words(
    refusal: UpstreamRejected, body: dict[str, Any], code: str, param: str
) -> None:
    world = a_world_that_answers(a_route(), fleet=refusal, bedrock=refusal)
    answer = await call(world, body)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, code, param)
    assert answer.error["message"] == refusal.message
    assert asked(world) == ["fleet", "bedrock"]


async def test_a_primary_in_trouble_is_no_mistake_of_the_client_whom_the_spill_target_cannot_serve() -> None:
    down = UpstreamUnavailable(Code.PRIMARY_FAILED, "refused")
    world = a_world_that_answers(a_route(), fleet=down, bedrock=UpstreamRejected(400, "doesn't support tool use"))
    assert (await call(world, TOOLS)).status == 503


@pytest.mark.parametrize("field", [("n", 2), ("response_format", {"type": "json_object"})])
async def test_what_a_target_turns_out_to_lack_is_made_up_where_it_can_be(field: tuple[str, Any]) -> None:
    name, value = field
    world = a_world_that_answers(
        a_route(state=RouteState.COLD, first_byte_seconds=0.02), bedrock=InvalidRequest("no", param=name)
    )
    await call(world, {**BODY, name: value})
    assert [bool(request.emulated) for _, request, _ in world.upstreams.requests] == [False, True]


async def test_no_more_answers_are_made_up_than_so_many() -> None:
    world = a_world_that_answers(a_route(primary=None), bedrock=InvalidRequest("one choice only", param="n"))
    answer = await call(world, {**BODY, "n": 1_000_000_000})
    assert (answer.status, answer.error["param"], len(asked(world))) == (400, "n", 1)


async def test_what_is_known_to_be_lacking_is_made_up_at_once() -> None:
    card = UNKNOWN.without(Ability.CHOICES, Ability.STREAMED_TOOLS)
    world = a_world(a_route(primary_card=card), fleet=GOOD_STREAM)
    await call(world, streaming(n=2, tools=[TOOL]))
    await call(world, streaming())
    assert [request.emulated for _, request, _ in world.upstreams.requests] == [
        {Ability.CHOICES, Ability.STREAMED_TOOLS},
        set(),
    ]


def test_what_was_learnt_is_forgotten_after_a_time() -> None:
    clock = FakeClock()
    learned, choice = LearnedCards(clock.monotonic), Choice(FleetTarget("a"), "primary", "ready")
    learned.learn(choice.target, Lesson(Ability.TOOLS))
    learned.learn(choice.target, Lesson(is_too_long=True, context_length=1024))
    assert learned.card(choice) == Card(context_length=1024).without(Ability.TOOLS)
    clock.moment += KEPT_SECONDS
    assert learned.card(choice) == UNKNOWN


def test_no_more_is_kept_than_of_so_many_targets() -> None:
    learned = LearnedCards(FakeClock().monotonic)
    choices = [Choice(FleetTarget(f"f{number}"), "primary", "ready") for number in range(MOST_TARGETS + 1)]
    for choice in choices:
        learned.learn(choice.target, Lesson(Ability.TOOLS))
    assert learned.card(choices[0]) == UNKNOWN
    assert learned.card(choices[1]) == learned.card(choices[-1]) == NO_TOOLS


def test_what_tells_of_one_request_alone_is_not_kept() -> None:
    learned, choice = LearnedCards(FakeClock().monotonic), Choice(FleetTarget("a"), "primary", "ready")
    learned.learn(choice.target, Lesson(is_too_long=True))
    assert learned.card(choice) is choice.card
