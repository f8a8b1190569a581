"""Draws what RESULTS.md tells of growth: CPU of a read and of a list by the number of vehicles, as one SVG.

`python -m benchmarks` draws it anew whenever it has measured; docs/performance.md shows it.
"""

import math
import re
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 320, 60, 50, 20
COLOURS = {"read": "#1f77b4", "list": "#d62728"}
_ROW = re.compile(r"^ *(\d+) +\d+ +\d+ +[\d.]+ +[\d.]+ +[\d.]+ +([\d.]+)$", re.MULTILINE)
_STYLE = "text{font:12px sans-serif;fill:#444}line{stroke:#bbb}polyline{fill:none;stroke-width:2}"


def draw(results: str, picture: Path) -> None:
    """Draw the parts that the page of results has."""
    parts = {name: _points(results, name) for name in COLOURS}
    drawn = {name: points for name, points in parts.items() if len(points) > 1}
    if drawn:
        picture.write_text(_svg(drawn), "utf-8")


def _points(results: str, name: str) -> list[tuple[int, float]]:
    """How many vehicles, and what an answer cost then, in microseconds of CPU."""
    part = results.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    return [(int(count), float(cost)) for count, cost in _ROW.findall(part)]


def _svg(drawn: dict[str, list[tuple[int, float]]]) -> str:
    every = [point for points in drawn.values() for point in points]
    most = max(cost for _, cost in every) * 1.1
    first, last = (math.log10(each(count for count, _ in every)) for each in (min, max))

    def at(count: int, cost: float) -> tuple[float, float]:
        x = LEFT + (math.log10(count) - first) / (last - first) * (WIDTH - LEFT - 80)
        return round(x, 1), round(HEIGHT - BOTTOM - cost / most * (HEIGHT - BOTTOM - TOP), 1)

    shapes = [_text(LEFT, HEIGHT - 10, "vehicles (logarithmic)"), _text(LEFT, TOP - 6, "µs of CPU for each answer")]
    for count in sorted({count for count, _ in every}):
        x, y = at(count, 0)
        shapes += [f'<line x1="{x}" y1="{y}" x2="{x}" y2="{TOP}"/>', _text(x - 14, y + 18, f"{count:,}")]
    for share in (0.0, 0.5, 1.0):
        _, y = at(10 ** round(first), most * share)
        shapes += [f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - 80}" y2="{y}"/>', _text(16, y + 4, f"{most * share:.0f}")]
    for name, points in drawn.items():
        line = " ".join("{},{}".format(*at(*point)) for point in points)
        shapes += [f'<polyline points="{line}" stroke="{COLOURS[name]}"/>', _text(*_beside(at(*points[-1])), name)]
    inside = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">\n<style>{_STYLE}</style>\n{inside}\n</svg>\n'
    )


def _beside(place: tuple[float, float]) -> tuple[float, float]:
    return place[0] + 6, place[1] + 4


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x}" y="{y}">{text}</text>'
