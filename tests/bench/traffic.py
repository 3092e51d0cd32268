"""The public traces as deployments' traffic by the minute; what they don't tell is drawn by a seeded burst model."""

import csv
import gzip
import os
import random
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from spillway.domain.economics.trace import Trace

DATA = Path(os.environ.get("SPILLWAY_DATA", "../shared/data")) / "traces"
# A tenant with less than six hours of traffic in all is no deployment.
_FEWEST_WINDOWS = 36
_WINDOW_MINUTES = 10
# Where a log is silent about them: a chat's prompt and answer, and how much more than Poisson's its minutes vary.
_PROMPT, _COMPLETION, _BURSTS = 600.0, 200.0, 2.0


def traces() -> Iterator[tuple[str, Trace]]:
    """Every trace by name; raises FileNotFoundError where the folder is not there."""
    yield from _servegen("m-large", days=14)
    yield from _servegen("deepseek-r1", days=1)
    burst = _rows("burstgpt1_hourly.csv")
    for column in ("conversation", "api", "all"):
        yield f"burstgpt-{column}", _hourly(f"burstgpt-{column}", [int(row[column]) for row in burst])
    azure = _rows("azure2024_conv_hourly.csv")
    yield "azure2024-conv", _hourly("azure2024-conv", [int(row["requests"]) for row in azure])
    for name in ("conv", "code"):
        rows = _rows(f"azure2023_{name}_per_minute.csv")
        requests, prompt, completion = (
            array("d", [float(row[column]) for row in rows])
            for column in ("requests", "prompt_tokens", "completion_tokens")
        )
        yield f"azure2023-{name}", Trace(requests, prompt, completion)


def _rows(name: str) -> list[dict[str, str]]:
    path = DATA / name
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        return list(csv.DictReader(lines))


def _servegen(model: str, days: int) -> Iterator[tuple[str, Trace]]:
    tenants: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(f"servegen_{model}_clients_10min.csv.gz"):
        tenants[row["client"]].append(row)
    for tenant, rows in tenants.items():
        if len(rows) >= _FEWEST_WINDOWS:
            yield f"{model}-{tenant}", _tenant(f"{model}-{tenant}", rows, days * 24 * 60)


def _tenant(name: str, rows: Sequence[dict[str, str]], minutes: int) -> Trace:
    rng = random.Random(name)
    requests, prompt, completion = (array("d", bytes(8 * minutes)) for _ in range(3))
    usual = (_mean(rows, "mean_input_tokens", _PROMPT), _mean(rows, "mean_output_tokens", _COMPLETION))
    for row in rows:
        lengths = float(row["mean_input_tokens"] or usual[0]), float(row["mean_output_tokens"] or usual[1])
        counts = spread(rng, float(row["rate_rps"]) * 600, _WINDOW_MINUTES, float(row["cv"] or 1))
        for minute, count in enumerate(counts, start=int(float(row["t_s"])) // 60):
            if minute < minutes:
                requests[minute] += count
                prompt[minute] += count * lengths[0]
                completion[minute] += count * lengths[1]
    return Trace(requests, prompt, completion)


def _mean(rows: Sequence[dict[str, str]], column: str, usual: float) -> float:
    known = [float(row[column]) for row in rows if row[column]]
    return sum(known) / len(known) if known else usual


def _hourly(name: str, counts: Sequence[int]) -> Trace:
    rng = random.Random(name)
    requests = array("d")
    for count in counts:
        # Ten-minute windows differ by about a third of their mean, or by chance alone where that is more.
        for window in spread(rng, count, 6, max(1.0, 0.3 * (count / 6) ** 0.5)):
            requests.extend(spread(rng, window, _WINDOW_MINUTES, _BURSTS))
    return Trace(requests, array("d", [n * _PROMPT for n in requests]), array("d", [n * _COMPLETION for n in requests]))


def spread(rng: random.Random, total: float, parts: int, cv: float) -> list[int]:
    """Spread requests over equal parts as a renewal process with this coefficient of variation would.

    Its counts have about ``cv²`` times Poisson's variance: gamma draws with that variance, scaled to the total.
    """
    shape = max(total / parts / (cv * cv), 1e-3)
    weights = [rng.gammavariate(shape, 1.0) for _ in range(parts)]
    if not (whole := sum(weights)):
        weights[rng.randrange(parts)] = whole = 1.0
    return [round(total * weight / whole) for weight in weights]
