"""Reads the bytes of a sheet from a local file, an https URL or S3."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import httpx

from prefect_omnivideo.core.errors import StoreUnavailableError, TransferError, refuse
from prefect_omnivideo.core.storage.s3 import Bucket, client
from prefect_omnivideo.core.transfer.fetch import Source, fetch
from prefect_omnivideo.core.transfer.url_policy import safe_url

_refused = partial(refuse, "sheet", subject="parameters")

ACCEPTED = "a path on the worker, an https:// URL, or s3://bucket/key"
_SILENCE = 60.0


class SheetFile(NamedTuple):
    """The content of a sheet's file, not parsed yet."""

    name: str
    """The last part of its path, such as `prompts.csv`."""
    data: bytes
    content_type: str = ""
    """Content type from the server, without parameters; empty for other sources."""


def read(location: str, *, at_most: int, bucket: Bucket | None = None) -> SheetFile:
    """Read a whole file.

    Args:
        location: a local path (`~` is the home folder), an https URL, or `s3://bucket/key`.
        at_most: largest size in bytes; a larger file is refused.
        bucket: a bucket without prefix whose client is to be used for its objects. Other buckets are read through the
            default AWS chain.

    Raises:
        RequestError: there is no such file, or it is too large.
        StoreError: S3 refused the request.
        StoreUnavailableError: the server cannot be reached or has no capacity for now.
    """
    scheme, separator, rest = location.partition("://")
    if not separator:
        return _local(Path(location).expanduser(), at_most)
    if scheme == "s3":
        name, _, key = rest.partition("/")
        return _object(bucket if bucket and bucket.bucket == name else Bucket(client(), name), key, at_most)
    if scheme == "https":
        return _download(location, at_most)
    raise _refused(f"{scheme}:// is not supported", ACCEPTED)


def name_of(location: str) -> str:
    """The last part of a location, without the query of a URL, which may hold a signature."""
    path = unquote(urlsplit(location).path) if location.startswith("https://") else location
    return path.rstrip("/").rpartition("/")[2]


def _local(path: Path, at_most: int) -> SheetFile:
    try:
        with path.open("rb") as file:
            data = file.read(at_most + 1)
    except OSError as error:
        raise _refused(f"{path} cannot be read: {error.strerror}", ACCEPTED) from None
    _check_size(len(data), str(path), at_most)
    return SheetFile(path.name, data)


def _object(bucket: Bucket, key: str, at_most: int) -> SheetFile:
    _check_size(bucket.size(key) or 0, bucket.uri(key), at_most)
    found = bucket.read(key)
    if found is None:
        raise _refused(f"there is no object {bucket.uri(key)}", ACCEPTED)
    return SheetFile(name_of(key), found[0])


def _download(url: str, at_most: int) -> SheetFile:
    try:
        with fetch(Source(url, base_url=url), {}, _SILENCE) as fetched:
            answer = fetched.response
            if answer.status_code >= 500 or answer.status_code == 429:
                raise StoreUnavailableError(f"{safe_url(url)} answered {answer.status_code}: run again later")
            if not answer.is_success:
                raise _refused(f"{safe_url(url)} answered {answer.status_code}", "a URL that needs no login")
            data = bytearray()
            for piece in answer.iter_bytes():
                data += piece
                _check_size(len(data), safe_url(url), at_most)
            content_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            return SheetFile(name_of(url), bytes(data), content_type)
    except TransferError as error:
        raise _refused(str(error), ACCEPTED) from None
    except (OSError, httpx.HTTPError) as error:
        raise StoreUnavailableError(
            f"{safe_url(url)} cannot be read ({type(error).__name__}): run again later"
        ) from None


def _check_size(size: int, where: str, at_most: int) -> None:
    if size > at_most:
        raise _refused(f"{where} is larger than {at_most // 1024**2} MiB", "several smaller ones")
