"""What a judge returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """A judge's table, its first row the heads, and what it holds against the product: a sentence a failure."""

    rows: tuple[tuple[str, ...], ...]
    failures: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the table with aligned columns, and below it the failures."""
        return "\n".join([*_lines(self.rows), *(f"FAILED: {failure}" for failure in self.failures)])


def _lines(rows: tuple[tuple[str, ...], ...]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]] if lines else []
