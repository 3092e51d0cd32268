"""Traffic logs: read row by row into minutes, so that memory grows with the time they span, never with their rows."""

import csv
from array import array
from collections.abc import Iterable, Iterator, Sequence

from spillway.domain.economics.scenario import LARGEST
from spillway.domain.economics.trace import Trace
from spillway.domain.errors import InvalidRequest

COLUMNS = ("t_seconds", "requests", "prompt_tokens", "completion_tokens")
_SECONDS_PER_MINUTE = 60
# Ten years: what spans more has a broken clock, and would fill the memory with empty minutes.
_MOST_MINUTES = 10 * 366 * 24 * 60

_Row = tuple[float, float, float, float]


def read_log(lines: Iterable[str], param: str, most_minutes: int = _MOST_MINUTES) -> Trace:
    """Return a log's minutes; InvalidRequest names the row that is wrong, and ``param`` as the field.

    ``COLUMNS`` stand under a header, in any order and with any others; a row is a request or a window, its tokens are
    all that the row's requests have together. Rows at equal distances of whole minutes are windows and spread evenly,
    all others count at their minute.
    """
    minutes = _Minutes(param, most_minutes)
    for number, row in _rows(lines, param):
        minutes.add(number, row)
    return minutes.trace()


class _Minutes:
    """The sums by the minute so far, and whether all rows are windows of one width."""

    def __init__(self, param: str, most: int) -> None:
        self.param = param
        self.most = most
        self.requests, self.prompt_tokens, self.completion_tokens = array("d"), array("d"), array("d")
        self.size = self.first_minute = 0
        self.first_t: float | None = None
        self.last_t = self.last_requests = 0.0
        self.gap: float | None = None

    def add(self, number: int, row: _Row) -> None:
        """Add a row; ``number`` is its line in the log, for errors."""
        t, requests, prompt, completion = row
        if self.first_t is None:
            self.first_t, self.first_minute = t, int(t // _SECONDS_PER_MINUTE)
        else:
            self._follow(number, t, requests)
        self.last_t, self.last_requests = t, requests
        minute = int(t // _SECONDS_PER_MINUTE) - self.first_minute
        if minute >= self.size:
            self._grow(number, t, minute + 1)
        # Not in a loop: this runs once a row of logs that may have hundreds of millions.
        self.requests[minute] += requests
        self.prompt_tokens[minute] += prompt
        self.completion_tokens[minute] += completion

    def _grow(self, number: int, t: float, size: int) -> None:
        if size > self.most:
            days = self.most // (24 * 60)
            raise _wrong(number, f"t_seconds {t:.15g} is more than {days:,} days after the first row", self.param)
        for sums in (self.requests, self.prompt_tokens, self.completion_tokens):
            sums.frombytes(bytes(8 * (size - self.size)))
        self.size = size

    def _follow(self, number: int, t: float, requests: float) -> None:
        distance = t - self.last_t
        if distance < 0:
            said = f"t_seconds {t:.15g} comes after {self.last_t:.15g}: rows must be sorted by time"
            raise _wrong(number, said, self.param)
        if not distance and (requests > 1 or self.last_requests > 1):
            raise _wrong(number, f"a second window at t_seconds {t:.15g}: windows must not overlap", self.param)
        if self.gap is None:
            self.gap = distance
        elif self.gap and distance % self.gap:
            # Missing windows leave a whole number of them out; anything else is a log of single requests.
            self.gap = 0.0

    def trace(self) -> Trace:
        """Return the minutes; windows of several minutes are spread evenly over them."""
        if self.first_t is None:
            raise InvalidRequest("the log has no rows after its header", param=self.param)
        if self.last_t == self.first_t:
            raise InvalidRequest(
                "all of the log's rows are of one moment: how long its requests took to come can't be told",
                param=self.param,
            )
        columns = (self.requests, self.prompt_tokens, self.completion_tokens)
        width, rest = divmod(self.gap or 0.0, _SECONDS_PER_MINUTE)
        if width > 1 and not rest:
            for sums in columns:
                _spread(sums, int(width))
        return Trace(*columns, first_minute=self.first_minute)


def _spread(sums: "array[float]", width: int) -> None:
    sums.frombytes(bytes(8 * (-len(sums) % width)))
    for start in range(0, len(sums), width):
        mean = sum(sums[start : start + width]) / width
        for minute in range(start, start + width):
            sums[minute] = mean


def _rows(lines: Iterable[str], param: str) -> Iterator[tuple[int, _Row]]:
    reader = csv.reader(lines)
    try:
        header = [name.strip() for name in next(reader, [])]
        places = _places(header, param)
        for row in reader:
            if row:
                yield reader.line_num, _numbers(row, places, reader.line_num, len(header), param)
    except csv.Error as err:
        raise _wrong(reader.line_num, f"cannot be read: {err}", param) from err


def _places(header: Sequence[str], param: str) -> list[int]:
    for said, names in (
        ("lacks", [name for name in COLUMNS if name not in header]),
        ("names more than once", [name for name in COLUMNS if header.count(name) > 1]),
    ):
        if names:
            raise InvalidRequest(
                f"row 1 of the log: the header {said} {', '.join(names)}", param=param, allowed=COLUMNS
            )
    return [header.index(name) for name in COLUMNS]


def _numbers(row: Sequence[str], places: Sequence[int], number: int, width: int, param: str) -> _Row:
    if len(row) != width:
        raise _wrong(number, f"{len(row)} columns where the header has {width}", param)
    try:
        t, requests, prompt, completion = [float(row[place]) for place in places]
        if 0 <= t <= LARGEST and 0 <= requests <= LARGEST and 0 <= prompt <= LARGEST and 0 <= completion <= LARGEST:
            return t, requests, prompt, completion
    except ValueError:
        pass
    name, text = next((name, row[at]) for name, at in zip(COLUMNS, places, strict=True) if not _is_number(row[at]))
    raise _wrong(number, f"{name} is {text.strip()[:40]!r}, not a number from 0 to {LARGEST:g}", param)


def _is_number(text: str) -> bool:
    try:
        return 0 <= float(text) <= LARGEST
    except ValueError:
        return False


def _wrong(number: int, what: str, param: str) -> InvalidRequest:
    return InvalidRequest(f"row {number} of the log: {what}", param=param)
