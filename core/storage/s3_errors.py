"""Explains S3 errors: what they mean and what to do."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)
from s3transfer.exceptions import RetriesExceededError

from prefect_omnivideo.core.errors import StoreError, StoreUnavailableError

_WRONG_REGION = "the bucket is in another region: correct region_name"
_CHECKSUMS = "this server lacks a feature; if it is the checksums, set them to when_required"

_WHAT_TO_DO = {
    "NoSuchBucket": "there is no such bucket: create it or correct its name",
    "NoSuchKey": "there is no such object",
    "404": "there is no such object or bucket",
    "AccessDenied": "these credentials may not do that: allow them s3:GetObject, s3:PutObject, s3:DeleteObject, "
    "s3:ListBucket, s3:ListBucketMultipartUploads and s3:AbortMultipartUpload",
    "403": "these credentials are wrong or may not do that",
    "InvalidAccessKeyId": "the access key is not known: correct the key or endpoint_url",
    "SignatureDoesNotMatch": "the secret does not belong to the access key: correct it",
    "ExpiredToken": "the credentials have expired: get new ones",
    "InvalidToken": "the session token is not accepted: get a new one",
    "RequestTimeTooSkewed": "the clock of this machine is wrong: set it",
    "PermanentRedirect": _WRONG_REGION,
    "301": _WRONG_REGION,
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "IllegalLocationConstraintException": _WRONG_REGION,
    "NotImplemented": _CHECKSUMS,
    "BadDigest": "the bytes were damaged on the way: run again",
    "XAmzContentSHA256Mismatch": _CHECKSUMS,
    "InvalidDigest": _CHECKSUMS,
    "InvalidStorageClass": "correct the storage class",
    "OperationAborted": "another operation on the bucket is under way: run again",
    "SlowDown": "too many requests: lower the number of transfers, or run again later",
    "ServiceUnavailable": "the server has no capacity: run again later",
    "InternalError": "the server failed: run again later",
}


def store_error(place: str, error: BaseException) -> StoreError:
    """This package's error for one of boto3, with the place, the reason and what to do."""
    kind = StoreUnavailableError if _passes(error) else StoreError
    return kind(f"{place}: {what_happened(error)}")


def code_of(error: ClientError) -> str:
    """The server's error code, such as `NoSuchKey`; the HTTP status if the response had no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_unconditional(error: ClientError) -> bool:
    """Whether a conditional write was refused since the server knows no condition.

    Servers that lack the checksums give the same answer, and most of them name the header it is about.
    """
    said = str(error.response.get("Error", {})).lower()
    about_checksums = any(word in said for word in ("checksum", "trailer", "chunked", "content-sha256"))
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 501 and not about_checksums


def what_happened(error: BaseException) -> str:
    """One sentence with what to do. Never contains a key, a secret, or the address of a proxy."""
    name = type(error).__name__
    if isinstance(error, ClientError):
        code = code_of(error)
        if error.operation_name == "AssumeRole":
            return f"{code}: the role cannot be assumed: correct its ARN, or allow these credentials sts:AssumeRole"
        known = _WHAT_TO_DO.get(code) or error.response.get("Error", {}).get("Message") or "no reason given"
        return f"{code}: {known}"
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return "no complete credentials: give access key and secret, or set up the default AWS chain"
    if isinstance(error, (NoConnectionError, HTTPClientError)):
        return f"the server cannot be reached ({name}): correct endpoint_url, or check the network and run again"
    if isinstance(error, BotoCoreError):
        return f"{name}: {error}"
    return f"{name}: run again"


def _passes(error: BaseException) -> bool:
    """Whether the error may be temporary."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        passing = ("SlowDown", "Throttling", "BadDigest", "OperationAborted")
        return status in (408, 429) or (status >= 500 and status != 501) or code_of(error) in passing
    return isinstance(error, (NoConnectionError, HTTPClientError, RetriesExceededError))
