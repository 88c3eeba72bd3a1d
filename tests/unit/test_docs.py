# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages for people link to exists, and what they list is all there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/mlplatform/mlflow_aws/"
IN_REPOSITORY = re.compile(re.escape(REPOSITORY) + r"(?:blob|tree)/main/([^\s)\"'>]+)")
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "roles").glob("*/README.md")), ROOT / "tests/embedded_aws/README.md"]
LINKS = DOCS / "docsite" / "links.yml"


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^\s)]+)\)", page.read_text(encoding="utf-8"))


def broken(page: Path) -> list[str]:
    """The links of a page to files and headings of this repository that do not exist."""
    found = []
    for link in links(page):
        if inside := IN_REPOSITORY.fullmatch(link):
            target, base = inside[1], ROOT
        elif ":" in link:
            continue
        else:
            target, base = link, page.parent
        name, _hash, anchor = target.partition("#")
        file = base / name if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert not broken(page)


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    wrong = ["missing.md", "#no-such-heading", f"{REPOSITORY}blob/main/docs/missing.md", f"{REPOSITORY}blob/main/docs/restore.md#missing"]
    right = ["#a-heading-that-is-there", "page.md", f"{REPOSITORY}blob/main/docs/restore.md#4-go-back", "https://example.com/missing"]
    page.write_text("# A heading, that `is` there\n" + "".join(f"[x]({link})\n" for link in (*wrong, *right)), encoding="utf-8")
    assert broken(page) == wrong


def test_the_readme_links_by_whole_addresses() -> None:
    """Galaxy shows the README alone."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert not [link for link in re.findall(r"\]\(([^\s)]+)\)", text) if not link.startswith("https://")]


def test_every_page_is_found_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if f"{REPOSITORY}blob/main/docs/{page.name})" not in readme] == []


def test_every_design_page_is_found_from_that_of_developers() -> None:
    assert [page.name for page in (DOCS / "design").glob("*.md") if f"docs/design/{page.name}" not in links(ROOT / "DEVELOPERS.md")] == []


def test_the_docs_site_links_to_what_there_is() -> None:
    inside = IN_REPOSITORY.findall(LINKS.read_text(encoding="utf-8"))
    assert inside and all((ROOT / path).exists() for path in inside)


def test_messages_name_pages_that_there_are() -> None:
    named = {
        name
        for folder in ("plugins", "roles", "playbooks")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in (".py", ".yml")
        for name in re.findall(r"\bdocs/[\w-]+\.(?:md|json)\b", file.read_text(encoding="utf-8"))
    }
    assert named and all((ROOT / name).exists() for name in named)


def test_the_table_of_the_inputs_is_up_to_date() -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "generate_docs.py", "--check"], check=True)


def test_every_output_is_documented() -> None:
    outputs = yaml.safe_load((ROOT / "roles/mlflow/vars/main/outputs.yml").read_text(encoding="utf-8"))["__mlflow_outputs"]
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "outputs.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(outputs)


def test_the_oldest_boto3_is_told_as_it_is_required() -> None:
    """scripts/oldest_boto3 installs what meta/ee-requirements.txt asks for, and the tests of `site` run with it."""
    required = (ROOT / "meta" / "ee-requirements.txt").read_text(encoding="utf-8").split()
    fragment = (ROOT / "plugins" / "doc_fragments" / "attributes.py").read_text(encoding="utf-8")
    assert re.findall(r"^  - (boto.*)$", fragment, re.MULTILINE) == [line.replace(">=", " >= ") for line in required]
    oldest = required[0].removeprefix("boto3>=")
    assert re.findall(r"boto3 ([\d.]+) or newer", (ROOT / "README.md").read_text(encoding="utf-8")) == [oldest.removesuffix(".0")]


def test_the_execution_environment_is_in_step_with_what_is_required() -> None:
    """What ansible-builder reads in the collection, and the example that installs it: the files that it names, a core and a Python that are
    supported, and this collection's own releases. boto3 and botocore are what the modules need; amazon.aws comes with the collection.
    """
    definition = yaml.safe_load((ROOT / "meta" / "execution-environment.yml").read_text(encoding="utf-8"))
    files = definition["dependencies"]
    assert (definition["version"], files) == (3, {"python": "meta/ee-requirements.txt", "system": "meta/ee-bindep.txt"})
    assert all((ROOT / file).is_file() for file in files.values())
    required = (ROOT / files["python"]).read_text(encoding="utf-8").split()
    assert [re.split("[>=]", line)[0] for line in required] == ["boto3", "botocore"]
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"]
    assert "meta" not in ignored and "docs" not in ignored  # the tarball has them

    example = yaml.safe_load((ROOT / "examples" / "execution-environment.yml").read_text(encoding="utf-8"))["dependencies"]
    core = re.fullmatch(r"ansible-core>=([\d.]+),<([\d.]+)", example["ansible_core"]["package_pip"])
    assert core and (ROOT / "requirements" / f"core-{core[1]}.txt").exists()
    major, minor = map(int, core[1].split("."))
    assert core[2] == f"{major}.{minor + 1}"
    python = example["python_interpreter"]["package_system"]
    assert example["python_interpreter"]["python_path"] == f"/usr/bin/{python}"
    assert int(python.removeprefix("python3.")) in {20: range(12, 15), 21: range(12, 15), 22: range(13, 15), 19: range(11, 14)}[minor]
    (collection,) = example["galaxy"]["collections"]
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"].split(".")
    assert collection == {"name": "mlplatform.mlflow_aws", "version": f">={version[0]}.0.0,<{int(version[0]) + 1}.0.0"}


def texts(node: object) -> list[object]:
    """The lines of all descriptions in the documentation of a plugin."""
    if isinstance(node, list):
        return [text for item in node for text in texts(item)]
    if isinstance(node, dict):
        own = node.get("description", [])
        inside = [text for key, value in node.items() if key != "description" or isinstance(value, dict) for text in texts(value)]
        return inside + ([] if isinstance(own, dict) else own if isinstance(own, list) else [own])
    return []


@pytest.mark.parametrize("module", sorted((ROOT / "plugins" / "modules").glob("*.py")), ids=lambda path: path.stem)
def test_the_documentation_of_a_module_is_text(module: Path) -> None:
    """A colon in an unquoted line would make it a mapping; antsibull-docs says so too, but not within seconds."""
    source = module.read_text(encoding="utf-8")
    documentation = re.search(r'^DOCUMENTATION = r"""(.*?)^"""', source, re.MULTILINE | re.DOTALL)
    returned = re.search(r'^RETURN = r"""(.*?)^"""', source, re.MULTILINE | re.DOTALL)
    assert documentation
    lines = [text for block in (documentation, returned) if block for text in texts(yaml.safe_load(block[1]))]
    assert [line for line in lines if not isinstance(line, str)] == []


def task_names() -> set[str]:
    files = [*(ROOT / "roles").rglob("tasks/*.yml"), *(ROOT / "playbooks").rglob("*.yml")]
    return {name for file in files for name in re.findall(r"^\s*- name: (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)}


def test_the_page_on_restores_names_tasks_that_there_are() -> None:
    page = (DOCS / "restore.md").read_text(encoding="utf-8")
    table = page[page.index("| step | task in the output |") :].partition("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`([A-Z][^`]+)`", row.split(" | ")[1])}
    named |= set(re.findall(r"\*([A-Z][a-z ]+)\*", page[page.index("## 3. Restore") : page.index("## 4. Go back")]))
    assert len(named) >= 6 and named - task_names() == set()
