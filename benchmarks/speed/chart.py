# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of the table: how long each step takes, as a share of Terraform's time. Pure functions."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from speed.report import STEPS, number

WIDTH, LEFT, BAR, RIGHT = 920, 340, 420, 776  # the bars are from LEFT to LEFT + BAR, their figures begin at RIGHT
LINE, THICK, TOP = 22, 14, 64
# REUSE-IgnoreStart
LICENSE = "<!-- SPDX-License-Identifier: GPL-3.0-or-later -->"
# REUSE-IgnoreEnd
STYLE = """
text { font-family: system-ui, sans-serif; font-size: 13px; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; } .note { font-size: 12px; fill: #57606a; }
.theirs { fill: #d0d7de; } .ours { fill: #0969da; } .all { stroke: #57606a; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .note { fill: #9198a1; } .theirs { fill: #3d444d; } .ours { fill: #4493f8; } .all { stroke: #9198a1; }
}
"""


def svg(results: dict[str, Any]) -> str:
    """One bar for each row: grey up to the thin line is Terraform's time, blue ours."""
    rows = sorted((row for row in results["rows"] if row["terraform"]), key=lambda row: (list(STEPS).index(row["step"]), row["latency"]))
    # Where ours takes longer, its bar is the longest and Terraform's is short.
    longest = max([1.0, *(row["ours"]["wall"] / row["terraform"]["wall"] for row in rows)])
    parts, y, last = [], TOP, None
    for row in rows:
        if row["step"] != last:
            y += LINE // 2 if last else 0
            parts.append(_text(16, y + THICK - 2, STEPS[row["step"]]))
        last = row["step"]
        ours, theirs = row["ours"]["wall"], row["terraform"]["wall"]
        parts += [
            _text(LEFT - 8, y + THICK - 2, f"{row['latency']} ms", "note", "end"),
            _bar(y, BAR / longest, "theirs"),
            _bar(y, BAR * ours / theirs / longest, "ours"),
            _tick(y, BAR / longest),
            _text(RIGHT, y + THICK - 2, f"{number(ours, 'wall')} s : {number(theirs, 'wall')} s"),
        ]
        y += LINE
    title = "Time of each step, as a share of Terraform's"
    note = f"blue: this collection; grey: Terraform; at 0 and 100 ms per API call; {results['conditions']['date']}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 12}" role="img" aria-label={quoteattr(title)}>',
            LICENSE,
            f"<style>{STYLE}</style>",
            _text(16, 26, title, "title"),
            _text(16, 46, note, "note"),
            *parts,
            "</svg>\n",
        ]
    )


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _bar(y: int, width: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{THICK}" rx="2"/>'


def _tick(y: int, at: float) -> str:
    return f'<path class="all" d="M{LEFT + at:.1f} {y - 3} V{y + THICK + 3}"/>'
