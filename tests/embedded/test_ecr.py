# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ECR of the embedded AWS behaves as AWS documents: Amazon ECR API Reference, the errors of each operation."""

from __future__ import annotations

import hashlib
import json

from embedded.helpers import refused
from embedded_aws.client import EmbeddedAWS

WHERE = {"repositoryName": "mlflow"}
KIND = "application/vnd.oci.image.manifest.v1+json"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def upload(aws: EmbeddedAWS, *parts: bytes) -> dict[str, str]:
    ecr, first = aws.client("ecr"), 0
    layer = {**WHERE, "uploadId": ecr.initiate_layer_upload(**WHERE)["uploadId"]}
    for part in parts:
        ecr.upload_layer_part(**layer, partFirstByte=first, partLastByte=first + len(part) - 1, layerPartBlob=part)
        first += len(part)
    return layer


def test_a_layer_is_what_its_digest_says_and_there_once(aws: EmbeddedAWS) -> None:
    ecr = aws.client("ecr")
    ecr.create_repository(**WHERE)
    refused("EmptyUploadException", ecr.complete_layer_upload, **upload(aws), layerDigests=[digest(b"")])
    refused("InvalidLayerException", ecr.complete_layer_upload, **upload(aws, b"layer"), layerDigests=[digest(b"other")])
    assert ecr.complete_layer_upload(**upload(aws, b"layer"), layerDigests=[digest(b"layer")])["layerDigest"] == digest(b"layer")
    refused("LayerAlreadyExistsException", ecr.complete_layer_upload, **upload(aws, b"layer"), layerDigests=[digest(b"layer")])


def test_parts_but_the_last_have_at_least_5_mib(aws: EmbeddedAWS) -> None:
    ecr, large = aws.client("ecr"), bytes(5 * 1024 * 1024)
    ecr.create_repository(**WHERE)
    ecr.complete_layer_upload(**upload(aws, large, b"end"), layerDigests=[digest(large + b"end")])
    layer = upload(aws, b"small")
    refused("LayerPartTooSmallException", ecr.upload_layer_part, **layer, partFirstByte=5, partLastByte=7, layerPartBlob=b"end")


def test_an_image_has_its_layers_and_the_digest_of_its_manifest(aws: EmbeddedAWS) -> None:
    ecr = aws.client("ecr")
    ecr.create_repository(**WHERE, imageTagMutability="IMMUTABLE")
    ecr.complete_layer_upload(**upload(aws, b"layer"), layerDigests=[digest(b"layer")])

    def manifest(layer: bytes, **more: str) -> dict[str, str]:
        return {**WHERE, "imageManifest": json.dumps({"layers": [{"digest": digest(layer)}], **more}), "imageManifestMediaType": KIND}

    image = manifest(b"layer")
    refused("LayersNotFoundException", ecr.put_image, **manifest(b"another"), imageTag="t")
    refused("ImageDigestDoesNotMatchException", ecr.put_image, **image, imageTag="t", imageDigest=digest(b"another"))
    found = ecr.put_image(**image, imageTag="t")["image"]["imageId"]["imageDigest"]
    assert found == digest(image["imageManifest"].encode())
    refused("ImageAlreadyExistsException", ecr.put_image, **image, imageTag="t")
    refused("ImageTagAlreadyExistsException", ecr.put_image, **manifest(b"layer", note="another"), imageTag="t")
    refused("ImageNotFoundException", ecr.describe_images, **WHERE, imageIds=[{"imageTag": "u"}])


SECRET = '{"username": "ci", "accessToken": "t"}'
"""User guide of ECR, "Storing your upstream repository credentials": also that its key is aws/secretsmanager."""


def test_a_rule_takes_known_registries_and_a_secret_that_ecr_can_read(aws: EmbeddedAWS) -> None:
    ecr, secrets = aws.client("ecr"), aws.client("secretsmanager")
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    arn = secrets.create_secret(Name="ecr-pullthroughcache/x", SecretString=SECRET)["ARN"]
    under_key = secrets.create_secret(Name="ecr-pullthroughcache/y", SecretString=SECRET, KmsKeyId=key)["ARN"]
    rule = {"ecrRepositoryPrefix": "team-x", "upstreamRegistryUrl": "ghcr.io", "upstreamRegistry": "github-container-registry", "credentialArn": arn}
    refused("SecretNotFoundException", ecr.create_pull_through_cache_rule, **{**rule, "credentialArn": f"{arn[:-6]}AbCdEf"})
    refused("UnableToDecryptSecretValueException", ecr.create_pull_through_cache_rule, **{**rule, "credentialArn": under_key})
    refused("UnsupportedUpstreamRegistryException", ecr.create_pull_through_cache_rule, **{**rule, "upstreamRegistryUrl": "registry.example.com"})
    refused("PullThroughCacheRuleNotFoundException", ecr.describe_pull_through_cache_rules, ecrRepositoryPrefixes=["team-x"])
    refused("PullThroughCacheRuleNotFoundException", ecr.update_pull_through_cache_rule, ecrRepositoryPrefix="team-x", credentialArn=arn)
    refused("PullThroughCacheRuleNotFoundException", ecr.delete_pull_through_cache_rule, ecrRepositoryPrefix="team-x")
    ecr.create_pull_through_cache_rule(**rule)
    refused("PullThroughCacheRuleAlreadyExistsException", ecr.create_pull_through_cache_rule, **rule)
    (listed,) = ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["team-x"])["pullThroughCacheRules"]
    assert rule.items() <= listed.items()


def test_an_image_of_a_rule_is_brought_by_its_tag_and_listed_later(aws: EmbeddedAWS) -> None:
    """containers-roadmap #2837: nothing is brought by a digest."""
    ecr, where = aws.client("ecr"), {"repositoryName": "team-x/mlflow"}
    arn = aws.client("secretsmanager").create_secret(Name="ecr-pullthroughcache/x", SecretString=SECRET)["ARN"]
    rule = {"upstreamRegistryUrl": "ghcr.io", "upstreamRegistry": "github-container-registry", "credentialArn": arn}
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="team-x", **rule)
    ecr.create_repository(**where)
    by_digest = ecr.batch_get_image(**where, imageIds=[{"imageDigest": digest(b"x")}])
    assert [failure["failureCode"] for failure in by_digest["failures"]] == ["ImageNotFound"]
    (image,) = ecr.batch_get_image(**where, imageIds=[{"imageTag": "v1"}])["images"]
    refused("ImageNotFoundException", ecr.describe_images, **where, imageIds=[{"imageTag": "v1"}])
    (listed,) = ecr.describe_images(**where, imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert listed["imageDigest"] == image["imageId"]["imageDigest"]
