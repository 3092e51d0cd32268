"""Files that a user names: what is wrong with them is said by their path."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from spillway.cli.errors import BadInput

# A file without line ends must not be held as one line.
_LONGEST_LINE = 65_536


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """Raise BadInput where the block fails to read or write the path."""
    try:
        yield
    except (OSError, UnicodeDecodeError) as err:
        raise BadInput(f"{path}: {err}") from err


@contextmanager
def lines_of(path: Path) -> Iterator[Iterator[str]]:
    """Open a text file of any length, to be read line by line; BadInput where it can't be."""
    with usable(path), path.open(newline="", encoding="utf-8-sig") as text:
        yield iter(partial(text.readline, _LONGEST_LINE), "")
