# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from embedded.helpers import refused
from embedded_aws.client import REGION, EmbeddedAWS


def test_new_buckets(aws: EmbeddedAWS) -> None:
    s3, tags = aws.client("s3"), [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    s3.create_bucket(Bucket="bbb", CreateBucketConfiguration={"LocationConstraint": REGION, "Tags": tags})
    assert s3.get_bucket_tagging(Bucket="bbb")["TagSet"] == tags
    with pytest.raises(ClientError, match="UnsupportedArgument"):
        aws.client("s3", "us-gov-west-1").create_bucket(Bucket="ccc", CreateBucketConfiguration={"LocationConstraint": "us-gov-west-1", "Tags": tags})

    def encryption() -> list[dict[str, Any]]:
        return s3.get_bucket_encryption(Bucket="bbb")["ServerSideEncryptionConfiguration"]["Rules"]

    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
    assert encryption() == [default]
    assert set(s3.get_public_access_block(Bucket="bbb")["PublicAccessBlockConfiguration"].values()) == {True}
    (ownership,) = s3.get_bucket_ownership_controls(Bucket="bbb")["OwnershipControls"]["Rules"]
    assert ownership == {"ObjectOwnership": "BucketOwnerEnforced"}
    s3.put_bucket_encryption(
        Bucket="bbb",
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}]},
    )
    assert encryption() != [default]
    s3.delete_bucket_encryption(Bucket="bbb")
    assert encryption() == [default]
    s3.put_object(Bucket="bbb", Key="k", Body=b"x")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket="bbb")


def test_a_bucket_says_where_it_is(aws: EmbeddedAWS) -> None:
    """botocore follows a 301 to the bucket's region, and its client remembers where a bucket of that name was."""
    aws.client("s3", "eu-west-2").create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    mark = aws.mark()
    assert aws.client("s3").head_bucket(Bucket="elsewhere")["BucketRegion"] == "eu-west-2"
    assert [call["status"] for call in aws.calls(mark)] == [301, 200]
    with pytest.raises(ClientError) as error:
        aws.client("s3", "eu-west-2").head_bucket(Bucket="elsewhere", ExpectedBucketOwner="210987654321")
    answer = error.value.response["ResponseMetadata"]
    assert (answer["HTTPStatusCode"], answer["HTTPHeaders"]["x-amz-bucket-region"]) == (403, "eu-west-2")
