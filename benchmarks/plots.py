"""Draws the part `growth` of RESULTS.md as one SVG: each figure by the number of vehicles, relative to the smallest number.

`python -m benchmarks` draws it whenever it has measured; docs/performance.md shows it.
"""

import math
import re
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 640, 320, 60, 110, 50, 20
# The columns of benchmarks.growth that are drawn, by their index, and their colours.
LINES = {
    "read": (0, "#1f77b4"), "list": (1, "#d62728"), "bundles": (2, "#2ca02c"), "random": (3, "#9467bd"),
    "derivation": (4, "#8c564b"),
}  # fmt: skip
_ROW = re.compile(r"^ *(\d+)((?: +[\d.]+){7})$", re.MULTILINE)
_STYLE = "text{font:12px sans-serif;fill:#444}line{stroke:#bbb}polyline{fill:none;stroke-width:2}"


def draw(results: str, picture: Path) -> None:
    """Draw the table of growth, if the page of results has one with two rows or more."""
    part = results.partition("\n## growth\n")[2].partition("\n## ")[0]
    rows = [(int(count), [float(figure) for figure in figures.split()]) for count, figures in _ROW.findall(part)]
    if len(rows) > 1:
        picture.write_text(_svg(rows), "utf-8")


def _svg(rows: list[tuple[int, list[float]]]) -> str:
    counts = [count for count, _ in rows]
    lines = {name: [row[column] / rows[0][1][column] for _, row in rows] for name, (column, _) in LINES.items()}
    most = max(2.0, *(max(factors) for factors in lines.values()))
    first, last = math.log10(counts[0]), math.log10(counts[-1])

    def at(count: int, factor: float) -> tuple[float, float]:
        x = LEFT + (math.log10(count) - first) / (last - first) * (WIDTH - LEFT - RIGHT)
        return round(x, 1), round(HEIGHT - BOTTOM - factor / most * (HEIGHT - BOTTOM - TOP), 1)

    shapes = [
        _text(LEFT, HEIGHT - 10, "vehicles (logarithmic)"),
        _text(LEFT, TOP - 6, f"CPU of each operation, relative to {counts[0]:,} vehicles"),
    ]
    for count in counts:
        x, y = at(count, 0)
        shapes += [f'<line x1="{x}" y1="{y}" x2="{x}" y2="{TOP}"/>', _text(x - 14, y + 18, f"{count:,}")]
    for factor in range(math.floor(most) + 1):
        shapes.append(_text(30, at(counts[0], factor)[1] + 4, f"{factor}"))
    ends = sorted((at(counts[-1], factors[-1])[1], name) for name, factors in lines.items())
    labels = {name: max(y, TOP) for y, name in _apart(ends)}
    for name, factors in lines.items():
        points = " ".join("{},{}".format(*at(*point)) for point in zip(counts, factors, strict=True))
        shapes += [
            f'<polyline points="{points}" stroke="{LINES[name][1]}"/>',
            _text(WIDTH - RIGHT + 6, labels[name] + 4, f"{name} ({factors[-1]:.2f})"),
        ]
    inside = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">\n<style>{_STYLE}</style>\n{inside}\n</svg>\n'
    )


def _apart(ends: list[tuple[float, str]], gap: float = 14) -> list[tuple[float, str]]:
    """Move labels down, from the top, so that none covers another."""
    moved: list[tuple[float, str]] = []
    for y, name in ends:
        moved.append((max(y, moved[-1][0] + gap) if moved else y, name))
    return moved


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x}" y="{y}">{text}</text>'
