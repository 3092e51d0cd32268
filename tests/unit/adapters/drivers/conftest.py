"""A small AWS in this process, with what moto lacks put into it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ssm.models import Parameter, ssm_backends

from spillway.adapters.drivers.fleet.config import FleetConfig
from spillway.adapters.drivers.fleet.driver import FleetClients, FleetDriver, fleet_driver
from spillway.adapters.drivers.fleet.preflight import IMAGE_PARAMETER

REGION = "us-east-1"
TOKEN_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hf-AbCdEf"


@dataclass
class FakeQuotas:
    """Quotas by code or name; anything else is unknown."""

    known: dict[str, float] = field(default_factory=dict)

    def value(self, service: str, code: str) -> float | None:
        return self.known.get(code)

    def named(self, service: str, name: str) -> float | None:
        return self.known.get(name)

    def names(self, service: str, ending: str) -> frozenset[str]:
        return frozenset(name.removesuffix(ending) for name in self.known if name.endswith(ending))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    # Some thousand images that no test looks at would be read before and after each one.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    with mock_aws():
        yield


@dataclass
class FleetWorld:
    """The stack's own part of a fleet, and a driver in it."""

    config: FleetConfig
    ec2: Any
    autoscaling: Any
    elb: Any
    quotas: FakeQuotas
    driver: FleetDriver
    load_balancer: str


@cache
def a_client(service: str) -> Any:
    """One client for all tests: making EC2's takes longer than most of them."""
    return boto3.client(service, REGION, aws_access_key_id="t", aws_secret_access_key="t")  # type: ignore[call-overload]


@pytest.fixture
def world(aws: None) -> FleetWorld:
    ec2, elb = a_client("ec2"), a_client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for i, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(GroupName="fleet", Description="fleet", VpcId=vpc)["GroupId"]
    balancer = elb.create_load_balancer(Name="fleets", Subnets=subnets, Scheme="internal", Type="application")
    arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    fixed: Any = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
    listener = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=fixed)
    iam = a_client("iam")
    profile = iam.create_instance_profile(InstanceProfileName="fleet")["InstanceProfile"]["Arn"]
    config = FleetConfig(
        stack="spillway",
        region=REGION,
        vpc_id=vpc,
        subnet_ids=tuple(subnets),
        security_group_id=group,
        listener_arn=listener["Listeners"][0]["ListenerArn"],
        instance_profile_arn=profile,
        loads_table="loads",
        public_ip=True,
        hugging_face_secret_arn=TOKEN_SECRET,
    )
    _seed_image(ec2.register_image(Name="engine", RootDeviceName="/dev/xvda")["ImageId"])
    autoscaling = a_client("autoscaling")
    clients = FleetClients(ec2, autoscaling, elb, a_client("ssm"), a_client("service-quotas"))
    driver, quotas = fleet_driver(config, clients), FakeQuotas()
    object.__setattr__(driver.checks, "quotas", quotas)
    return FleetWorld(config, ec2, autoscaling, elb, quotas, driver, arn)


def _seed_image(image_id: str) -> None:
    """Put AWS's public parameter where its own API lets nobody write."""
    ssm_backends[DEFAULT_ACCOUNT_ID][REGION]._parameters[IMAGE_PARAMETER].append(
        Parameter(
            account_id=DEFAULT_ACCOUNT_ID,
            name=IMAGE_PARAMETER,
            value=image_id,
            parameter_type="String",
            description="",
            allowed_pattern=None,
            keyid=None,
            last_modified_date=0,
            version=1,
            data_type="text",
        )
    )
