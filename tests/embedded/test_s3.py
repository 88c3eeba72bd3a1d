# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from embedded.helpers import refused
from embedded_aws.client import DIRECT, REGION, EmbeddedAWS


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


def ask(url: str, method: str, origin: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer to a page's request."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, body, {"Origin": origin, **named}, method=method)
    try:
        with DIRECT.open(request, timeout=10) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers)


def test_pages_of_other_origins_get_what_a_cors_rule_allows(aws: EmbeddedAWS) -> None:
    """S3 User Guide, "How does Amazon S3 evaluate the CORS configuration on a bucket?" """
    s3, ui = aws.client("s3"), "https://ui.example.com"
    s3.create_bucket(Bucket="bbb", CreateBucketConfiguration={"LocationConstraint": REGION})
    refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket="bbb")
    put = s3.generate_presigned_url("put_object", Params={"Bucket": "bbb", "Key": "a b#1.txt"})
    preflight = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "content-type"}
    assert ask(put, "OPTIONS", ui, **preflight)[0] == 403
    rule = {"ID": "ui", "AllowedOrigins": [ui], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}
    s3.put_bucket_cors(Bucket="bbb", CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_bucket_cors(Bucket="bbb")["CORSRules"] == [rule]
    status, headers = ask(put, "OPTIONS", ui, **preflight)
    assert (status, headers["Access-Control-Allow-Origin"], headers["Access-Control-Allow-Headers"]) == (200, ui, "content-type")
    status, headers = ask(put, "PUT", ui, b"x", Content_Type="text/plain")
    assert (status, headers["Access-Control-Expose-Headers"]) == (200, "ETag") and headers["ETag"]
    get = s3.generate_presigned_url("get_object", Params={"Bucket": "bbb", "Key": "a b#1.txt"})
    assert ask(get, "GET", ui)[1]["Access-Control-Allow-Origin"] == ui
    assert ask(put, "OPTIONS", "https://other.example.com", **preflight)[0] == 403
    status, headers = ask(get, "GET", "https://other.example.com")
    assert (status, headers.get("Access-Control-Allow-Origin")) == (200, None)
    s3.delete_bucket_cors(Bucket="bbb")
    refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket="bbb")
