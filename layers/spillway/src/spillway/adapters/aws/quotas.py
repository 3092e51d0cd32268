"""Service quotas: what this account may start, read before anything is made."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import is_gone, translated

if TYPE_CHECKING:
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_service_quotas.type_defs import ServiceQuotaTypeDef

# EC2 counts vCPUs by family and market. The first letters of an instance type name its family.
_ON_DEMAND = {
    "g": "L-DB2E81BA",
    "gr": "L-DB2E81BA",
    "vt": "L-DB2E81BA",
    "p": "L-417A185B",
    "inf": "L-1945791B",
    "trn": "L-2C3B7624",
}
_SPOT = {
    "g": "L-3819A6DF",
    "gr": "L-3819A6DF",
    "vt": "L-3819A6DF",
    "p": "L-7212CCBC",
    "inf": "L-B5D1601B",
    "trn": "L-6B0D517C",
}
_STANDARD = {"on-demand": "L-1216C47A", "spot": "L-34B43A08"}
# P5 spot has a quota of its own.
_SPOT_P5 = "L-C4BD4855"


@dataclass(frozen=True)
class Quotas:
    """Reads quotas; None where AWS has no such quota, which says nothing either way."""

    client: "ServiceQuotasClient"

    def value(self, service: str, code: str) -> float | None:
        """Return the quota that applies to this account, or else AWS's default."""
        with translated():
            try:
                return self.client.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"].get("Value")
            except ClientError as err:
                if not is_gone(err):
                    raise
            return self._default(service, code)

    def _default(self, service: str, code: str) -> float | None:
        try:
            found = self.client.get_aws_default_service_quota(ServiceCode=service, QuotaCode=code)
        except ClientError as err:
            if is_gone(err):
                return None
            raise
        return found["Quota"].get("Value")

    def named(self, service: str, name: str) -> float | None:
        """Return a quota by its name, reading pages only until it is found."""
        with translated():
            found = (quota for quota in self._listed(service) if quota.get("QuotaName") == name)
            quota = next(found, None)
        return None if quota is None else quota.get("Value")

    def names(self, service: str, ending: str) -> frozenset[str]:
        """Return the names, up to their ``ending``, of all quotas of a service in this region that have it."""
        with translated():
            listed = [quota.get("QuotaName", "") for quota in self._listed(service)]
        return frozenset(name.removesuffix(ending) for name in listed if name.endswith(ending))

    def _listed(self, service: str) -> "Iterator[ServiceQuotaTypeDef]":
        """Yield this account's quotas, then AWS's defaults: the first list has not all of them."""
        for page in self.client.get_paginator("list_service_quotas").paginate(ServiceCode=service):
            yield from page["Quotas"]
        for defaults in self.client.get_paginator("list_aws_default_service_quotas").paginate(ServiceCode=service):
            yield from defaults["Quotas"]


def vcpu_quota_code(instance_type: str, market: str) -> str:
    """Return the code of the EC2 quota, in vCPUs, that counts an instance type bought on a market."""
    if market == "spot" and instance_type.startswith("p5"):
        return _SPOT_P5
    letters = re.match(r"[a-z]+", instance_type)
    family = letters.group() if letters else ""
    return (_SPOT if market == "spot" else _ON_DEMAND).get(family, _STANDARD[market])
