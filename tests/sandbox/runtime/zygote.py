"""The process that all workers are forked from, with everything imported but the functions themselves.

A cold start costs some ten milliseconds this way instead of most of a second. The first zygote loads; each sandbox of
the process has one of its own, forked from that, and with it one process group to end. A zygote runs no product code
but its imports, and reads no function's environment.
"""

import ctypes
import gc
import importlib
import os
import pkgutil
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.sandbox import constraints
from tests.sandbox.runtime import wire, worker, worker_hooks

PRELOADED = (
    "aiohttp",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.metrics",
    "boto3",
    "boto3.dynamodb.conditions",
    "botocore.httpsession",
    "botocore.session",
    "orjson",
    "pydantic",
    "uvicorn.config",
    "uvicorn.main",
)
PACKAGE = "spillway"
# What the functions make clients of, and what a client reads: models of services, of megabytes of JSON.
SERVICES = (
    "autoscaling",
    "bedrock",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "elbv2",
    "events",
    "pricing",
    "sagemaker",
    "service-quotas",
    "sns",
    "ssm",
    "stepfunctions",
)
PR_SET_PDEATHSIG = 1


def main(descriptor: int) -> None:
    """Fork a zygote for every sandbox that asks for one on the socket, until their process has gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=descriptor)
    for step in _preloading():
        if _has_gone(connection):
            return
        step()
    # Workers share what is here as long as nothing touches it, and the collector would.
    gc.collect()
    gc.freeze()
    while (received := wire.receive(connection, descriptors=1)) is not None:
        (theirs,) = received[1]
        pid = os.fork()
        if pid == 0:
            connection.close()
            os.setsid()
            _fork_workers(socket.socket(fileno=theirs))
            return
        os.close(theirs)
        wire.send(connection, {"pid": pid})


def _preloading() -> Iterator[Callable[[], object]]:
    """Yield the steps, which take seconds together."""
    package = importlib.import_module(PACKAGE)
    ours = [found.name for found in pkgutil.walk_packages(package.__path__, f"{PACKAGE}.")]
    for name in (*PRELOADED, *(each for each in ours if not each.endswith("__main__"))):
        yield partial(importlib.import_module, name)
    worker_hooks.keep_data_files()
    for service in SERVICES:
        yield partial(worker_hooks.make_client, service)
    yield partial(constraints.compiled, r"\p{L}")


def _has_gone(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and not connection.recv(1, socket.MSG_PEEK)


def _fork_workers(connection: socket.socket) -> None:
    """Fork a worker for every request on the socket, until the sandbox has gone."""
    while (received := wire.receive(connection, descriptors=2)) is not None:
        settings, handed = received
        pid = os.fork()
        if pid == 0:
            connection.close()
            _become_worker(settings, *handed)
        for each in handed:
            os.close(each)
        wire.send(connection, {"pid": pid})


def _become_worker(settings: dict[str, Any], control: int, log: int) -> None:
    _die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    code = 1
    try:
        code = worker.run(settings, socket.socket(fileno=control))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_with_parent() -> None:
    """A worker must not outlive a sandbox that was killed; elsewhere than on Linux it sees its socket close."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
