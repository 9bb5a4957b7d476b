"""
Tables in Markdown, and figures as they stand in them.
"""

from collections.abc import Sequence

_MEGABYTE = 1_000_000


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a heading and a table; columns of figures stand to the right."""
    figures = [
        all(row[number].lstrip("≤≥ ")[:1].isdigit() or row[number] == "-" for row in rows)
        for number in range(len(columns))
    ]
    print(f"\n### {title}\n")
    print(f"| {' | '.join(columns)} |")
    print(f"|{'|'.join('--:' if right else ':--' for right in figures)}|")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def seconds(value: float) -> str:
    """Write seconds, or milliseconds below a tenth, with three figures."""
    return f"{value:.3g} s" if value >= 0.1 else f"{value * 1000:.3g} ms"


def megabytes(value: float) -> str:
    """Write bytes as MB; nothing was measured where there are none."""
    return f"{value / _MEGABYTE:.0f} MB" if value else "-"


def rate(amount: float, taken: float) -> str:
    """Write how many millions a second."""
    return f"{amount / taken / 1e6:.3g}" if amount else "-"


def ratio(value: float) -> str:
    """Write a ratio."""
    return f"{value:.2f}"
