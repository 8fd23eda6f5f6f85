"""Where videos and their records are kept."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, model_validator

from prefect_omnivideo.blocks.credentials import REPOSITORY, logo
from prefect_omnivideo.store.local import Folder
from prefect_omnivideo.store.objects import ObjectStore
from prefect_omnivideo.store.s3 import Bucket, client


class VideoStore(Block):
    """A place for videos, records, galleries and reports."""

    _block_type_name = "Video Store"
    _block_type_slug = "omnivideo-video-store"
    _documentation_url: ClassVar[Any] = f"{REPOSITORY}#readme"

    async def check(self) -> None:
        """Test the connection: write, replace and delete a small object, and see that others are kept out.

        Raises:
            StoreError: what is wrong, and what to do about it.
        """
        await asyncio.to_thread(lambda: self.open().check())

    @abstractmethod
    def open(self) -> ObjectStore:
        """The store itself. Opening it does not touch the network; `ObjectStore.check` does."""


class LocalVideoStore(VideoStore):
    """A folder on this machine or on a shared file system.

    Example:
        Load a saved store and keep a video in it:
        ```python
        from prefect_omnivideo import LocalVideoStore, APIMartCredentials
        from prefect_omnivideo.flows import generate_video

        store = LocalVideoStore.load("BLOCK_NAME")
        await generate_video("a red apple", APIMartCredentials.load("prod"), store)
        ```
    """

    _block_type_name = "Local Video Store"
    _block_type_slug = "local-video-store"
    _logo_url: ClassVar[Any] = logo("local-store")

    folder: Path = Field(
        description="Folder for the videos; made when it does not exist. Every worker must see the same one."
    )

    def open(self) -> ObjectStore:
        """The folder as an object store."""
        return Folder(self.folder.expanduser())


class S3VideoStore(VideoStore):
    """A bucket on Amazon S3 or on a server that speaks S3.

    Example:
        Load a saved store and keep a video in it:
        ```python
        from prefect_omnivideo import S3VideoStore, APIMartCredentials
        from prefect_omnivideo.flows import generate_video

        store = S3VideoStore.load("BLOCK_NAME")
        await generate_video("a red apple", APIMartCredentials.load("prod"), store)
        ```
    """

    _block_type_name = "S3 Video Store"
    _block_type_slug = "s3-video-store"
    _logo_url: ClassVar[Any] = logo("s3-store")

    bucket: str = Field(min_length=3, max_length=63, description="Name of the bucket, which must exist.")
    prefix: str = Field(default="", description="Folder within the bucket, such as videos/omni.")
    endpoint_url: str | None = Field(
        default=None, title="Endpoint URL", description="Address of an S3-compatible server. Empty: Amazon S3."
    )
    region_name: str | None = Field(default=None, description="Region of the bucket, such as eu-central-1.")
    aws_access_key_id: str | None = Field(
        default=None,
        title="Access key ID",
        description="Access key. Empty: the default AWS chain (environment, profile, instance role).",
    )
    aws_secret_access_key: SecretStr | None = Field(
        default=None, title="Secret access key", description="Secret that belongs to the access key."
    )
    request_checksums: Literal["when_supported", "when_required"] = Field(
        default="when_supported",
        description="When S3 is sent checksums to verify; some S3-compatible servers need when_required.",
    )

    @model_validator(mode="after")
    def _both_or_neither(self) -> S3VideoStore:
        if (self.aws_access_key_id is None) != (self.aws_secret_access_key is None):
            raise ValueError("access key ID and secret access key belong together: give both, or neither")
        return self

    def open(self) -> ObjectStore:
        """The bucket as an object store."""
        secret = self.aws_secret_access_key
        return _bucket(
            self.bucket,
            self.prefix,
            self.endpoint_url,
            self.region_name,
            self.aws_access_key_id,
            secret.get_secret_value() if secret else None,
            self.request_checksums,
        )


@lru_cache(maxsize=16)
def _bucket(
    bucket: str,
    prefix: str,
    endpoint_url: str | None,
    region_name: str | None,
    access_key_id: str | None,
    secret_access_key: str | None,
    request_checksums: Literal["when_supported", "when_required"],
) -> Bucket:
    """Clients are costly to make and safe to share between threads."""
    return Bucket(
        client(
            endpoint_url=endpoint_url,
            region_name=region_name,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            request_checksum_calculation=request_checksums,
        ),
        bucket,
        prefix,
    )
