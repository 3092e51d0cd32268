"""Every judge by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Judge:
    """A module of this package with a function ``judge(work, sample) -> Verdict``; it may take so many seconds.

    ``work`` is a folder for what it installs and writes; with ``sample`` it looks at less, within ``sample_seconds``
    (None: it is left out of a sample).
    """

    name: str
    proves: str
    seconds: int
    sample_seconds: int | None

    @property
    def module(self) -> str:
        """The module's full name."""
        return f"tests.prove.{self.name}"


JUDGES: tuple[Judge, ...] = ()
