"""``make bench-gateway``: Spillway's gateway beside others, all against one fake upstream, in interleaved rounds.

The upstream and the load generator share one core, the system under test has the other; the systems that are not being
measured are stopped (SIGSTOP) meanwhile. ``ROUNDS`` and ``ONLY`` (parts of rows' names, by comma) shorten a run.
"""

import os
import platform
import signal
import statistics
import sys
from typing import Any

from tests.bench.gateway import machine
from tests.bench.gateway.bench import Bench, Sample
from tests.bench.gateway.peers import BEFORE, install
from tests.bench.gateway.systems import System, all_systems

ROUNDS = int(os.environ.get("ROUNDS", "3"))


def main() -> None:
    """Install, start, measure in rounds, and print."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    peers = install()
    wanted = [part for part in os.environ.get("ONLY", "").split(",") if part]
    rows = [row for row in all_systems(peers) if not wanted or any(part in row.name for part in ["direct", *wanted])]
    _describe(peers.versions)
    with Bench() as bench:
        samples: dict[str, list[Sample]] = {row.name: [] for row in rows}
        standing = [row for row in rows if bench.raise_up(row)]
        for _ in range(ROUNDS):
            for row in standing:
                samples[row.name].append(bench.measure(row))
        _print(_table(rows, samples, bench))
        share = statistics.median(bench.foreign) if bench.foreign else 0.0
        print(f"Medians of {ROUNDS} rounds. Other work took {share:.0%} of the machine meanwhile.")
        for problem in bench.problems:
            print(f"  {problem}")


def _describe(versions: dict[str, str]) -> None:
    ours, theirs = machine.cores()
    shared = " (the same one: read only the ratios, and those with care)" if ours == theirs else ""
    print(f"\nPython {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores; ", end="")
    print(f"load and upstream on core {min(ours)}, systems on core {min(theirs)}{shared}")
    print("  " + ", ".join(f"{name} {version}" for name, version in versions.items()))


def _table(rows: list[System], samples: dict[str, list[Sample]], bench: Bench) -> list[list[str]]:
    header = ["", "+p50 ms @1", "@16", "@64", "+p99 ms @1", "@16", "@64", "requests/s", "CPU ms", "CPU us/chunk"]
    header += ["first token +ms", "start s", "RSS MB", "rps / bare", "CPU / bare"]
    header += [f"{what} / {BEFORE}" for what in ("rps", "CPU", "+p50 @1", "chunk")]
    direct = _medians(samples["direct"])
    bare = _medians(samples.get("bare pass-through", []))
    table = [header]
    for row in rows:
        mine = _medians(samples[row.name])
        if not mine:
            table.append([row.name, "not installed" if row.command is None else "failed", *[""] * (len(header) - 2)])
            continue
        before = _medians(samples.get(row.name.replace("Spillway", BEFORE), [])) if "Spillway" in row.name else {}
        table.append([row.name, *_figures(mine, direct, bare), *_since(mine, before, direct)])
        start = bench.starts.get(row.name)
        table[-1][11] = f"{start:.2f}" if start else ""
    return table


def _figures(mine: dict[str, float], direct: dict[str, float], bare: dict[str, float]) -> list[str]:
    own = mine is direct or mine == direct

    def added(name: str) -> str:
        shown = mine[name] if own else mine[name] - direct[name]
        return f"{shown * 1e3:.2f}"

    latencies = [added(f"{kind}{count}") for kind in ("p50_", "p99_") for count in (1, 16, 64)]
    used = ["", ""] if own else [f"{mine['cpu_ms']:.2f}", f"{mine['chunk_us']:.0f}"]
    ratios = [f"{mine[name] / bare[name]:.2f}" if bare and not own else "" for name in ("rps", "cpu_ms")]
    memory = "" if own else f"{mine['rss_mb']:.0f}"
    return [*latencies, f"{mine['rps']:,.0f}", *used, added("first"), "", memory, *ratios]


def _since(mine: dict[str, float], before: dict[str, float], direct: dict[str, float]) -> list[str]:
    """Return how a row stands to that of the gateway before."""
    if not before:
        return [""] * 4
    shares = [mine[name] / before[name] for name in ("rps", "cpu_ms")]
    shares += [(mine["p50_1"] - direct["p50_1"]) / (before["p50_1"] - direct["p50_1"])]
    return [f"{share:.2f}" for share in (*shares, mine["chunk_us"] / before["chunk_us"])]


def _medians(samples: list[Sample]) -> dict[str, float]:
    names: Any = samples[0] if samples else ()
    return {name: statistics.median(sample[name] for sample in samples) for name in names}


def _print(table: list[list[str]]) -> None:
    widths = [max(len(line[at]) for line in table) for at in range(len(table[0]))]
    for number, line in enumerate(table):
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        print("| " + " | ".join(cells) + " |")
        if number == 0:
            print(
                "|" + "|".join("-" * (width + 1) + ("-" if at == 0 else ":") for at, width in enumerate(widths)) + "|"
            )


if __name__ == "__main__":
    main()
