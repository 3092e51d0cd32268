from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from spillway.adapters.aws.quotas import Quotas, vcpu_quota_code
from spillway.domain.errors import Retryable

NAME = "ml.g5.2xlarge for endpoint usage"


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client("service-quotas", "us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def quotas(stub: Stubber) -> Quotas:
    client: Any = stub.client
    return Quotas(client)


def page(*pairs: tuple[str, float], more: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"Quotas": [{"QuotaName": name, "Value": value} for name, value in pairs]}
    return {**found, "NextToken": more} if more else found


@pytest.mark.parametrize(
    ("instance_type", "market", "code"),
    [
        ("g6e.xlarge", "on-demand", "L-DB2E81BA"),
        ("g5.2xlarge", "spot", "L-3819A6DF"),
        ("gr6.4xlarge", "on-demand", "L-DB2E81BA"),
        ("p4d.24xlarge", "on-demand", "L-417A185B"),
        ("p4d.24xlarge", "spot", "L-7212CCBC"),
        ("p5.48xlarge", "spot", "L-C4BD4855"),
        ("inf2.xlarge", "on-demand", "L-1945791B"),
        ("trn1.2xlarge", "spot", "L-6B0D517C"),
        ("m7i.large", "on-demand", "L-1216C47A"),
        ("c7g.large", "spot", "L-34B43A08"),
    ],
)
def test_every_family_has_its_quota(instance_type: str, market: str, code: str) -> None:
    assert vcpu_quota_code(instance_type, market) == code


def test_the_accounts_own_value_comes_first(quotas: Quotas, stub: Stubber) -> None:
    stub.add_response("get_service_quota", {"Quota": {"Value": 64.0}}, {"ServiceCode": "ec2", "QuotaCode": "L-1"})
    assert quotas.value("ec2", "L-1") == 64


def test_a_quota_never_changed_has_awss_default(quotas: Quotas, stub: Stubber) -> None:
    stub.add_client_error("get_service_quota", "NoSuchResourceException", "none")
    stub.add_response("get_aws_default_service_quota", {"Quota": {"Value": 0.0}})
    assert quotas.value("ec2", "L-1") == 0


def test_a_quota_that_is_none_is_unknown(quotas: Quotas, stub: Stubber) -> None:
    stub.add_client_error("get_service_quota", "NoSuchResourceException", "none")
    stub.add_client_error("get_aws_default_service_quota", "NoSuchResourceException", "none")
    assert quotas.value("ec2", "L-1") is None


def test_names_are_looked_for_only_as_far_as_needed(quotas: Quotas, stub: Stubber) -> None:
    stub.add_response("list_service_quotas", page(("another", 1), more="b"), {"ServiceCode": "sagemaker"})
    stub.add_response("list_service_quotas", page((NAME, 2), more="c"), {"ServiceCode": "sagemaker", "NextToken": "b"})
    assert quotas.named("sagemaker", NAME) == 2


def test_names_without_an_own_value_have_awss_default(quotas: Quotas, stub: Stubber) -> None:
    stub.add_response("list_service_quotas", page())
    stub.add_response("list_aws_default_service_quotas", page((NAME, 0)))
    assert quotas.named("sagemaker", NAME) == 0
    stub.add_response("list_service_quotas", page())
    stub.add_response("list_aws_default_service_quotas", page())
    assert quotas.named("sagemaker", NAME) is None


def test_throttling_is_tried_again(quotas: Quotas, stub: Stubber) -> None:
    stub.add_client_error("get_service_quota", "TooManyRequestsException", "slow down")
    with pytest.raises(Retryable):
        quotas.value("ec2", "L-1")
