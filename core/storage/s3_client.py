"""Creates S3 clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from pydantic import BaseModel, SecretStr

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.storage.role import assume
from prefect_omnivideo.core.storage.s3_errors import what_happened

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class S3Options(BaseModel, frozen=True, extra="forbid"):
    """Connection and write options of S3: the fields of the S3 video store block, which describes them."""

    endpoint_url: str | None = None
    region_name: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: SecretStr | None = None
    aws_session_token: SecretStr | None = None
    role_arn: str | None = None
    addressing_style: Literal["auto", "path", "virtual"] = "auto"
    server_side_encryption: Literal["AES256", "aws:kms"] | None = None
    kms_key_id: str | None = None
    storage_class: str | None = None
    request_checksums: Literal["when_supported", "when_required"] = "when_supported"


DEFAULTS = S3Options()


def client(options: S3Options = DEFAULTS) -> S3Client:
    """A boto3 S3 client. Without keys, the default AWS chain finds them: environment, profile, role of the machine.

    Threads may share a client but not a session, so each call creates its own session.

    Raises:
        StoreError: the settings contradict each other.
    """
    if options.endpoint_url:
        parts = urlsplit(options.endpoint_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise StoreError("endpoint_url must be like https://s3.example.com, without user and password")
    if bool(options.aws_access_key_id) != bool(options.aws_secret_access_key):
        raise StoreError("access key and secret belong together: give both, or neither for the default AWS chain")
    try:
        session: Any = boto3.session.Session(
            aws_access_key_id=options.aws_access_key_id,
            aws_secret_access_key=_revealed(options.aws_secret_access_key),
            aws_session_token=_revealed(options.aws_session_token),
            region_name=options.region_name,
        )
        if options.role_arn:
            session = assume(session, options.role_arn)
        made: S3Client = session.client(
            "s3",
            endpoint_url=options.endpoint_url,
            config=Config(
                # Otherwise some regions would get presigned URLs with the old signature.
                signature_version="s3v4",
                retries={"mode": "standard", "total_max_attempts": 5},
                connect_timeout=10,
                read_timeout=60,
                max_pool_connections=32,
                s3={"addressing_style": options.addressing_style},
                request_checksum_calculation=options.request_checksums,
                response_checksum_validation=options.request_checksums,
            ),
        )
        made.meta.events.register("before-send.s3.UploadPart", _at_once)
        return made
    except BotoCoreError as error:
        raise StoreError(f"no S3 client: {what_happened(error)}") from None
    except ValueError:
        raise StoreError(f"no S3 client: boto3 does not accept endpoint_url {options.endpoint_url!r}") from None


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _at_once(request: Any, **_: Any) -> None:
    """Send a part in one write: from a file, `http.client` would send it in 512 pieces.

    A body followed by its checksum (over https) stays a stream.
    """
    if hasattr(request.body, "read") and "Transfer-Encoding" not in request.headers:
        part = request.body
        request.body = part.read()
        part.seek(0)  # a retry reads the file again
