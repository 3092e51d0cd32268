"""Every judge by name, and how long all of them may take."""

from dataclasses import dataclass

SECONDS = 1200
SAMPLE_SECONDS = 180


@dataclass(frozen=True)
class Judge:
    """A module ``tests.prove.<name>`` with a function ``judge(work: Path, sample: bool) -> Verdict``.

    ``work`` is a folder for what it installs and writes; with ``sample`` it looks at less. It is ended after
    ``seconds``, and in a sample when all of them have had their time.
    """

    name: str
    proves: str
    seconds: int
    in_sample: bool = True


JUDGES: tuple[Judge, ...] = (
    Judge("dynamodb", "the suites of all tables, on AWS's own DynamoDB Local", seconds=300),
    Judge("stepfunctions", "the state machines, on aws-local-stepfunctions", seconds=420),
    Judge("template", "the template after the transform, by cfn-lint and checkov", seconds=180),
    Judge("openapi", "the control API's document, by openapi-spec-validator and redocly", seconds=60),
)
