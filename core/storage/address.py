"""Opens a store by its address, without Prefect."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.storage.folder import Folder


def open_store(address: str, *, endpoint_url: str | None = None) -> ObjectStore:
    """The store at an address.

    Args:
        address: `s3://bucket/prefix`, `file:///folder`, or the path of a folder.
        endpoint_url: of an S3-compatible server. Keys and region come from the default AWS chain.

    Raises:
        StoreError: the address is not valid, or names a folder that does not exist.
    """
    parts = urlsplit(address)
    if parts.scheme == "s3":
        if not parts.netloc:
            raise StoreError(f"{address} names no bucket; an address looks like s3://bucket/prefix")
        # A folder does not wait for boto3: importing it takes most of a second.
        from prefect_omnivideo.core.storage.s3 import Bucket
        from prefect_omnivideo.core.storage.s3_client import S3Options, client

        return Bucket(client(S3Options(endpoint_url=endpoint_url)), parts.netloc, parts.path.strip("/"))
    folder = Path(unquote(parts.path)) if parts.scheme == "file" else Path(address).expanduser()
    if not folder.is_dir():
        raise StoreError(f"{address}: there is no such folder; an S3 address looks like s3://bucket/prefix")
    return Folder(folder)


def address_of(store: ObjectStore) -> tuple[str, str | None]:
    """Address and endpoint URL, with which `omnivideo --store` opens the same store; no endpoint URL for AWS.

    A store with keys of its own is named by its saved block, as the default AWS chain does not have them.
    """
    if store.saved_as:
        return store.saved_as, None
    from prefect_omnivideo.core.storage.s3 import Bucket  # late, as above

    if not isinstance(store, Bucket):
        return store.uri(""), None
    is_aws = ".amazonaws.com" in store.endpoint_url
    return store.uri(""), None if is_aws else store.endpoint_url
