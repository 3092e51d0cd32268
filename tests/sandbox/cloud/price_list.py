"""The Price List API, which moto lacks: the packaged snapshot in AWS's own form."""

import json
from collections.abc import Iterator
from typing import Any

from spillway.domain.pricing.price_book import price_book
from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.cloud.moto_cloud import REGION, Front


def install(front: Front) -> None:
    """Answer GetProducts for EC2, SageMaker hosting and Bedrock."""
    front.handle("pricing", "GetProducts", _products)


def _products(params: dict[str, Any]) -> dict[str, Any]:
    wanted = {one["Field"]: one["Value"] for one in params.get("Filters", [])}
    found = [
        product(attributes, usd, unit)
        for attributes, usd, unit in _listed(params["ServiceCode"])
        if all(attributes.get(field, value) == value for field, value in wanted.items())
    ]
    return {"FormatVersion": "aws_v1", "PriceList": [json.dumps(one) for one in found]}


def product(attributes: dict[str, str], usd: float, unit: str) -> dict[str, Any]:
    """Return one product as AWS lists it, with the dimension for nothing that it also lists."""
    dimensions = {
        "one": {"unit": unit, "pricePerUnit": {"USD": f"{usd:.10f}"}},
        "none": {"unit": unit, "pricePerUnit": {"USD": "0.0000000000"}},
    }
    return {"product": {"attributes": attributes}, "terms": {"OnDemand": {"term": {"priceDimensions": dimensions}}}}


def _listed(service: str) -> Iterator[tuple[dict[str, str], float, str]]:
    book = price_book()
    match service:
        case "AmazonEC2":
            for name, price in book.ec2.items():
                yield {"instanceType": name, "regionCode": REGION}, price.usd_per_hour, "Hrs"
        case "AmazonSageMaker":
            for name, price in book.sagemaker.items():
                for use in ("Host", "Train"):
                    usage = {"instanceName": name, "regionCode": REGION, "usagetype": f"USE1-{use}:{name}"}
                    yield usage, price.usd_per_hour, "Hrs"
        case "AmazonBedrock":
            for name, tokens in book.bedrock.items():
                for side, usd in (("input", tokens.prompt_usd), ("output", tokens.completion_usd)):
                    model = name.partition(".")[2].removesuffix("-v1:0")
                    usage = {"model": model, "regionCode": REGION, "inferenceType": f"{side.capitalize()} tokens"}
                    yield {**usage, "usagetype": f"USE1-{model}-{side}-tokens"}, usd / 1000, "1K tokens"
        case _:
            raise AwsError("NotFoundException", f"There is no service {service}.")
