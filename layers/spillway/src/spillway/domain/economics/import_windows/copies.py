"""The prices of an imported model, and one copy of it as Bedrock runs and bills it."""

from dataclasses import dataclass, field

from spillway.domain.economics.import_windows.constants import MINUTES_PER_WINDOW
from spillway.domain.economics.scenario import Elsewhere, check_numbers, whole_minutes
from spillway.domain.pricing.price_book import ImportPrices, price_book

_MOST_COPIES, _LONGEST_WINDOW = 100, 60
_USUAL_MODEL = "meta-llama/Llama-3.1-8B-Instruct"


def _imports() -> ImportPrices:
    prices = price_book().imports
    if prices is None:
        raise LookupError("the price book has no prices of imported models")
    return prices


@dataclass(frozen=True)
class Imported(Elsewhere):
    """An imported model beside a catalog model by the token; defaults are assumptions, as in ``Scenario``.

    ``usd_per_unit_minute`` and ``units_per_copy``: the price book's, of Llama 3.1 8B. The rest about copies is assumed.

    Raises:
        ValueError: if a number is not finite, negative, zero where it must not be, or too large.
    """

    usd_per_unit_minute: float = field(default_factory=lambda: _imports().unit_minute.usd)
    units_per_copy: int = field(default_factory=lambda: price_book().import_units[_USUAL_MODEL].count)
    window_minutes: int = MINUTES_PER_WINDOW
    tokens_per_minute_per_copy: float = 300_000.0
    cold_start_seconds: float = 60.0
    max_copies: int = 3
    prompt_usd_per_million: float = 0.22
    completion_usd_per_million: float = 0.22
    waiting_usd_per_request: float | None = None

    def __post_init__(self) -> None:
        above_zero = ("usd_per_unit_minute", "units_per_copy", "window_minutes", "tokens_per_minute_per_copy")
        check_numbers(self, *above_zero, "max_copies")
        whole_minutes(self.cold_start_seconds)
        for name, most in (("max_copies", _MOST_COPIES), ("window_minutes", _LONGEST_WINDOW)):
            if (value := getattr(self, name)) > most:
                raise ValueError(f"{name} is {value}: it must be at most {most}")

    @property
    def window_usd(self) -> float:
        """What one window of one copy costs."""
        return self.window_minutes * self.units_per_copy * self.usd_per_unit_minute

    @property
    def start_minutes(self) -> int:
        """Whole minutes in which a copy that was cold answers that it is not ready."""
        return whole_minutes(self.cold_start_seconds)

    @property
    def tokens_per_minute_per_instance(self) -> float:
        """The unit of pictures: a copy."""
        return self.tokens_per_minute_per_copy


@dataclass(slots=True)
class Copy:
    """One copy; the first request to it starts it, the first that it answers opens a window.

    ``starting`` minutes are left until it answers, ``paid`` ones of its window. It is loaded while ``is_warm``, and
    unloaded after a window's worth of ``idle`` minutes without a request. A request in a paid minute is free.
    """

    imported: Imported
    starting: int = 0
    paid: int = 0
    idle: int = 0
    is_warm: bool = False
    windows: int = 0
    starts: int = 0

    def serve(self, has_traffic: bool, *, used: bool) -> bool:
        """Let a minute pass, in which requests are sent to it or not; return whether it answered them."""
        is_sent = used and has_traffic
        if self.starting:
            self.starting -= 1
            self.is_warm, self.idle = self.starting == 0, 0
            return False
        if is_sent and not self.is_warm:
            self.starts += 1
            self.starting = self.imported.start_minutes - 1
            self.is_warm, self.idle = self.starting == 0, 0
            return False
        if is_sent and not self.paid:
            self.windows += 1
            self.paid = self.imported.window_minutes
        self.paid = max(0, self.paid - 1)
        self.idle = 0 if is_sent else self.idle + 1
        if self.idle >= self.imported.window_minutes:
            self.is_warm = False
        return is_sent
