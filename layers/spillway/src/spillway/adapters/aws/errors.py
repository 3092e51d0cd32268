"""What botocore raises, said in the domain's words: retry, other capacity, the caller's mistake.

Everything not listed here propagates unchanged: it is ours to look at.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from spillway.domain.errors import CapacityUnavailable, InvalidRequest, Retryable, SpillwayError

RETRYABLE_CODES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "EC2ThrottledException",
        # DynamoDB, and Step Functions with a million executions open.
        "ProvisionedThroughputExceededException",
        "TransactionConflictException",
        "TransactionInProgressException",
        "ExecutionLimitExceeded",
        "PriorRequestNotComplete",
        "RequestTimeout",
        "RequestTimeoutException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "ServerInternal",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Unavailable",
        # Auto Scaling: another change of the same group is still under way.
        "ResourceContention",
        "ScalingActivityInProgress",
    }
)

CAPACITY_CODES = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientCapacity",
        "InsufficientHostCapacity",
        "UnfulfillableCapacity",
        "InstanceLimitExceeded",
        "VcpuLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "LimitExceeded",
        "LimitExceededException",
        "ResourceLimitExceeded",
        "ServiceQuotaExceededException",
        "TooManyRules",
        "TooManyTargetGroups",
        "TooManyTargets",
        "TooManyUniqueTargetGroupsPerLoadBalancer",
    }
)

VALIDATION_CODES = frozenset(
    {
        "ValidationException",
        "ValidationError",
        "InvalidParameterValue",
        "InvalidInstanceType",
        "InvalidParameterException",
    }
)

_GONE_CODES = frozenset(
    {
        "ResourceNotFound",
        "ResourceNotFoundException",
        "NoSuchResourceException",
        "ParameterNotFound",
        "RuleNotFound",
        "TargetGroupNotFound",
        "InvalidLaunchTemplateName.NotFoundException",
        "InvalidLaunchTemplateId.NotFound",
    }
)
_EXISTS_CODES = frozenset(
    {
        "AlreadyExists",
        "DuplicateTargetGroupName",
        "InvalidLaunchTemplateName.AlreadyExistsException",
    }
)
# SageMaker and Auto Scaling have one code for everything; only the sentence tells.
_GONE_WORDS = re.compile(r"could not find|does not exist|not found", re.IGNORECASE)
_EXISTS_WORDS = re.compile(r"already exist", re.IGNORECASE)
_BUSY_WORDS = re.compile(
    r"in[- ]?progress|DELETE_IN_PROGRESS|is (currently )?(being )?(updat|creat|delet)", re.IGNORECASE
)


def code_of(err: ClientError) -> str:
    """Return AWS's error code."""
    return str(err.response.get("Error", {}).get("Code", ""))


def message_of(err: ClientError) -> str:
    """Return AWS's own sentence."""
    return str(err.response.get("Error", {}).get("Message", "")) or code_of(err)


def is_gone(err: ClientError) -> bool:
    """Whether what the call named isn't there."""
    return code_of(err) in _GONE_CODES or (code_of(err) in VALIDATION_CODES and _says(err, _GONE_WORDS))


def is_there_already(err: ClientError) -> bool:
    """Whether what the call was to make is there already."""
    return code_of(err) in _EXISTS_CODES or (code_of(err) in VALIDATION_CODES and _says(err, _EXISTS_WORDS))


def is_busy(err: ClientError) -> bool:
    """Whether AWS refuses a change because it hasn't finished the last one."""
    return code_of(err) == "ResourceInUse" or (code_of(err) in VALIDATION_CODES and _says(err, _BUSY_WORDS))


@contextmanager
def translated(param: str | None = None) -> Iterator[None]:
    """Raise botocore's errors as the domain's.

    ``param`` names the field of the request whose value goes straight into the call: only then is a validation error
    the caller's mistake.
    """
    try:
        yield
    except ClientError as err:
        known = _in_domain_words(err, param)
        if known is None:
            raise
        raise known from err
    except (ConnectionError, HTTPClientError) as err:
        raise Retryable(f"AWS did not answer: {err}") from err


@contextmanager
def gone_is_fine() -> Iterator[None]:
    """Let a deletion pass when there is nothing left to delete."""
    try:
        yield
    except ClientError as err:
        if not is_gone(err):
            raise


@contextmanager
def going_is_retried() -> Iterator[None]:
    """Raise Retryable when what was seen a moment ago is gone: the next look tells what there is."""
    try:
        yield
    except ClientError as err:
        if not is_gone(err):
            raise
        raise Retryable(f"it went meanwhile: {message_of(err)}") from err


@contextmanager
def there_already_is_fine() -> Iterator[None]:
    """Let a creation pass when an earlier call has made the thing."""
    try:
        yield
    except ClientError as err:
        if not is_there_already(err):
            raise


def _in_domain_words(err: ClientError, param: str | None) -> SpillwayError | None:
    code, sentence = code_of(err), f"{code_of(err)}: {message_of(err)}"
    status = int(err.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in CAPACITY_CODES:
        return CapacityUnavailable(sentence)
    if code in RETRYABLE_CODES or status == 429 or status >= 500:
        return Retryable(sentence)
    if param is not None and (code in VALIDATION_CODES or is_gone(err)):
        return InvalidRequest(f"{param}: {message_of(err)}", param=param)
    return None


def _says(err: ClientError, words: re.Pattern[str]) -> bool:
    return bool(words.search(message_of(err)))
