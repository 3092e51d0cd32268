"""A model that is sold through AWS Marketplace answers nobody until the account is subscribed, which takes its time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.bedrock import BedrockControl, BedrockRuntime, Pace, default_catalog
from tests.sandbox.bedrock_catalog import MARKETPLACE_MODEL_ID
from tests.sandbox.bedrock_subscriptions import Subscriptions
from tests.unit.sandbox.conftest import Connect, Serve

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "hello there"}]}]}


class Account:
    """One account's Bedrock; ``may`` is whether the caller's role may subscribe."""

    def __init__(self) -> None:
        self.now, self.may = datetime(2026, 11, 24, tzinfo=UTC), False
        self.catalog = default_catalog()
        subscriptions = Subscriptions(self.catalog, lambda: self.now, lambda _headers: self.may, 120)
        self.runtime = BedrockRuntime(
            self.catalog, lambda: self.now, pace=Pace(0.0, 5000.0), subscribed=subscriptions.check
        )
        self.control = BedrockControl(lambda: self.now, self.catalog, settle=subscriptions.settle)


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
async def url(account: Account, serve: Serve) -> str:
    return await serve([*account.runtime.routes(), *account.control.routes()])


async def answered(connect: Connect, url: str, model_id: str = MARKETPLACE_MODEL_ID) -> str:
    try:
        await asyncio.to_thread(connect("bedrock-runtime", url).converse, modelId=model_id, **HELLO)
    except ClientError as err:
        return f"{err.response['Error']['Code']}: {err.response['Error']['Message']}"
    return "answered"


async def agreement(connect: Connect, url: str) -> str:
    call = connect("bedrock", url).get_foundation_model_availability
    status: str = (await asyncio.to_thread(call, modelId=MARKETPLACE_MODEL_ID))["agreementAvailability"]["status"]
    return status


async def test_a_role_that_may_not_subscribe_is_told_so_and_changes_nothing(
    account: Account, url: str, connect: Connect
) -> None:
    said = await answered(connect, url)
    assert said.startswith("AccessDeniedException: Model access is denied due to IAM user or service role is not")
    assert "aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe" in said
    account.now += timedelta(hours=1)
    assert await agreement(connect, url) == "NOT_AVAILABLE"


async def test_a_first_call_that_may_subscribe_is_denied_until_that_is_through(
    account: Account, url: str, connect: Connect
) -> None:
    account.may = True
    assert (await answered(connect, url)).startswith("AccessDeniedException: ")
    assert await agreement(connect, url) == "PENDING"
    account.may, account.now = False, account.now + timedelta(seconds=119)
    assert (await answered(connect, url)).startswith("AccessDeniedException: ")
    account.now += timedelta(seconds=1)
    assert await answered(connect, url) == "answered"
    assert await agreement(connect, url) == "AVAILABLE"


async def test_other_models_need_no_subscription(account: Account, url: str, connect: Connect) -> None:
    assert await answered(connect, url, "qwen.qwen3-32b-v1:0") == "answered"
