"""``make bench``: prints every table; ``make bench`` with ``ONLY=imports,check`` prints some."""

import os
from importlib import import_module

TABLES = {
    "imports": "Import time and peak memory of each function's module, fresh processes",
    "layers": "Size of the Lambda layers",
    "failover": "From a fleet's death to Bedrock's first token, against Bedrock's own first token",
    "running_costs": "A month of an idle stack, and of one deployment more, at list prices without free tiers",
    "check": "One check: duration and AWS calls, with everything in memory",
}
# Only by name: they take longer than a minute.
LONG_TABLES = {
    "soak": "20,000 requests through the gateway over changing routes",
    "logs": "Memory of plan and replay on the way through a long log",
}


def main() -> None:
    """Run and print."""
    wanted = os.environ.get("ONLY", ",".join(TABLES)).split(",")
    for name in wanted:
        print(f"\n{(TABLES | LONG_TABLES)[name]} (tests/bench/{name}.py)")
        rows = import_module(f"tests.bench.{name}").run()
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        for row in rows:
            print("  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)), flush=True)


if __name__ == "__main__":
    main()
