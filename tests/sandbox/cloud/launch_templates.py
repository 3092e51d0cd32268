"""Launch templates and user data as EC2 takes them, where moto is laxer or stops short."""

import base64
from typing import Any

from moto.core.types import Base64EncodedString
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.utils import parse_user_data

from tests.sandbox.cloud.patches import Patches

# Of the script itself, before it is written in base64.
USER_DATA_BYTES = 16_384


def install(patches: Patches) -> None:
    """Patch moto's EC2 until ``patches`` are undone."""
    create_version = patches.set(LaunchTemplate, "create_version", None)

    def create_checked(template: Any, data: dict[str, Any], description: str) -> Any:
        # moto reads the user data of a template's first version alone, and cannot launch by the others.
        user_data = data.get("UserData")
        if isinstance(user_data, str):
            user_data = parse_user_data(user_data)
        _check(user_data, "InvalidUserData.Malformed")
        return create_version(template, {**data, "UserData": user_data}, description)

    LaunchTemplate.create_version = create_checked
    run = patches.set(InstanceBackend, "run_instances", None)

    def run_checked(backend: Any, image_id: str, count: int, user_data: Any, *args: Any, **fields: Any) -> Any:
        _check(user_data, "InvalidParameterValue")
        return run(backend, image_id, count, user_data, *args, **fields)

    InstanceBackend.run_instances = run_checked


def _check(user_data: Base64EncodedString | None, code: str) -> None:
    if len(base64.b64decode(str(user_data or ""))) > USER_DATA_BYTES:
        raise EC2ClientError(code, f"User data is limited to {USER_DATA_BYTES} bytes.")
