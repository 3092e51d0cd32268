"""Which DynamoDB the suites of tables run on: moto's, unless ``SPILLWAY_DYNAMODB_URL`` names another one.

That one must keep each access key's tables apart, as AWS's own DynamoDB Local does without ``-sharedDb``: an access key
of its own then gives a test an empty account.
"""

import os
import uuid

OTHER_DYNAMODB = os.environ.get("SPILLWAY_DYNAMODB_URL")


def boto3_environment() -> dict[str, str]:
    """Return what has boto3 ask it; nothing for moto's."""
    if not OTHER_DYNAMODB:
        return {}
    return {"AWS_ENDPOINT_URL_DYNAMODB": OTHER_DYNAMODB, "AWS_ACCESS_KEY_ID": uuid.uuid4().hex}
