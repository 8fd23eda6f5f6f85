"""A bucket on S3, or on an S3-compatible server, as a store."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.exceptions import RetriesExceededError
from typing_extensions import override

from prefect_omnivideo.core.errors import RecordConflictError, StoreError
from prefect_omnivideo.core.storage.base import (
    ADVICE,
    JSON,
    LEFTOVER_AGE,
    ETag,
    ObjectStore,
    checked_name,
    checked_prefix,
)
from prefect_omnivideo.core.storage.ranged import RangedFile
from prefect_omnivideo.core.storage.s3_client import DEFAULTS, S3Options, client
from prefect_omnivideo.core.storage.s3_dangers import dangers
from prefect_omnivideo.core.storage.s3_errors import code_of, is_unconditional, store_error

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

__all__ = ["Bucket", "S3Options", "client"]

_PART = 5 * 1024 * 1024
"""The smallest that S3 takes. Each transfer holds one: of 8 MiB, 50 clips of 9 MB took 70 MB more memory."""
# Measured: constant memory for a stream that cannot seek. With threads, boto would hold ten parts at a time; each
# transfer has its own thread already.
_TRANSFER = TransferConfig(
    multipart_threshold=_PART, multipart_chunksize=_PART, use_threads=False, preferred_transfer_client="classic"
)
_COPIED = 256 * 1024 * 1024
# The server copies by itself, at most 5 GB in one request; smaller parts, as it answers only when one is copied.
_COPY = TransferConfig(multipart_threshold=_COPIED, multipart_chunksize=_COPIED, preferred_transfer_client="classic")
_BUFFER = 256 * 1024
_READ_AHEAD = 1024 * 1024
_LONGEST_LINK = 7 * 24 * 3600
_LONGEST_KEY = 1024
_WRITER = "writer"
_STREAMED = re.compile(r"[0-9a-f]{12}(-\d+)?\.\w+$")
"""Keys of videos, their copies and staged references: unfinished uploads of other programs must not be aborted."""

_CONFLICTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_ABSENT = frozenset({"NoSuchKey", "NotFound", "404"})


class Bucket(ObjectStore):
    """Objects of one bucket whose keys begin with one prefix.

    The server must honour `If-None-Match` and `If-Match` on PutObject, as AWS does; `check` verifies it.

    Args:
        client: from `client` below, or any boto3 S3 client. Shared by threads, as boto3 allows for clients.
        bucket: its name.
        prefix: prepended to every key; with or without "/" around it.
        options: encryption for every object, storage class for streamed objects (videos) only: records must stay
            readable at once. The other options are the client's.
        public_url: address at which a web server shows the prefix.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str = "",
        options: S3Options = DEFAULTS,
        public_url: str = "",
    ) -> None:
        self._client = client
        self.public_url = public_url
        self.bucket = bucket
        self.prefix = checked_prefix(prefix.strip("/"))
        self._extra: dict[str, Any] = {}
        if options.server_side_encryption:
            self._extra["ServerSideEncryption"] = options.server_side_encryption
        if options.kms_key_id:
            self._extra["SSEKMSKeyId"] = options.kms_key_id
        self._extra_streamed = self._extra | ({"StorageClass": options.storage_class} if options.storage_class else {})

    def __repr__(self) -> str:
        return f"Bucket({self.uri('')!r})"

    @override
    def create(self, name: str, data: bytes, *, content_type: str = JSON) -> ETag:
        return self._put_if(name, data, content_type, IfNoneMatch="*")

    @override
    def replace(self, name: str, data: bytes, etag: ETag, *, content_type: str = JSON) -> ETag:
        return self._put_if(name, data, content_type, IfMatch=etag)

    @override
    def put(self, name: str, data: bytes, *, content_type: str) -> None:
        key = self._key(name)
        with self._explained(key):
            self._client.put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=content_type, **self._extra)

    @override
    def read(self, name: str) -> tuple[bytes, ETag] | None:
        key = self._key(name)
        with self._explained(key):
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=key)
                with answer["Body"] as body:
                    return body.read(), answer["ETag"]
            except ClientError as error:
                if code_of(error) in _ABSENT:
                    return None
                raise

    @override
    def names(self, prefix: str = "") -> Iterator[str]:
        start = len(self._base)
        with self._explained(self._base + checked_prefix(prefix)):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._base + prefix
            )
            for page in pages:
                for found in page.get("Contents", []):
                    if name := found.get("Key", "")[start:]:
                        yield name

    @override
    def write(self, name: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]) -> None:
        key = self._key(name)
        raw = _Source(source)
        extra = self._extra_streamed | {
            "ContentType": content_type,
            # Metadata is sent in headers, which are ASCII only.
            "Metadata": {name: quote(value, safe=" !#$&'()*+,/:;=?@[]~") for name, value in metadata.items()},
        }
        try:
            with self._explained(key):
                # Buffered, as boto treats a short read as the end of the stream; what is larger than the buffer is
                # read into the part itself.
                self._client.upload_fileobj(
                    io.BufferedReader(raw, _BUFFER), self.bucket, key, ExtraArgs=extra, Config=_TRANSFER
                )
        except StoreError:
            if raw.error:  # an error of the source, not of this store
                raise raw.error from None
            raise

    @override
    def copy(self, source: str, name: str) -> None:
        original, key = self._key(source), self._key(name)
        with self._explained(original):
            found = self._client.head_object(Bucket=self.bucket, Key=original)
        # Given again, as a copy in parts would lose them.
        described = {"ContentType": found["ContentType"], "Metadata": found["Metadata"], "MetadataDirective": "REPLACE"}
        with self._explained(key):
            self._client.copy(
                {"Bucket": self.bucket, "Key": original},
                self.bucket,
                key,
                ExtraArgs=self._extra_streamed | described,
                Config=_COPY,
            )

    @override
    def open(self, name: str, *, head: bytes = b"") -> BinaryIO:
        key = self._key(name)
        with self._explained(key):
            found = self._client.head_object(Bucket=self.bucket, Key=key)

        def fetch(start: int, stop: int) -> bytes:
            with self._explained(key):
                part = self._client.get_object(
                    Bucket=self.bucket, Key=key, Range=f"bytes={start}-{stop - 1}", IfMatch=found["ETag"]
                )
                with part["Body"] as body:
                    return body.read()

        return cast("BinaryIO", io.BufferedReader(RangedFile(found["ContentLength"], fetch, head), _READ_AHEAD))

    @override
    def size(self, name: str) -> int | None:
        key = self._key(name)
        with self._explained(key):
            try:
                return self._client.head_object(Bucket=self.bucket, Key=key)["ContentLength"]
            except ClientError as error:
                if code_of(error) in _ABSENT:
                    return None
                raise

    @override
    def delete(self, name: str) -> None:
        key = self._key(name)
        with self._explained(key):
            self._client.delete_object(Bucket=self.bucket, Key=key)

    @override
    def uri(self, name: str) -> str:
        return f"s3://{self.bucket}/{self._base}{name}"

    @override
    def link(self, name: str, *, seconds: int) -> str:
        """A presigned URL. Signed with temporary credentials (a role), it expires with them if that is sooner."""
        key = self._key(name)
        if not 0 < seconds <= _LONGEST_LINK:
            raise StoreError(f"a link to {self.uri(name)} can be valid for 1 to {_LONGEST_LINK} seconds, not {seconds}")
        with self._explained(key):
            return self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=seconds
            )

    @override
    def clean(self, *, older_than: float = LEFTOVER_AGE) -> int:
        latest = datetime.now(UTC) - timedelta(seconds=older_than)
        aborted = 0
        with self._explained(self._base):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=self._base)
            for upload in (upload for page in pages for upload in page.get("Uploads", [])):
                key, started = upload.get("Key", ""), upload.get("Initiated", latest)
                if _STREAMED.search(key) and "UploadId" in upload and started < latest:
                    self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload["UploadId"])
                    aborted += 1
        return aborted

    @property
    @override
    def place(self) -> str:
        return f"{self.uri('')} at {self.endpoint_url}"

    @override
    def dangers(self) -> list[str]:
        with self._explained(self._base):
            return dangers(self._client, self.bucket, self._base)

    @property
    def endpoint_url(self) -> str:
        """Address of the server."""
        return self._client.meta.endpoint_url

    def whole(self) -> Bucket:
        """The same bucket without the prefix."""
        return Bucket(self._client, self.bucket)

    @property
    def _base(self) -> str:
        return f"{self.prefix}/" if self.prefix else ""

    def _key(self, name: str) -> str:
        key = self._base + checked_name(name)
        if len(key.encode()) > _LONGEST_KEY:
            raise StoreError(f"{self.uri(name)} is too long for S3: {_LONGEST_KEY} bytes, prefix included, are allowed")
        return key

    def _put_if(self, name: str, data: bytes, content_type: str, **condition: Any) -> ETag:
        key, writer = self._key(name), uuid.uuid4().hex
        with self._explained(key):
            try:
                return self._client.put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=data,
                    ContentType=content_type,
                    Metadata={_WRITER: writer},
                    **condition,
                    **self._extra,
                )["ETag"]
            except ClientError as error:
                if is_unconditional(error):
                    raise StoreError(
                        f"{self.uri(name)} at {self.endpoint_url}: this server cannot do conditional writes "
                        f"({', '.join(condition)}), and without them one video could be paid twice. {ADVICE}"
                    ) from None
                if code_of(error) not in _CONFLICTS | _ABSENT:
                    raise
            etag = self._etag_by(writer, key)
        if etag is None:
            raise RecordConflictError(f"{self.uri(name)} was written by another process")
        return etag

    def _etag_by(self, writer: str, key: str) -> ETag | None:
        """The ETag of the object if `writer` wrote it.

        If the response to a write is lost, botocore (or a proxy) retries, and the retry conflicts with the write.
        """
        try:
            found = self._client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if code_of(error) in _ABSENT:
                return None
            raise
        # Some servers capitalise the names of metadata.
        wrote = {name.lower(): value for name, value in found["Metadata"].items()}.get(_WRITER)
        return found["ETag"] if wrote == writer else None

    @contextmanager
    def _explained(self, key: str) -> Generator[None]:
        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error, RetriesExceededError) as error:
            place = f"s3://{self.bucket}/{key} at {self._client.meta.endpoint_url}"
            # Not chained: the text of a connection error may name a proxy with its password.
            raise store_error(place, error) from None


class _Source(io.RawIOBase):
    """A raw stream around anything with `read`, which remembers the error it raised."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.error: BaseException | None = None

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any, /) -> int:
        try:
            if isinstance(self._source, io.BufferedIOBase):
                return self._source.readinto(buffer)
            data = self._source.read(len(buffer))
        except BaseException as error:  # boto may wrap it; `write` needs it to tell its origin
            self.error = error
            raise
        buffer[: len(data)] = data
        return len(data)
