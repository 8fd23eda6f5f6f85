"""Plans how a gateway gets the reference media, and checks that it accepts them."""

from __future__ import annotations

from functools import cache
from mimetypes import MimeTypes
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import Problem, RequestError, StoreError, refuse
from prefect_omnivideo.core.gateways.specification import Upload
from prefect_omnivideo.core.gateways.validation import translate
from prefect_omnivideo.core.media.files import MediaFile, examine
from prefect_omnivideo.core.references.parse import (
    Reference,
    attached,
    own_references,
    placeholder,
)
from prefect_omnivideo.core.request import VideoRequest, is_s3, local_path
from prefect_omnivideo.core.storage.base import ObjectStore, checked_name
from prefect_omnivideo.core.storage.s3 import Bucket, client
from prefect_omnivideo.core.transfer.url_policy import is_private

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

LINK_SECONDS = 24 * 3600
"""How long a presigned link is valid, in seconds: a job may be queued before its references are fetched."""
_TYPES = MimeTypes()


class Passage(NamedTuple):
    """How a reference is made reachable for the gateway."""

    reference: Reference
    file: MediaFile | None = None
    """The local file; None for an object of S3, which is presigned."""
    upload: Upload | None = None
    """The gateway's endpoint that takes the file; None when the file is staged in the store."""


def check(request: VideoRequest, account: Account, store: ObjectStore | None = None) -> BaseModel:
    """The native body, with placeholders for references that are not links yet, checked against every documented rule.

    Local files are examined; there is no network access and nothing is spent.

    Args:
        store: where the videos go. None: whether references can go through it is not checked.

    Raises:
        RequestError: naming, by portable field, each rule that the request or one of its references breaks.
    """
    ways = passages(request, account, store)
    endings = {way.reference.value: way.file.ending for way in ways if way.file}
    return translate(account.gateway, placeholder(account.gateway, request, endings))


def passages(request: VideoRequest, account: Account, store: ObjectStore | None) -> list[Passage]:
    """How each reference that is not a link becomes one. A file sent with the submission itself needs none.

    Raises:
        RequestError: naming each reference that cannot be used, the rule it breaks and what would be accepted.
    """
    ways: list[Passage] = []
    problems: list[Problem] = []
    for reference in own_references(request):
        try:
            way = _object(reference, account, store) if is_s3(reference.value) else _file(reference, account)
            _check_kind(way, request, account)
            if reference.value == attached(account.gateway, request):
                _check_attachment(way, account)
            else:
                _check_store(way, account, store)
                ways.append(way)
        except RequestError as error:
            problems += error.problems
    if problems:
        raise RequestError(problems)
    return ways


def object_link(reference: Reference, store: ObjectStore) -> str:
    """A presigned link to an object of S3, by the store's credentials in its own bucket, else by the default AWS chain.

    Raises:
        RequestError: there is no such object, or it is empty.
        StoreError: the bucket cannot be read.
    """
    name, key = _bucket_and_key(reference)
    bucket = store.whole() if isinstance(store, Bucket) and store.bucket == name else Bucket(_default_client(), name)
    size = bucket.size(key)
    if not size:
        fault = "there is no such object" if size is None else "it is empty"
        raise _refused(reference, f"{reference.value!r}: {fault}", "an object with content")
    return bucket.link(key, seconds=LINK_SECONDS)


def _file(reference: Reference, account: Account) -> Passage:
    file = examine(local_path(reference.value), reference.field, f"{_one(reference.kind)}, an https URL or s3://…")
    upload = next((upload for upload in account.gateway.uploads if upload.takes(file.content_type)), None)
    if upload:
        _check_size(reference, file, upload.most_bytes, account)
    return Passage(reference, file, upload)


def _object(reference: Reference, account: Account, store: ObjectStore | None) -> Passage:
    name, _ = _bucket_and_key(reference)
    if isinstance(store, Bucket) and store.bucket == name:
        _check_reach(reference, store, account)
    return Passage(reference)


def _check_kind(way: Passage, request: VideoRequest, account: Account) -> None:
    """Check the kind of media: of a file by its content, of an object by its name if that has a known suffix."""
    reference = way.reference
    content_type = way.file.content_type if way.file else _TYPES.guess_type(reference.value, strict=False)[0]
    kinds = [reference.kind]
    if reference.field.startswith("images.") and (request.model or "") in account.gateway.mixed_models:
        kinds.append("video")
    if content_type and content_type.partition("/")[0] not in kinds:
        what = str(way.file.path) if way.file else reference.value
        raise _refused(reference, f"{what!r} is {content_type}", " or ".join(map(_one, kinds)))


def _check_attachment(way: Passage, account: Account) -> None:
    attachment = account.gateway.attachment
    if attachment and way.file:
        _check_size(way.reference, way.file, attachment.most_bytes, account)


def _check_size(reference: Reference, file: MediaFile, most_bytes: int, account: Account) -> None:
    if file.size > most_bytes:
        rule = f"{str(file.path)!r} has {file.size} bytes, more than {account.gateway.title} takes"
        raise _refused(reference, rule, f"at most {most_bytes} bytes ({most_bytes // 1024**2} MiB), or an https URL")


def _check_store(way: Passage, account: Account, store: ObjectStore | None) -> None:
    """Files that the gateway has no upload for go through the store, which the gateway must be able to reach."""
    if not way.file or way.upload or store is None:
        return
    if not isinstance(store, Bucket):
        kind = way.file.content_type.partition("/")[0]
        raise _refused(
            way.reference,
            f"{str(way.file.path)!r} is a local file, {account.gateway.title} documents no upload of {_one(kind)}, "
            f"and it cannot fetch from {store.uri('')}",
            "an https URL, s3://bucket/key, or an S3 store, through which local files can be fetched",
        )
    _check_reach(way.reference, store, account)


def _check_reach(reference: Reference, store: Bucket, account: Account) -> None:
    """A gateway on the internet cannot fetch from a server with a private address."""
    server, gateway = (urlsplit(url).hostname or "" for url in (store.endpoint_url, account.base_url))
    if is_private(server) and not is_private(gateway):
        rule = f"{account.gateway.title} cannot fetch it from {store.endpoint_url}, a private address"
        raise _refused(reference, rule, "an https URL, or a store that the internet can reach")


def _bucket_and_key(reference: Reference) -> tuple[str, str]:
    bucket, _, key = reference.value.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise _refused(reference, f"{reference.value!r} names no object", "s3://bucket/key")
    try:
        return bucket, checked_name(key)
    except StoreError as error:
        raise _refused(reference, str(error), "s3://bucket/key") from None


def _refused(reference: Reference, rule: str, accepted: str) -> RequestError:
    return refuse(reference.field, rule, accepted)


def _one(kind: str) -> str:
    return f"{'a' if kind == 'video' else 'an'} {kind} file"


@cache
def _default_client() -> S3Client:
    return client()
