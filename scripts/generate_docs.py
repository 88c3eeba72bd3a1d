# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the table of the inputs into docs/inputs.md, from the argument spec and the defaults of the role mlflow.

With --check, change nothing and fail where the table is not up to date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "inputs.md"
ROLE = ROOT / "roles" / "mlflow"
BEGIN, END = "<!-- inputs: written by scripts/generate_docs.py -->", "<!-- end of inputs -->"


def cell(text: str) -> str:
    """Ansible's markup as Markdown, safe in a table."""
    text = re.sub(r"\b[CVO]\((.*?)\)", r"`\1`", text)
    return text.replace("|", "\\|")


def table() -> str:
    options = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    rows = ["| input | type | default | meaning |", "|---|---|---|---|"]
    for name, option in options.items():
        kind = f"list of {option['elements']}" if option["type"] == "list" else option["type"]
        if option.get("choices"):
            kind = " or ".join(f"`{choice}`" for choice in option["choices"])
        if option.get("required"):
            default = "**required**"
        elif "{{" in str(defaults[name]) or defaults[name] in ("", [], {}):
            default = ""
        else:
            default = f"`{str(defaults[name]).lower() if isinstance(defaults[name], bool) else defaults[name]}`"
        description = option["description"]
        meaning = " ".join(description) if isinstance(description, list) else description
        rows.append(f"| `{name}` | {kind} | {default} | {cell(meaning)} |")
    return "\n".join(rows)


def main() -> int:
    text = PAGE.read_text(encoding="utf-8")
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    new = f"{text[:start]}\n{table()}\n{text[end:]}"
    if "--check" in sys.argv:
        if new != text:
            print("docs/inputs.md: the table of the inputs is not up to date: run scripts/generate_docs.py")
        return int(new != text)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
