"""The form of an instance type, held against every type that AWS's own service models list."""

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from spillway.domain.paths.instance_types import is_written_as_type


@pytest.mark.parametrize(
    ("service", "shape"), [("ec2", "InstanceType"), ("sagemaker", "ProductionVariantInstanceType")]
)
def test_every_type_of_the_services_has_the_form(service: str, shape: str) -> None:
    listed = ServiceModel(Loader().load_service_model(service, "service-2")).shape_for(shape).metadata["enum"]
    assert len(listed) > 200
    assert [name for name in listed if not is_written_as_type(name)] == []


@pytest.mark.parametrize(
    "name", ["", "g5", "g5.xlrge", "g5.2xlarges", "g9000.huge", "G5.xlarge", "ml.", "ml.ml.g5.xlarge", "g5.xlarge\n"]
)
def test_a_slip_of_the_pen_has_not(name: str) -> None:
    assert not is_written_as_type(name)
