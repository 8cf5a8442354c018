"""A measured figure, and the places where it is written down."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "benchmarks"
PAGE = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Figure:
    """One line of a benchmark's table; without a goal it is only reported."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    goal: float | None = None
    met: bool | None = None


def compared(name: str, value: float, *, unit: str, baseline: float, goal: float) -> Figure:
    """A figure whose ratio, baseline / value, should be at least `goal`: more is better."""
    ratio = baseline / value
    return Figure(name, value, unit, baseline, ratio, goal, met=ratio >= goal)


def reported(name: str, value: float, *, unit: str) -> Figure:
    return Figure(name, value, unit)


def table(figures: Sequence[Figure]) -> str:
    rows = [
        "| figure | value | baseline | ratio | goal | met |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for figure in figures:
        cells = (
            f"`{figure.name}`",
            f"{figure.value:.3g} {figure.unit}",
            "" if figure.baseline is None else f"{figure.baseline:.3g} {figure.unit}",
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            "" if figure.goal is None else f"{figure.goal:g}",
            {True: "yes", False: "no", None: ""}[figure.met],
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def bars(title: str, unit: str, values: dict[str, float]) -> str:
    """A plot that GitHub and most readers of Markdown draw by themselves."""
    names = ", ".join(f'"{name}"' for name in values)
    heights = ", ".join(f"{value:.4g}" for value in values.values())
    return (
        f'```mermaid\nxychart-beta\n    title "{title}"\n    x-axis [{names}]\n'
        f'    y-axis "{unit}" 0 --> {max(values.values()) * 1.1:.4g}\n    bar [{heights}]\n```'
    )


def keep(benchmark: str, figures: Sequence[Figure], text: str) -> None:
    """Write the figures as JSON, and the benchmark's section of the page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = [asdict(figure) for figure in figures]
    (FOLDER / f"{benchmark}.json").write_text(json.dumps(rows, indent=2) + "\n")
    before, marker, rest = PAGE.read_text().partition(f"<!-- {benchmark} -->\n")
    if not marker:
        raise ValueError(f"{PAGE.name} has no place for {benchmark}")
    _, end, after = rest.partition(f"<!-- end of {benchmark} -->")
    section = f"\n{table(figures)}\n\n{text}\n\n"
    PAGE.write_text(before + marker + section + end + after)
    print(table(figures))
