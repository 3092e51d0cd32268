"""The SAM transform in a process of its own; run as a program, it prints the transformed template as JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.sandbox.runtime.functions import REPOSITORY
from tests.sandbox.runtime.intrinsics import TemplateError

# What was transformed in this process, as JSON, by the parameters.
_transformed: dict[str, bytes] = {}


class Transformation:
    """Started first and asked last: the translator takes seconds to import, and moto does too meanwhile."""

    def __init__(self, parameters: Mapping[str, str], region: str) -> None:
        self._parameters = json.dumps(dict(parameters), sort_keys=True)
        self._process = None if self._parameters in _transformed else self._begin(region)

    def _begin(self, region: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.sandbox.runtime.sam_template", self._parameters],
            cwd=REPOSITORY,
            env={**os.environ, "AWS_DEFAULT_REGION": region},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def result(self) -> dict[str, Any]:
        """Wait for the end and return the template; raise TemplateError with what the translator said."""
        if self._process is not None:
            output, errors = self._process.communicate()
            if self._process.returncode != 0:
                raise TemplateError(f"the SAM transform failed:\n{errors.decode().strip()[-2000:]}")
            _transformed[self._parameters] = output
        transformed: dict[str, Any] = json.loads(_transformed[self._parameters])
        return transformed

    def close(self) -> None:
        """End the process if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def _print_transformed(parameters: str) -> None:
    from tests.template.transform import transformed

    json.dump(transformed(json.loads(parameters)), sys.stdout)


if __name__ == "__main__":
    _print_transformed(sys.argv[1])
