"""InvokeModel of the emulated Bedrock's embedding models: bodies held to the forms of Bedrock's user guide.

How AWS words what breaks a form is quoted in public issues (promptfoo/promptfoo#921, spring-projects/spring-ai#788).
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from tests.sandbox.aws_errors import AwsError
from tests.sandbox.bedrock_wire import Asked
from tests.sandbox.converse_model import Said
from tests.sandbox.wording import count_tokens

_INPUT_TYPES = ("search_document", "search_query", "classification", "clustering")
_KINDS = ("float", "int8", "uint8", "binary", "ubinary")


@dataclass(frozen=True)
class _Form:
    """``optional`` are the values that a field may have; ``sizes`` the lengths of its vectors, its default first."""

    required: tuple[str, ...]
    optional: Mapping[str, tuple[object, ...]]
    sizes: tuple[int, ...]
    most_tokens: int
    most_characters: int


_COHERES: dict[str, tuple[object, ...]] = {"images": (), "embedding_types": ()}
_FORMS = {
    "amazon.titan-embed-text-v1": _Form(("inputText",), {}, (1536,), 8_192, 50_000),
    "amazon.titan-embed-text-v2:0": _Form(
        ("inputText",),
        {"dimensions": (1024, 512, 256), "normalize": (True, False), "embeddingTypes": ()},
        (1024, 512, 256),
        8_192,
        50_000,
    ),
    "cohere.embed-english-v3": _Form(
        ("texts", "input_type"), {**_COHERES, "truncate": ("NONE", "START", "END")}, (1024,), 512, 2_048
    ),
    "cohere.embed-v4:0": _Form(
        ("texts", "input_type"),
        {
            **_COHERES,
            "truncate": ("NONE", "LEFT", "RIGHT"),
            "output_dimension": (1536, 1024, 512, 256),
            "max_tokens": (),
            "inputs": (),
        },
        (1536, 1024, 512, 256),
        128_000,
        1_000_000,
    ),
}


class EmbeddingsWire:
    """One request's body and its answer; there is no stream of vectors."""

    def __init__(self, model_id: str, body: Mapping[str, Any]) -> None:
        self._model_id = model_id
        self._form = _FORMS[model_id]
        self._body = body

    def read(self, model_id: str, _body: object, created: int, _usual_tokens: int) -> Asked:
        """Return what the body asks for. Raises :class:`AwsError`."""
        if problems := [*self._problems()]:
            _malformed("".join(f"#: {problem}" for problem in problems))
        texts = self._texts
        if not 1 <= len(texts) <= 96:
            _malformed(f"#/texts: expected maximum item count: 96, found: {len(texts)}")
        for text in texts:
            self._check_length(text)
        return Asked(model_id, Said(""), sum(map(count_tokens, texts)), 0, False, created, limit=0)

    def whole(self, _asked: Asked, _latency_ms: int) -> dict[str, Any]:
        """Return the vectors, and of Titan their tokens."""
        vectors = [self._vector(text) for text in self._texts]
        if "inputText" in self._body:
            tokens = count_tokens(self._texts[0])
            by_type = {"embeddingsByType": {"float": vectors[0]}} if "-v2" in self._model_id else {}
            return {"embedding": vectors[0], "inputTextTokenCount": tokens, **by_type}
        head = {"id": "00000000-0000-4000-8000-000000000000", "texts": [text.lower() for text in self._texts]}
        if self._body.get("embedding_types"):
            return {**head, "response_type": "embeddings_by_type", "embeddings": {"float": vectors}}
        return {**head, "response_type": "embeddings_floats", "embeddings": vectors}

    @property
    def _texts(self) -> list[str]:
        return [self._body["inputText"]] if "inputText" in self._body else self._body["texts"]

    def _vector(self, text: str) -> list[float]:
        """Return what the model makes of a text: another model's is another, a shorter one the first part of it."""
        size = self._body.get("dimensions") or self._body.get("output_dimension") or self._form.sizes[0]
        seed = f"{self._model_id} {self._body.get('input_type')} {text}"
        return [zlib.crc32(f"{position} {seed}".encode()) / 2**31 - 1 for position in range(size)]

    def _problems(self) -> Iterator[str]:
        form = self._form
        yield from (f"required key [{name}] not found" for name in form.required if name not in self._body)
        known = {*form.required, *form.optional}
        yield from (f"extraneous key [{name}] is not permitted" for name in self._body if name not in known)
        for name, allowed in form.optional.items():
            if name in self._body and allowed and self._body[name] not in allowed:
                yield f"{self._body[name]} is not a valid enum value"
        for kind in self._body.get("embedding_types", ()):
            if kind not in _KINDS:
                yield f"{kind} is not a valid enum value"
        if "input_type" in self._body and self._body["input_type"] not in _INPUT_TYPES:
            yield f"{self._body['input_type']} is not a valid enum value"
        if not isinstance(self._body.get("inputText", ""), str):
            yield "expected type: String"
        texts = self._body.get("texts", [])
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            yield "expected type: String"

    def _check_length(self, text: str) -> None:
        if not text:
            _malformed("expected minLength: 1, actual: 0")
        if len(text) > self._form.most_characters:
            _malformed(f"expected maxLength: {self._form.most_characters}, actual: {len(text)}")
        tokens, most = count_tokens(text), self._form.most_tokens
        if tokens > most:
            found = f"Max input tokens: {most}, request input token count: {tokens} "
            raise AwsError(400, "ValidationException", f"400 Bad Request: Too many input tokens. {found}")


def _malformed(problem: str) -> NoReturn:
    raise AwsError(
        400, "ValidationException", f"Malformed input request: {problem}, please reformat your input and try again."
    )
