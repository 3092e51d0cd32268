"""Service Quotas: what this account may start, by AWS's own codes and names."""

import hashlib
from typing import Any

from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.cloud.faults import Faults
from tests.sandbox.cloud.ml_resources import known_instance_types, page
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION, Front

# vCPUs of EC2.
_EC2 = {
    "L-DB2E81BA": ("Running On-Demand G and VT instances", 192.0),
    "L-417A185B": ("Running On-Demand P instances", 192.0),
    "L-1945791B": ("Running On-Demand Inf instances", 64.0),
    "L-2C3B7624": ("Running On-Demand Trn instances", 64.0),
    "L-1216C47A": ("Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 256.0),
    "L-3819A6DF": ("All G and VT Spot Instance Requests", 192.0),
    "L-7212CCBC": ("All P4, P3 and P2 Spot Instance Requests", 192.0),
    "L-C4BD4855": ("All P5 Spot Instance Requests", 192.0),
    "L-B5D1601B": ("All Inf Spot Instance Requests", 64.0),
    "L-6B0D517C": ("All Trn Spot Instance Requests", 64.0),
    "L-34B43A08": ("All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 256.0),
}
# Instances of SageMaker endpoints; a real code where one is known, else one made up from the name.
_ML_CODES = {
    "ml.g5.xlarge": "L-1928E07B",
    "ml.g5.2xlarge": "L-9614C779",
    "ml.g5.4xlarge": "L-C1B9A48D",
    "ml.g5.12xlarge": "L-65C4BD00",
    "ml.g6.xlarge": "L-D470D954",
    "ml.g6.2xlarge": "L-98BDE811",
    "ml.g6.4xlarge": "L-DFB10FDE",
    "ml.g6.12xlarge": "L-0A29AACF",
    "ml.g6e.xlarge": "L-B0729CB4",
    "ml.g6e.2xlarge": "L-F8D7F460",
    "ml.g6e.4xlarge": "L-93531071",
    "ml.p4d.24xlarge": "L-09F79647",
}
_ML_INSTANCES = 4.0


class Quotas:
    """Answers from these tables; ``values`` overrides EC2's by code, ``Faults.resource_limit`` SageMaker's by type."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.values: dict[str, float] = {}

    def install(self, front: Front) -> None:
        """Answer Service Quotas' calls from here."""
        for get in ("GetServiceQuota", "GetAWSDefaultServiceQuota"):
            front.handle("service-quotas", get, self._get)
        for listing in ("ListServiceQuotas", "ListAWSDefaultServiceQuotas"):
            front.handle("service-quotas", listing, lambda params: page(self._all(params), params, "Quotas"))

    def _get(self, params: dict[str, Any]) -> dict[str, Any]:
        found = next((quota for quota in self._all(params) if quota["QuotaCode"] == params["QuotaCode"]), None)
        if found is None:
            raise AwsError("NoSuchResourceException", "The request failed because the specified quota does not exist.")
        return {"Quota": found}

    def _all(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        match service := params["ServiceCode"]:
            case "ec2":
                named = [(code, name, self.values.get(code, value)) for code, (name, value) in _EC2.items()]
            case "sagemaker":
                named = [self._of_type(found) for found in sorted(known_instance_types())]
            case _:
                raise AwsError("NoSuchResourceException", f"There is no service {service}.")
        return [_quota(service, code, name, value) for code, name, value in named]

    def _of_type(self, instance_type: str) -> tuple[str, str, float]:
        name = f"{instance_type} for endpoint usage"
        code = _ML_CODES.get(instance_type) or f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"
        return code, name, float(self._faults.resource_limit.get(instance_type, _ML_INSTANCES))


def _quota(service: str, code: str, name: str, value: float) -> dict[str, Any]:
    return {
        "ServiceCode": service,
        "QuotaCode": code,
        "QuotaArn": f"arn:aws:servicequotas:{REGION}:{ACCOUNT}:{service}/{code}",
        "QuotaName": name,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
