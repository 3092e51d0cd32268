"""Cost reports as JSON's models and as CSV."""

import csv
import io

from spillway.api.cost_models import BillBody, BilledDay, CostReportBody, CostRow
from spillway.api.models import PriceSource
from spillway.domain.costs.aws_bill import BillCheck, DayOfBill
from spillway.domain.costs.month import MICRO
from spillway.domain.paths.path import Path
from spillway.services.show_costs import CostReport, Group

_PATHS = tuple(sorted(path.value for path in Path))
_COLUMNS = tuple(name for name in CostRow.model_fields if name != "elsewhere_usd")


def report_of(report: CostReport) -> CostReportBody:
    """Return a report as the API shows it."""
    return CostReportBody(
        from_=report.since,
        to=report.until,
        group_by=report.group_by,
        rows=tuple(_row(group) for group in report.groups),
        total=_row(report.total),
        unknown=tuple(report.unknown),
        shared_leaves_out=tuple(report.not_shared),
        bill=report.bill and _bill(report.bill),
        prices=tuple(PriceSource(source=source.source, as_of=source.as_of) for source in report.sources),
    )


def csv_of(report: CostReport) -> str:
    """Return the groups as CSV with a header and no total; an unknown number is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*_COLUMNS, *(f"elsewhere_{path}_usd" for path in _PATHS)))
    for group in report.groups:
        row = _row(group)
        elsewhere = row.elsewhere_usd or {}
        writer.writerow((*(_cell(getattr(row, name)) for name in _COLUMNS), *(_cell(elsewhere.get(p)) for p in _PATHS)))
    return text.getvalue()


def _bill(check: BillCheck) -> BillBody:
    return BillBody(days=tuple(_billed_day(one) for one in check.days), problem=check.problem)


def _billed_day(one: DayOfBill) -> BilledDay:
    told, billed = one.told_micro_usd / MICRO, one.billed
    return BilledDay(
        day=one.day,
        instances_usd=told,
        unblended_usd=billed and billed.unblended_usd,
        amortized_usd=billed and billed.amortized_usd,
        difference_usd=billed and round(billed.unblended_usd - told, 6),
        is_final=billed is not None and billed.is_final,
    )


def _row(group: Group) -> CostRow:
    amounts = group.amounts
    return CostRow(
        group=group.name,
        requests=amounts.requests,
        failed=amounts.failed,
        prompt_tokens=amounts.prompt_tokens,
        cached_tokens=amounts.cached_tokens,
        completion_tokens=amounts.completion_tokens,
        instance_seconds=amounts.instance_seconds,
        warm_up_seconds=amounts.warm_up_seconds,
        usd=amounts.micro_usd / MICRO if amounts.is_priced else None,
        known_usd=amounts.micro_usd / MICRO,
        spill_usd=amounts.spill_micro_usd / MICRO,
        warm_up_usd=amounts.warm_up_micro_usd / MICRO,
        idle_usd=amounts.idle_micro_usd / MICRO,
        idle_is_at_least=amounts.unmeasured_seconds > 0,
        shared_usd=amounts.shared_micro_usd / MICRO,
        usd_per_million_tokens=amounts.usd_per_million_tokens,
        utilisation=amounts.utilisation,
        elsewhere_usd=group.elsewhere
        and {path: None if micro is None else micro / MICRO for path, micro in group.elsewhere.items()},
    )


def _cell(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.6f}"
        case _:
            return value
