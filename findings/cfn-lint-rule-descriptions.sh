#!/usr/bin/env bash
# cfn-lint, and moto behind it, take a security group rule's description that EC2 does not.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'cfn-lint==1.58.0' 'moto[ec2]==5.2.5' 'boto3==1.43.55'
cat > "$work/template.json" <<'JSON'
{
  "Resources": {
    "Group": {
      "Type": "AWS::EC2::SecurityGroup",
      "Properties": {
        "GroupDescription": "engines",
        "SecurityGroupIngress": [
          {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "10.0.0.0/8", "Description": "from each other's"}
        ]
      }
    }
  }
}
JSON
"$work/venv/bin/cfn-lint" --non-zero-exit-code informational "$work/template.json" && lint=accepts || lint=refuses
LINT=$lint "$work/venv/bin/python" - <<'PYTHON'
import html
import os
import re
from importlib.metadata import version

import boto3
from botocore.loaders import Loader
from moto import mock_aws

model = Loader().load_service_model("ec2", "service-2")
documented = re.sub("<[^>]+>", "", model["shapes"]["IpRange"]["members"]["Description"]["documentation"])
allowed = html.unescape(documented).partition("Allowed characters are ")[2]
print(f"version:  cfn-lint {version('cfn-lint')}, moto {version('moto')}")
print(f"expected: refused for its apostrophe, as by EC2 (API reference, IpRange): allowed are {allowed}")
with mock_aws():
    ec2 = boto3.client("ec2", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    group = ec2.create_security_group(GroupName="engines", Description="engines")["GroupId"]
    ranges = [{"CidrIp": "10.0.0.0/8", "Description": "from each other's"}]
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": ranges}
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
lint = os.environ["LINT"]
print(f"observed: cfn-lint {lint} it, moto makes the rule: {made['Return']}")
assert "'" not in allowed
assert (lint, made["Return"]) == ("accepts", True)
PYTHON
