# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of the embedded AWS, answers that it holds back, and what an account is compared by."""

from __future__ import annotations

import os
import threading
import time
import typing as t

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError
from embedded_aws.client import EmbeddedAWS
from support.account import Account, comparable, listing


def groups(aws: EmbeddedAWS) -> list[str]:
    return sorted(group["logGroupName"] for group in aws.client("logs").describe_log_groups()["logGroups"])


def test_each_call_leaves_its_snapshot(aws: EmbeddedAWS) -> None:
    logs = aws.client("logs")
    aws.take_snapshots()
    for name in "abc":
        logs.create_log_group(logGroupName=name)
        logs.describe_log_groups()
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName="a")  # it changes nothing
    snapshots = aws.snapshots()
    logs.create_log_group(logGroupName="d")
    assert [groups(snapshot) for snapshot in snapshots] == [["a"], ["a", "b"], ["a", "b", "c"]]
    assert [str(snapshot) for snapshot in snapshots] == [f"call {n}, logs:CreateLogGroup" for n in (1, 3, 5)]
    assert snapshots[0].holdings() == {**aws.holdings(), "logs.groups": 1} and aws.holdings()["logs.groups"] == 4


def test_a_snapshot_lives_on_by_itself_with_the_log_of_its_past_and_no_faults(aws: EmbeddedAWS) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="a")
    aws.faults({"operation": "DescribeLogGroups", "error": {"code": "Never"}})
    aws.take_snapshots()
    logs.create_log_group(logGroupName="b")
    (snapshot,) = aws.snapshots()
    aws.faults()
    mark = snapshot.mark()
    assert mark == 2
    snapshot.client("logs").delete_log_group(logGroupName="a")
    assert groups(snapshot) == ["b"] and groups(aws) == ["a", "b"]
    assert [call["operation"] for call in snapshot.mutating(mark)] == ["DeleteLogGroup"]
    assert snapshot.snapshots() == []


def test_a_copy_is_taken_at_once_and_is_none_of_those_that_calls_leave(aws: EmbeddedAWS) -> None:
    aws.client("logs").create_log_group(logGroupName="a")
    with aws.copy() as copy:
        assert aws.snapshots() == []
        aws.reset()
        with copy.copy() as second:
            copy.client("logs").create_log_group(logGroupName="b")
            assert (groups(aws), groups(copy), groups(second)) == ([], ["a", "b"], ["a"])
    with pytest.raises((EndpointConnectionError, ConnectionClosedError)):
        groups(copy)


def test_every_so_many_and_from_a_first_one(aws: EmbeddedAWS) -> None:
    aws.take_snapshots(every=3, first=2)
    for name in "abcdefgh":
        aws.client("logs").create_log_group(logGroupName=name)
    assert [len(groups(snapshot)) for snapshot in aws.snapshots()] == [2, 5, 8]


def test_time_stands_still_until_somebody_asks(aws: EmbeddedAWS) -> None:
    aws.creation_seconds(vpclink=1)
    aws.take_snapshots()
    aws.client("apigatewayv2").create_vpc_link(Name="a", SubnetIds=["subnet-1"])
    (snapshot,) = aws.snapshots()

    def status(of: EmbeddedAWS) -> str:
        return of.client("apigatewayv2").get_vpc_links()["Items"][0]["VpcLinkStatus"]

    snapshot.client("apigatewayv2")  # made now: it takes a while
    time.sleep(1.1)
    assert (status(aws), status(snapshot)) == ("AVAILABLE", "PENDING")
    time.sleep(1.1)
    assert status(snapshot) == "AVAILABLE"


@pytest.mark.parametrize("end", ["itself", "others", "all"])
def test_snapshots_end(aws: EmbeddedAWS, end: str) -> None:
    aws.take_snapshots()
    aws.client("logs").create_log_group(logGroupName="a")
    (snapshot,) = aws.snapshots()
    assert groups(snapshot) == ["a"]
    {"itself": snapshot.stop, "others": aws.take_snapshots, "all": aws.reset}[end]()
    with pytest.raises((EndpointConnectionError, ConnectionClosedError)):
        snapshot.client("logs").describe_log_groups()


def test_no_snapshot_outlives_its_server() -> None:
    with EmbeddedAWS() as aws:
        aws.take_snapshots()
        for name in "ab":
            aws.client("logs").create_log_group(logGroupName=name)
        asked, idle = aws.snapshots()
        assert groups(asked) == ["a"]
    deadline = time.monotonic() + 60  # each sees within half a second that its parent is gone, and init takes what is left of it
    while time.monotonic() < deadline and any(os.path.exists(f"/proc/{each._pid}") for each in (asked, idle)):
        time.sleep(0.1)
    for each in (asked, idle):
        with pytest.raises(ProcessLookupError):
            os.kill(each._pid, 0)


def test_an_answer_is_held_back_until_the_rules_are_replaced(aws: EmbeddedAWS) -> None:
    aws.faults({"operation": "CreateLogGroup", "times": 1, "hold": True})
    logs, answered = aws.client("logs"), threading.Event()

    def create() -> None:
        logs.create_log_group(logGroupName="a")
        answered.set()

    thread = threading.Thread(target=create)
    thread.start()
    while not any(call["status"] for call in aws.mutating()):
        time.sleep(0.01)
    assert groups(aws) == ["a"] and not answered.wait(0.2)
    aws.faults()
    thread.join(10)
    assert answered.is_set()


# What accounts are compared by


def network(aws: EmbeddedAWS, *, twin: bool = False, swapped: bool = False, tagged: bool = True, **attributes: t.Any) -> None:
    """A group that others refer to, and an API of that name."""
    ec2, gateway = aws.client("ec2"), aws.client("apigatewayv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    one, two = (ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("one", "two"))
    pair = {"GroupId": two if swapped else one}
    ec2.authorize_security_group_ingress(GroupId=one, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [pair]}])
    for _time in range(2 if twin else 1):
        gateway.create_api(Name="a", ProtocolType="HTTP", Tags={"a": "b"} if tagged else {}, **attributes)
    aws.client("secretsmanager").create_secret(Name="s", SecretString='{"key": "%s"}' % os.urandom(8).hex())


@pytest.fixture
def first(aws: EmbeddedAWS) -> Account:
    """The account with C(network), and a second later it is empty again."""
    network(aws)
    listing(aws)
    aws.reset()  # what moto makes for itself when it is first asked by a service's name is gone
    network(aws)
    account = Account(aws, {})
    time.sleep(1)
    aws.reset()
    return account


def test_accounts_that_differ_in_ids_and_times_only_are_the_same(aws: EmbeddedAWS, first: Account) -> None:
    network(aws)
    assert Account(aws, {}).differences(first) == []


@pytest.mark.parametrize("difference", [{"twin": True}, {"swapped": True}, {"tagged": False}, {"Description": "of another kind"}])
def test_whatever_else_differs_is_seen(aws: EmbeddedAWS, first: Account, difference: dict[str, t.Any]) -> None:
    network(aws, **difference)
    assert Account(aws, {}).differences(first) != []


def test_what_was_there_before_and_is_gone_is_seen(aws: EmbeddedAWS) -> None:
    aws.client("logs").create_log_group(logGroupName="a")
    known = listing(aws)
    aws.client("logs").delete_log_group(logGroupName="a")
    assert comparable(listing(aws), known) == {"log_group a is gone": 1}
