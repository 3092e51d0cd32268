"""How fast the emulated Bedrock answers, how it fails on demand, and what it counts."""

from dataclasses import dataclass

from tests.sandbox.aws_errors import AwsError

CONNECTION_RESET = "ConnectionReset"
STATUS_BY_CODE = {
    "ValidationException": 400,
    "ServiceQuotaExceededException": 400,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ModelTimeoutException": 408,
    "ModelErrorException": 424,
    "ThrottlingException": 429,
    "ModelNotReadyException": 429,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
}


@dataclass(frozen=True)
class Fault:
    """A failure to come: in place of the answer, or in its stream after so many tokens.

    ``code`` is a Bedrock error, or :data:`CONNECTION_RESET` for a connection that breaks.
    """

    code: str
    message: str = "A failure asked for by the sandbox."
    after_tokens: int | None = None

    def error(self) -> AwsError:
        """Return the refusal to answer with. Raises ``KeyError`` for a code that is none of Bedrock's."""
        return AwsError(STATUS_BY_CODE[self.code], self.code, self.message)


@dataclass(frozen=True)
class Ending:
    """How an answer by Converse ends where it does not as usual: another stopReason, arguments that stop halfway.

    Both happen: ``malformed_tool_use``, ``malformed_model_output``, and ``end_turn`` beside calls.
    """

    stop_reason: str | None = None
    broken: bool = False


@dataclass(frozen=True)
class Pace:
    """How fast a model answers, in real seconds."""

    first_token_seconds: float = 0.05
    tokens_per_second: float = 1000.0


@dataclass
class Use:
    """What one model id was asked and answered."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    errors: int = 0
