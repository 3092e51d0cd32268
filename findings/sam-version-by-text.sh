#!/usr/bin/env bash
# SAM publishes no version when a parameter changes what a function is, so its alias stays behind.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check aws-sam-translator==1.115.0 boto3==1.43.108
"$work/venv/bin/python" - <<'PYTHON'
import logging
from copy import deepcopy
from importlib.metadata import version
from typing import Any

from boto3 import Session
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

logging.disable()
FUNCTION = {
    "Runtime": "python3.13",
    "Handler": "app.handler",
    "CodeUri": "s3://bucket/key",
    "MemorySize": {"Ref": "Memory"},
    "AutoPublishAlias": "live",
    "AutoPublishAliasAllProperties": True,
}


def version_of(memory: str, **changes: Any) -> str:
    """Return the logical id of the function's version; CloudFormation publishes one only under a new id."""
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {"Memory": {"Type": "Number"}},
        "Resources": {"Hello": {"Type": "AWS::Serverless::Function", "Properties": {**FUNCTION, **changes}}},
    }
    translator = Translator({}, Parser(), boto_session=Session(region_name="us-east-1"))
    made = translator.translate(deepcopy(template), {"Memory": memory})["Resources"]
    [found] = [name for name, each in made.items() if each["Type"] == "AWS::Lambda::Version"]
    return str(found)


print(f"version:  aws-sam-translator {version('aws-sam-translator')}")
print("expected: another value of the parameter is another memory size, so a new version for the alias to point to:")
print("          AutoPublishAliasAllProperties is there to publish whenever any of the function's properties changes")
small, large, written = version_of("128"), version_of("256"), version_of("128", MemorySize=256)
print(f"observed: {small} at 128, {large} at 256; written into the template, 256 gives {written}")
assert small == large
assert written != small
PYTHON
