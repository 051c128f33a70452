"""Bar charts as SVG, drawn by hand: a few bars need no library."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from harness.figures import shown

WIDTH, ROW, HEAD, LEFT, RIGHT = 760, 26, 34, 330, 120

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .note { fill: #57606a }
  .folkmoot { fill: #1f6feb } .limit { fill: #afb8c1 } .peer { fill: #d4a72c }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #8b949e } .limit { fill: #6e7681 } .peer { fill: #9e6a03 }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One bar; `kind` is `folkmoot`, `limit` or `peer`."""

    label: str
    value: float
    unit: str
    kind: str


@dataclass(frozen=True)
class Chart:
    """Bars of one unit under one heading."""

    title: str
    bars: Sequence[Bar]

    @property
    def note(self) -> str:
        return "longer is faster" if self.bars[0].unit.endswith("/s") else "shorter is better"


def svg(charts: Sequence[Chart]) -> str:
    """All charts of a picture, one below the other."""
    parts, top = [], 0
    for chart in charts:
        parts.append(_chart(chart, top))
        top += HEAD + ROW * len(chart.bars) + 12
    names = "; ".join(chart.title for chart in charts)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    )
    head += f' role="img">\n<title>{escape(names)}</title>\n<style>{STYLE}</style>\n'
    return head + "".join(parts) + "</svg>\n"


def _chart(chart: Chart, top: int) -> str:
    title = f'<text class="title" x="0" y="{top + 20}">{escape(chart.title)}'
    lines = [f'{title} <tspan class="note">({chart.note})</tspan></text>\n']
    longest = max(bar.value for bar in chart.bars)
    for number, bar in enumerate(chart.bars):
        y = top + HEAD + number * ROW
        width = max(1.0, (WIDTH - LEFT - RIGHT) * bar.value / longest)
        lines.append(f'<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(bar.label)}</text>\n')
        lines.append(
            f'<rect class="{bar.kind}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{ROW - 6}" rx="2"/>\n'
        )
        value = escape(shown(bar.value, bar.unit))
        lines.append(f'<text class="note" x="{LEFT + width + 8:.1f}" y="{y + 15}">{value}</text>\n')
    return "".join(lines)
