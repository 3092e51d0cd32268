"""An upstream that dies at any byte: the client sees one complete answer or a clean error, and it is counted once."""

import pytest

from tests.unit.gateway.dying import ANSWERS, FIRST, FLEET, SECOND, WHOLE_USAGE, Death, Ending, dying

# What is sent before it stands still must be read first, which takes a moment: not every byte gets its turn.
EVERY: dict[Ending, int] = {"close": 1, "reset": 1, "stall": 23}


def expect_one_answer(death: Death, stream: bool) -> str:
    """Whoever answered, it is one answer and to its end, or one error; returns the text."""
    answer, counts, line = death.answer, death.counts, death.line
    assert answer.status == 200
    assert counts["requests"] == 1
    assert [message["type"] for message in answer.messages].count("http.response.start") == 1
    assert answer.messages[-1]["more_body"] is False
    text = answer.text if stream else str(answer.json["choices"][0]["message"]["content"])
    errors = [event for event in answer.events if "error" in event] if stream else []
    assert len(errors) == counts.get("failed", 0) == int(line["broken"])
    if stream:
        assert answer.events.count("[DONE]") == 1
        assert answer.events[-1] == "[DONE]"
    if not errors:
        assert text == (SECOND if line["role"] == "spill" else FIRST)
        assert (line["prompt_tokens"], line["completion_tokens"], line["tokens_estimated"]) == (*WHOLE_USAGE, False)
        return text
    assert errors[0]["error"]["code"] == "stream_interrupted"
    # What was seen stays what it was: the beginning of the first answer, and nothing of another one.
    assert line["role"] == "primary"
    assert text
    assert FIRST.startswith(text)
    # Tokens count as soon as they are seen: from the usage if it came, or else estimated by the chunks.
    assert line["completion_tokens"] >= 1
    return text


@pytest.mark.parametrize("ending", EVERY)
@pytest.mark.parametrize("name", ANSWERS)
async def test_death_at_every_byte_of_an_answer(name: str, ending: Ending) -> None:
    target, stream, raw = ANSWERS[name]
    seen: set[tuple[str, str]] = set()
    async with dying(target) as scene:
        for at in sorted({*range(0, len(raw), EVERY[ending]), len(raw)}):
            scene.server.answer, scene.server.ending, scene.server.requests = raw[:at], ending, 0
            death = await scene.play(stream)
            text = expect_one_answer(death, stream)
            seen.add((death.line["role"], text))
            # Only a connection that says nothing at all, as a pooled one that died does, is tried once more.
            assert scene.server.requests <= (2 if at < raw.index(b"\r\n\r\n") + 4 else 1)
    assert ("spill", SECOND) in seen
    # An answer of unknown length ends with its connection, if that ends well.
    assert ("primary", FIRST) in seen or (ending != "close" and raw.startswith(b"HTTP/1.0"))
    if stream:
        assert ("primary", "al") in seen


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("name", ANSWERS)
async def test_death_with_nobody_else_to_answer(name: str, ending: Ending) -> None:
    target, stream, raw = ANSWERS[name]
    async with dying(target) as scene:
        for at in range(0, len(raw) + 1, 5):
            scene.server.answer, scene.server.ending = raw[:at], ending
            death = await scene.play(stream, spill=False)
            if death.answer.status == 200:
                expect_one_answer(death, stream)
                continue
            assert (death.answer.status, death.answer.error["code"]) == (503, "primary_failed")
            assert int(death.answer.headers["retry-after"]) >= 1
            assert death.answer.error["message"] == "no target of 'support-llama' could answer; try again"
            assert death.counts == {"requests": 1, "failed": 1, "reason_primary_failed": 1}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("piece", [1, 2, 3, 7])
async def test_an_answer_in_pieces_of_any_size_is_the_same_answer(name: str, piece: int) -> None:
    target, stream, raw = ANSWERS[name]
    async with dying(target) as scene:
        scene.server.answer, scene.server.piece_bytes = raw, piece
        assert expect_one_answer(await scene.play(stream), stream) == FIRST


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_upstream_that_is_given_up_is_hung_up_on(name: str) -> None:
    target, stream, raw = ANSWERS[name]
    async with dying(target) as scene:
        for at in (0, 10, len(raw) // 2):
            scene.server.answer, scene.server.ending = raw[:at], "stall"
            scene.server.hung_up.clear()
            await scene.play(stream)
            await scene.server.hung_up.wait()


async def test_a_request_that_an_upstream_worked_on_is_not_sent_to_it_again() -> None:
    """A pooled connection that died says so at once; one that says nothing for a while had begun to generate."""
    async with dying(FLEET) as scene:
        scene.server.ending, scene.server.before_seconds = "reset", 0.6
        death = await scene.play(stream=False)
        assert expect_one_answer(death, stream=False) == SECOND
        assert scene.server.requests == 1
