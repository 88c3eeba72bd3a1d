# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems Manager of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime

from embedded.helpers import has, refused
from embedded_aws.client import EmbeddedAWS


def test_parameters(aws: EmbeddedAWS) -> None:
    """As AWS documents them; moto has no gap here."""
    ssm = aws.client("ssm")
    tag = {"Key": "team", "Value": "x"}
    made = ssm.put_parameter(Name="/a/b/1", Value="one", Type="String", Tier="Standard", Tags=[tag])
    assert (made["Version"], made["Tier"]) == (1, "Standard")
    refused("ParameterAlreadyExists", ssm.put_parameter, Name="/a/b/1", Value="two", Type="String", Tags=[tag])
    refused("ValidationException", ssm.put_parameter, Name="/a/b/1", Value="two", Overwrite=True, Tags=[tag])
    assert ssm.put_parameter(Name="/a/b/1", Value="two", Overwrite=True)["Version"] == 2
    assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/a/b/1")["TagList"] == [tag]
    for name in ("/a/b/c/1", "/a/bb/1"):
        ssm.put_parameter(Name=name, Value="other", Type="String")
    answer = ssm.get_parameters_by_path(Path="/a/b")
    (parameter,) = answer["Parameters"]
    has(parameter, Name="/a/b/1", Value="two", Version=2, Type="String")
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    assert abs(now - parameter["LastModifiedDate"]) < timedelta(minutes=1)
    gone = ssm.delete_parameters(Names=["/a/b/1", "/a/b/2"])
    assert (gone["DeletedParameters"], gone["InvalidParameters"]) == (["/a/b/1"], ["/a/b/2"])
    assert ssm.get_parameters_by_path(Path="/a/b")["Parameters"] == []
