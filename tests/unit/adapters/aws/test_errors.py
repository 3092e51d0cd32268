import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from spillway.adapters.aws.errors import going_is_retried, gone_is_fine, is_busy, there_already_is_fine, translated
from spillway.domain.errors import CapacityUnavailable, InvalidRequest, Retryable, SpillwayError


def an_error(code: str, message: str = "AWS's own sentence", status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Call",
    )


@pytest.mark.parametrize(
    ("err", "domain_error"),
    [
        (an_error("ThrottlingException"), Retryable),
        (an_error("RequestLimitExceeded", status=503), Retryable),
        (an_error("TooManyRequestsException", status=429), Retryable),
        (an_error("InternalServerException", status=500), Retryable),
        (an_error("SomethingNew", status=502), Retryable),
        (an_error("ResourceContention"), Retryable),
        (an_error("InsufficientInstanceCapacity"), CapacityUnavailable),
        # AWS answers this one with a 500: it is no fault that a moment mends.
        (an_error("InsufficientInstanceCapacity", status=500), CapacityUnavailable),
        (an_error("VcpuLimitExceeded"), CapacityUnavailable),
        (an_error("MaxSpotInstanceCountExceeded"), CapacityUnavailable),
        (an_error("ResourceLimitExceeded"), CapacityUnavailable),
        (an_error("TooManyRules"), CapacityUnavailable),
        (EndpointConnectionError(endpoint_url="https://ec2.us-east-1.amazonaws.com"), Retryable),
        (ReadTimeoutError(endpoint_url="https://ec2.us-east-1.amazonaws.com"), Retryable),
    ],
)
def test_each_error_becomes_what_the_caller_does_about_it(err: Exception, domain_error: type[SpillwayError]) -> None:
    with pytest.raises(domain_error) as raised, translated():
        raise err
    assert raised.value.__cause__ is err


def test_awss_own_sentence_survives() -> None:
    with pytest.raises(CapacityUnavailable, match="VcpuLimitExceeded: AWS's own sentence"), translated():
        raise an_error("VcpuLimitExceeded")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException", "UnauthorizedOperation", ""])
def test_what_is_not_listed_propagates(code: str) -> None:
    with pytest.raises(ClientError), translated():
        raise an_error(code)


@pytest.mark.parametrize("code", ["ValidationException", "InvalidParameterValue", "ResourceNotFoundException"])
def test_a_value_of_the_callers_is_the_callers_mistake(code: str) -> None:
    with pytest.raises(InvalidRequest) as raised, translated(param="model.id"):
        raise an_error(code)
    assert raised.value.param == "model.id"


@pytest.mark.parametrize(
    "err",
    [
        an_error("RuleNotFound"),
        an_error("InvalidLaunchTemplateName.NotFoundException"),
        an_error("ValidationException", 'Could not find endpoint "x".'),
        an_error("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup 'x' not found"),
    ],
)
def test_what_is_gone_needs_no_deletion(err: ClientError) -> None:
    with gone_is_fine():
        raise err


@pytest.mark.parametrize(
    "err",
    [
        an_error("AlreadyExists"),
        an_error("InvalidLaunchTemplateName.AlreadyExistsException"),
        an_error("ValidationException", 'Cannot create already existing model "x".'),
    ],
)
def test_what_is_there_needs_no_creation(err: ClientError) -> None:
    with there_already_is_fine():
        raise err


def test_what_goes_between_two_looks_is_looked_at_again() -> None:
    with pytest.raises(Retryable, match=r'Could not find endpoint "x"'), going_is_retried():
        raise an_error("ValidationException", 'Could not find endpoint "x".')


def test_other_errors_pass_all() -> None:
    for fine in (gone_is_fine, there_already_is_fine, going_is_retried):
        with pytest.raises(ClientError), fine():
            raise an_error("ValidationException", "Member must satisfy constraint")


def test_a_change_under_way_is_told_from_a_wrong_value() -> None:
    assert is_busy(an_error("ValidationException", "Cannot update in-progress endpoint"))
    assert is_busy(an_error("ResourceInUse", "Target group is in use by a listener or a rule"))
    assert not is_busy(an_error("ValidationException", "1 validation error detected"))
