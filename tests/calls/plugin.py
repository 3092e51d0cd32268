"""Hold a run of the suite to the calls that are recorded, in whatever processes of pytest-xdist it runs."""

from typing import Any

import pytest

from tests.calls.record import FILE, SEEN, CallRecord, CallShape, watch

RECORD = "--record-aws-calls"
ADD, ANEW = "add", "anew"
_OUTPUT = "aws_calls"


class CallCheck:
    """Collects what each process saw, and compares or records it at the end."""

    def __init__(self) -> None:
        self._missing: list[str] = []

    def pytest_sessionstart(self) -> None:
        watch()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        if document := getattr(node, "workeroutput", {}).get(_OUTPUT):
            found = CallRecord.from_json(document)
            SEEN.add(found.calls, found.uses)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[_OUTPUT] = SEEN.to_json()
            return
        record = session.config.getoption(RECORD)
        known = CallRecord() if record == ANEW else CallRecord.read()
        if record:
            known.add(SEEN.calls, SEEN.uses)
            known.write()
            return
        self._missing = [_sentence(call) for call in known.lacks(SEEN)]
        if self._missing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for line in self._missing:
            terminalreporter.write_line(f"FAILED {line}", red=True)


def _sentence(call: CallShape) -> str:
    return (
        f"{call.service} {call.operation} was called with {call.parameters}, which is not in {FILE.name}: "
        f"add it by {RECORD}, and see by `python -m tests.prove sdk` that every SDK takes it"
    )
