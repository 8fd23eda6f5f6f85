"""Bucket settings that may remove records: a lost record is paid again."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from prefect_omnivideo.core.storage.s3_errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_RECORD = re.compile(r"-[0-9a-f]{16}\.json$")
_PAGES = 20
"""Pages of versions to look through, of a thousand each."""
_NONE = frozenset({"NoSuchLifecycleConfiguration", "404"})


def dangers(client: S3Client, bucket: str, base: str) -> list[str]:
    """Effects of a bucket's settings on objects whose keys begin with `base`, each in one sentence."""
    return [*_lifecycle(client, bucket, base), *_versioning(client, bucket, base)]


def _lifecycle(client: S3Client, bucket: str, base: str) -> list[str]:
    try:
        rules = cast("list[dict[str, Any]]", client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"])
    except ClientError as error:
        if code_of(error) in _NONE:
            return []
        return [f"the lifecycle rules of {bucket} cannot be read ({code_of(error)}): check that none expires records"]
    found: list[str] = []
    for rule in rules:
        given = rule.get("Filter", {})
        both = given.get("And", {})
        prefix = str(given.get("Prefix") or both.get("Prefix") or rule.get("Prefix") or "")
        met = base.startswith(prefix) or prefix.startswith(base)
        if rule.get("Status") != "Enabled" or not met or "Tag" in given or both.get("Tags"):  # records have no tags
            continue
        name = f"lifecycle rule {rule.get('ID', '')!r} of {bucket} (prefix {prefix!r})"
        expiry = rule.get("Expiration", {})
        if "Days" in expiry or "Date" in expiry:
            when = f"after {expiry['Days']} days" if "Days" in expiry else f"on {expiry['Date']:%Y-%m-%d}"
            found.append(f"{name} removes records {when}, and their videos would be paid again")
        if any(
            to == "GLACIER" or "ARCHIVE" in to
            for to in (str(t.get("StorageClass")) for t in rule.get("Transitions", []))
        ):
            found.append(f"{name} moves records into an archive, where they cannot be read")
    return found


def _versioning(client: S3Client, bucket: str, base: str) -> list[str]:
    try:
        if not client.get_bucket_versioning(Bucket=bucket).get("Status"):
            return []
        pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=base)
        hidden = [
            marker.get("Key", "")
            for page in islice(pages, _PAGES)
            for marker in page.get("DeleteMarkers", [])
            if marker.get("IsLatest") and _RECORD.search(marker.get("Key", ""))
        ]
    except ClientError as error:
        return [f"the versions in {bucket} cannot be listed ({code_of(error)}): check that no record was deleted"]
    if not hidden:
        return []
    return [
        f"{len(hidden)} records in {bucket} were deleted, and their videos would be paid again; their versions are "
        f"still there: remove the delete markers to restore them, for example of {hidden[0]}"
    ]
