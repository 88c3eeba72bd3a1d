# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from modules.run_module import run_module
from stack import prerequisites


def warnings(aws, inputs):
    names = ("mlflow_vpc_id", "mlflow_load_balancer_subnet_ids")
    return str(run_module("preflight", {"inputs": {name: inputs[name] for name in names}}, aws).get("warnings", []))


def test_subnets_of_the_load_balancer_that_lead_nowhere_are_warned_of(aws):
    inputs, ec2 = prerequisites(aws), aws.client("ec2")
    vpc, subnet = inputs["mlflow_vpc_id"], inputs["mlflow_load_balancer_subnet_ids"][0]
    assert "no route to the internet" not in warnings(aws, inputs)

    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    assert warnings(aws, inputs).count("no route to the internet") == 1 and subnet in warnings(aws, inputs)

    main = next(t["RouteTableId"] for t in ec2.describe_route_tables()["RouteTables"]
                if t["VpcId"] == vpc and any(a.get("Main") for a in t["Associations"]))  # fmt: skip
    ec2.delete_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0")
    assert warnings(aws, inputs).count("no route to the internet") == 3
