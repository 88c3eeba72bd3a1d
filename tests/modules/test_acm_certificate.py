# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib

import pytest
from modules.run_module import ModuleFailed, run_module

MODULE = "acm_certificate"
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}


def test_a_certificate_that_stays_pending_says_what_to_do_and_goes_on_later(aws, monkeypatch):
    """The validation records are in a private zone first, which the internet does not see."""
    module = importlib.import_module(f"ansible_collections.mlplatform.mlflow_aws.plugins.modules.{MODULE}")
    monkeypatch.setattr(module.Certificate, "timeout", 0)
    vpc = aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    private, public = (
        aws.client("route53").create_hosted_zone(Name="example.com", CallerReference=str(config), HostedZoneConfig=config, **more)["HostedZone"]["Id"]
        for config, more in (({"PrivateZone": True}, {"VPC": {"VPCRegion": "eu-west-1", "VPCId": vpc}}), ({"PrivateZone": False}, {}))
    )
    given = {"domain_name": "a.example.com", "zone_id": private, "tags": TAGS}
    with pytest.raises(ModuleFailed) as failure:
        run_module(MODULE, given, aws)
    message = str(failure.value)
    assert "PENDING_VALIDATION" in message and private in message and "delegate to its name servers" in message

    made = aws.mark()
    result = run_module(MODULE, {**given, "zone_id": public}, aws)
    assert result["certificate"]["status"] == "ISSUED"
    assert "RequestCertificate" not in [call["operation"] for call in aws.calls(made)]
