"""How instance types are written; which of them exist somewhere, only AWS knows."""

import re

# A family and one of EC2's sizes, behind SageMaker's "ml." or not.
INSTANCE_TYPE = r"^(ml\.)?[a-z][a-z0-9]*(-[a-z0-9]+)*\.(nano|micro|small|medium|large|[0-9]*xlarge|metal(-[0-9]+xl)?)$"


def is_written_as_type(name: str) -> bool:
    """Whether a name has the form of an instance type, of EC2's or of SageMaker's."""
    return re.fullmatch(INSTANCE_TYPE, name) is not None
