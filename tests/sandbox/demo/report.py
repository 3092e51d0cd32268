"""The demo's last page."""

from tests.sandbox.demo.ledger import Ledger


def show(ledger: Ledger) -> None:
    """Print requests by target and reason, alerts, unit costs and the verdict."""
    print("\nRequests by target and reason")
    rows = [(where, reason, name, n) for (name, where, reason), n in sorted(ledger.requests.items())]
    _table(("target", "reason", "deployment", "requests"), sorted(rows))
    print(f"\nFailed requests: {len(ledger.failures)}")
    for failure in ledger.failures[:5]:
        print(f"  {failure}")
    print("\nAlerts sent (SNS)")
    _table(
        ("topic", "state", "what", "money"),
        [(a["topic"], a["state"], a["what"], _money(a)) for a in ledger.alerts],
    )
    print("\nRealised dollars per million tokens, by path (list prices; idle, starts and spill included)")
    _table(
        ("path", "USD per million tokens"),
        [(path, "unknown" if usd is None else f"{usd:,.2f}") for path, usd in ledger.usd_per_million_tokens.items()],
    )
    print(
        "  The sandbox's hours pass faster than its requests are answered, so these fleets look far emptier than real\n"
        "  ones: the arithmetic is real, the utilisation is not."
    )
    print(f"\nTagged resources left behind: {len(ledger.leftovers)} {' '.join(ledger.leftovers)}")
    held = sum(item["ok"] for item in ledger.expectations)
    print(f"\n{held} of {len(ledger.expectations)} expectations held. Details: .sandbox/demo.json")
    print("Read on: README.md, docs/decisions/, docs/alerts.md; `make sandbox` keeps all of this running for you.")


def _money(alert: dict[str, object]) -> str:
    usd = alert.get("usd_per_hour")
    if alert.get("usd") is not None:
        return f"${alert['usd']:,.2f} so far"
    if not isinstance(usd, (int, float)) or usd == 0:
        return ""
    return f"{'saves' if usd < 0 else 'costs'} ${abs(usd):,.2f}/h"


def _table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    cells = [head, *[tuple(str(cell) for cell in row) for row in rows]]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    for row in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
