# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: whether the subnets can hold the stack."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._preflight.base import Check, Checks, Problems


class Network(Checks):
    def checks(self) -> list[Check]:
        return [
            (self.subnets, (), ("mlflow_vpc_id",)),
            (self.way_out, (), ("mlflow_vpc_id", "mlflow_load_balancer_subnet_ids")),
        ]

    def subnets(self) -> Problems:
        names = [f"mlflow_{of}_subnet_ids" for of in ("load_balancer", "service", "database")]
        wanted = sorted({subnet for name in names for subnet in self.inputs.get(name) or []})
        filters = [{"Name": "subnet-id", "Values": wanted}]
        known = {s["SubnetId"]: s for s in self.aws.pages("ec2", "describe_subnets", "Subnets", Filters=filters)}
        vpc = self.inputs["mlflow_vpc_id"]
        for name in names:
            ids = self.inputs.get(name) or []
            missing = [i for i in ids if i not in known]
            elsewhere = [i for i in ids if i in known and known[i]["VpcId"] != vpc]
            if missing:
                yield self.problem(name, f"{', '.join(missing)} not found in {self.aws.region}: give subnets of mlflow_vpc_id {vpc}")
            if elsewhere:
                yield self.problem(name, f"{', '.join(elsewhere)} not in mlflow_vpc_id {vpc}: give subnets of this VPC")
            zones = {known[i]["AvailabilityZone"] for i in ids if i in known}
            if ids and not missing and len(zones) < 2:
                yield self.problem(name, f"all lie in the zone {', '.join(zones)}: give subnets in two availability zones or more")
            elif not missing and len(zones) < len(ids) and name == "mlflow_load_balancer_subnet_ids":
                yield self.problem(name, "two of them lie in one availability zone: a load balancer takes one subnet in each zone")

    def way_out(self) -> Problems:
        """Only warns: an internal load balancer may reach the identity provider by ways that route tables do not show."""
        vpc = [{"Name": "vpc-id", "Values": [self.inputs["mlflow_vpc_id"]]}]
        tables = self.aws.pages("ec2", "describe_route_tables", "RouteTables", Filters=vpc)
        of_subnet = {a["SubnetId"]: table for table in tables for a in table["Associations"] if "SubnetId" in a}
        main = next((table for table in tables if any(a.get("Main") for a in table["Associations"])), None)
        for subnet in self.inputs["mlflow_load_balancer_subnet_ids"]:
            table = of_subnet.get(subnet, main)
            routes = [r for r in table["Routes"] if r.get("State") != "blackhole"] if table else []
            if table and not any(r.get("DestinationCidrBlock") == "0.0.0.0/0" for r in routes):
                self.aws.module.warn(
                    f"mlflow_load_balancer_subnet_ids: {subnet} has no route to the internet; the load balancer has to reach "
                    "the identity provider on port 443, or nobody can sign in"
                )
        yield from ()
