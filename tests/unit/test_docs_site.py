# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links of the docs site that `make docs` builds: to its own pages, to files on GitHub, and to Ansible's documentation."""

from __future__ import annotations

import importlib.util
import typing as t
from pathlib import Path

import pytest

CONF = Path(__file__).parents[2] / "docs" / "docsite" / "conf.py"
PAGES = {"index.md", "SECURITY.md", "docs/restore.md", "docs/design/plans.md", "roles/ecs/README.md"}
GITHUB = "https://github.com/mlplatform/mlflow_aws"


@pytest.fixture(scope="module")
def conf() -> t.Any:
    spec = importlib.util.spec_from_file_location("docs_conf", CONF)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "page, link, expected",
    [
        ("index.md", f"{GITHUB}/blob/main/docs/restore.md", "docs/restore.md"),
        ("index.md", f"{GITHUB}/blob/main/docs/restore.md#4-go-back", "docs/restore.md#4-go-back"),
        ("index.md", f"{GITHUB}/tree/main/tests/embedded_aws", f"{GITHUB}/tree/main/tests/embedded_aws"),
        ("docs/restore.md", f"{GITHUB}/blob/main/README.md", "../index.md"),
        ("docs/restore.md", "iam-policy-network.json", f"{GITHUB}/blob/main/docs/iam-policy-network.json"),
        ("docs/restore.md", "../roles/ecs/README.md#iam", "../roles/ecs/README.md#iam"),
        ("docs/design/plans.md", "../restore.md", "../restore.md"),
        ("docs/design/plans.md", "../../SECURITY.md", "../../SECURITY.md"),
        ("docs/design/plans.md", "../../scripts/bench.py", f"{GITHUB}/blob/main/scripts/bench.py"),
        ("docs/restore.md", "#a-heading", "#a-heading"),
        ("docs/restore.md", "https://example.com/docs/restore.md", "https://example.com/docs/restore.md"),
    ],
)
def test_a_link_leads_to_the_page_or_the_file(conf: t.Any, page: str, link: str, expected: str) -> None:
    assert conf.with_site_links(f"See [it [here]]({link}), too.", page, PAGES) == f"See [it [here]]({expected}), too."


def test_pictures_stay_where_they_are(conf: t.Any) -> None:
    assert conf.with_site_links("![A picture](docs/architecture.svg)", "index.md", PAGES) == "![A picture](docs/architecture.svg)"


@pytest.mark.parametrize(
    "label, page",
    [
        ("ansible_collections.amazon.aws.ec2_vpc_net_module", "collections/amazon/aws/ec2_vpc_net_module.html"),
        ("ansible_collections.amazon.aws.ec2_vpc_net_module__parameter-tags", "collections/amazon/aws/ec2_vpc_net_module.html"),
        ("common_return_values", "reference_appendices/common_return_values.html"),
        ("ansible_collections.mlplatform.mlflow_aws.no_such_module", None),
        ("no-such-label", None),
    ],
)
def test_what_is_not_ours_is_in_the_documentation_of_ansible(conf: t.Any, label: str, page: str | None) -> None:
    link = conf.link_to_ansible(None, None, {"reftarget": label}, conf.nodes.inline())
    assert (link and link["refuri"]) == (page and f"https://docs.ansible.com/projects/ansible/latest/{page}")
