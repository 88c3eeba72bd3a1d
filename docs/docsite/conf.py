# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for `make docs`, which scripts/docs_site.py runs over a copy of the repository."""

from __future__ import annotations

import posixpath
import re
import typing as t

from docutils import nodes

REPOSITORY = "https://github.com/mlplatform/mlflow_aws"
ANSIBLE = "https://docs.ansible.com/projects/ansible/latest"
ANSIBLE_PAGES = {  # what pages that antsibull-docs writes refer to
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}

project = "mlplatform.mlflow_aws"
copyright = "mlplatform contributors"
author = "mlplatform contributors"

extensions = ["myst_parser", "sphinx_antsibull_ext"]
include_patterns = ["index.md", "collection/*.rst", "docs/*.md", "docs/design/*.md", "roles/*/README.md", "*.md"]
exclude_patterns = ["README.md"]  # it is the text of index.md
nitpicky = True
myst_heading_anchors = 4  # the anchors that GitHub gives to headings

html_theme = "alabaster"
html_theme_options = {
    "description": "MLflow on AWS, by Ansible",
    "page_width": "75em",
    "body_max_width": "none",
    "sidebar_width": "18em",
    "font_family": "sans-serif",
    "head_font_family": "sans-serif",
    "show_powered_by": "false",
}
html_static_path = ["static"]
html_copy_source = False
html_use_index = False
pygments_style = "ansible"
highlight_language = "YAML+Jinja"

LINK = re.compile(r"(?<!!)(\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^\s()]+)\)")
IN_REPOSITORY = re.compile(re.escape(REPOSITORY) + r"/(?:blob|tree)/main/(.+)")
LABEL = re.compile(r"ansible_collections\.(?!mlplatform\.)(\w+)\.(\w+)\.(\w+_[a-z]+)(?:__.*)?")


def with_site_links(text: str, page: str, pages: t.Collection[str]) -> str:
    """The text of a page whose links into the repository lead to the page of this site, or else to the file on GitHub."""

    def site_link(match: re.Match[str]) -> str:
        words, target = match.groups()
        inside = IN_REPOSITORY.fullmatch(target)
        if target.startswith("#") or (":" in target and not inside):
            return match[0]
        path, mark, anchor = (inside[1] if inside else posixpath.normpath(posixpath.join(posixpath.dirname(page), target))).partition("#")
        path = "index.md" if path == "README.md" else path
        if path in pages:
            return f"{words}({posixpath.relpath(path, posixpath.dirname(page) or '.')}{mark}{anchor})"
        return match[0] if inside else f"{words}({REPOSITORY}/blob/main/{path}{mark}{anchor})"

    return LINK.sub(site_link, text)


def rewrite_links(app: t.Any, docname: str, source: list[str]) -> None:
    """Handler of `source-read`."""
    page = app.env.doc2path(docname, base=False).as_posix()
    if page.endswith(".md"):
        source[0] = with_site_links(source[0], page, {app.env.doc2path(name, base=False).as_posix() for name in app.env.found_docs})


def link_to_ansible(app: t.Any, env: t.Any, node: t.Any, content: nodes.Element) -> nodes.reference | None:
    """Handler of `missing-reference`: what is not ours is on docs.ansible.com, whose inventory a build without a network cannot read."""
    label = node["reftarget"]
    page = ANSIBLE_PAGES.get(label)
    if found := LABEL.fullmatch(label):
        page = "collections/{}/{}/{}.html".format(*found.groups())
    return nodes.reference("", "", content, internal=False, refuri=f"{ANSIBLE}/{page}") if page else None


def setup(app: t.Any) -> None:
    app.connect("source-read", rewrite_links)
    app.connect("missing-reference", link_to_ansible)
