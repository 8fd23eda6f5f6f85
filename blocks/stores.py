"""Blocks for the stores of videos and their records."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

from prefect.blocks.core import Block
from prefect.client.schemas.objects import BlockDocument
from pydantic import AfterValidator, ConfigDict, Field, ModelWrapValidatorHandler, SecretStr, model_validator

from prefect_omnivideo.blocks.aws import settings_of
from prefect_omnivideo.blocks.fields import Matches, Secret, Text, or_empty
from prefect_omnivideo.blocks.home import documentation, logo
from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.storage.base import ObjectStore, Posters, checked_public_url
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.storage.s3 import Bucket, S3Options, client
from prefect_omnivideo.core.transfer.transfer import MAX_BYTES

if TYPE_CHECKING:
    from prefect_aws import AwsCredentials, MinIOCredentials, S3Bucket


SizeLimit = Annotated[int, Field(ge=1, description="Size limit of one video in bytes, which stops a runaway download.")]

PublicURL = Annotated[
    Text,
    AfterValidator(lambda url: url and checked_public_url(url)),
    Matches(r"^(https?://[^\s?#@]+)?$", "must look like https://videos.example.com"),
    Field(
        title="Public URL",
        description="Address at which a web server shows this store, such as https://videos.example.com: the folder, "
        "or the bucket from its prefix on. Reports, tables, events and messages then link there. Empty: they give the "
        "addresses of the store itself.",
    ),
]


WhenPosters = Annotated[
    Posters,
    Field(
        title="Posters",
        description="When the picture of each video for the gallery is made, about 0.05 s of CPU: at once, later (by "
        "Collect videos), or never.",
    ),
]


class VideoStore(Block):
    """Storage for videos, records, galleries and reports."""

    _block_type_name = "Video Store"
    _block_type_slug = "omnivideo-video-store"
    _documentation_url: ClassVar[Any] = documentation()
    model_config = ConfigDict(hide_input_in_errors=True)  # an address may hold a password, which is refused

    if TYPE_CHECKING:
        # Each kind of store declares them, as its last fields: a form shows them in this order.
        public_url: str
        posters: Posters
        max_video_bytes: int

    async def check(self) -> None:
        """Test the connection: write, replace and delete a small object, and verify conditional writes.

        Raises:
            StoreError: the store cannot be used; the message says why and what to do.
        """
        await asyncio.to_thread(lambda: self.open().check())

    @abstractmethod
    def open(self) -> ObjectStore:
        """The store itself. Opening it does not touch the network; `ObjectStore.check` does."""


class LocalVideoStore(VideoStore):
    """A folder on this machine or on a shared file system.

    Example:
        Load a saved store in a flow and keep a video in it:
        ```python
        from prefect import flow
        from prefect_omnivideo import APIMartCredentials, LocalVideoStore
        from prefect_omnivideo.flows import generate_video


        @flow
        async def my_flow():
            store = await LocalVideoStore.aload("BLOCK_NAME")
            await generate_video("a red apple", await APIMartCredentials.aload("prod"), store)
        ```
    """

    _block_type_name = "OmniVideo Local Store"
    _block_type_slug = "local-video-store"
    _logo_url: ClassVar[Any] = logo("local-store", like="filesystem")

    folder: Path = Field(
        description="Absolute path of the folder for the videos; created if it does not exist. Every worker must see "
        "the same folder.",
        json_schema_extra={"minLength": 1, "pattern": r"^(/|~|[A-Za-z]:[\\/])"},
    )
    public_url: PublicURL = ""
    posters: WhenPosters = "at once"
    max_video_bytes: SizeLimit = MAX_BYTES
    _given: Path | None = None
    """The folder as it was written in code, where it was relative."""

    def __init__(self, **data: Any) -> None:
        """In code the working directory is known to the caller: there, a relative folder is made absolute."""
        given = Path(data["folder"]).expanduser() if isinstance(data.get("folder"), str | Path) else None
        if given:
            data["folder"] = given.absolute()
        super().__init__(**data)
        self._given = given if given and not given.is_absolute() else None

    @model_validator(mode="wrap")  # a "before" one would see the output of `__init__`
    @classmethod
    def _the_same_everywhere(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """A folder from a saved block or from run parameters must not depend on the worker's working directory.

        Raises:
            StoreError: the folder is relative. Not a ValueError: Prefect hides its text when a block is loaded.
        """
        folder = cast("dict[str, Any]", data).get("folder") if isinstance(data, dict) else None
        if isinstance(folder, str | Path):
            _check_absolute(Path(folder).expanduser())
        return handler(data)

    def _to_block_document(self, *args: Any, **kwargs: Any) -> BlockDocument:
        _check_absolute(self._given or self.folder)
        return super()._to_block_document(*args, **kwargs)

    def open(self) -> ObjectStore:
        """The folder as an object store."""
        opened = Folder(self.folder, self.public_url)
        opened.posters = self.posters
        return opened


class S3VideoStore(VideoStore):
    """A bucket on Amazon S3 or on an S3-compatible server.

    Example:
        Load a saved store in a flow and keep a video in it:
        ```python
        from prefect import flow
        from prefect_omnivideo import APIMartCredentials, S3VideoStore
        from prefect_omnivideo.flows import generate_video


        @flow
        async def my_flow():
            store = await S3VideoStore.aload("BLOCK_NAME")
            await generate_video("a red apple", await APIMartCredentials.aload("prod"), store)
        ```
    """

    _block_type_name = "OmniVideo S3 Store"
    _block_type_slug = "s3-video-store"
    _logo_url: ClassVar[Any] = logo("s3-store", like="filesystem")

    bucket: Annotated[
        str, Matches(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", "must be the name alone, such as my-videos, without s3:// or /")
    ] = Field(min_length=3, max_length=63, description="Name of the bucket, which must exist.")
    prefix: Text = Field(
        default="",
        description="Folder within the bucket, such as videos/omni. Keep it the same for every run: the records "
        "in it keep videos from being paid twice: dates belong in the name of the batch.",
    )
    endpoint_url: Annotated[
        Text, Matches(r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$", "must look like https://s3.example.com")
    ] = Field(default="", title="Endpoint URL", description="Address of an S3-compatible server. Empty: Amazon S3.")
    region_name: Annotated[Text, Matches(r"^[A-Za-z0-9-]*$", "must look like eu-central-1")] = Field(
        default="", description="Region of the bucket, such as eu-central-1."
    )
    aws_access_key_id: Annotated[Text, Matches(r"^\S*$", "must not contain spaces")] = Field(
        default="",
        title="Access key ID",
        description="Access key. Empty: the default AWS chain (environment, profile, instance role).",
    )
    aws_secret_access_key: Secret = Field(
        default=SecretStr(""), title="Secret access key", description="Secret that belongs to the access key."
    )
    aws_session_token: Secret = Field(
        default=SecretStr(""), title="Session token", description="Token that belongs to a temporary access key."
    )
    role_arn: Annotated[Text, Matches(r"^(arn:.+:.+)?$", "must look like arn:aws:iam::123456789012:role/videos")] = (
        Field(
            default="",
            title="Role ARN",
            description="Role to assume with the access key or the default AWS chain; renewed in time. Presigned links "
            "expire with the session of the role, after an hour at most.",
        )
    )
    addressing_style: Literal["auto", "path", "virtual"] = Field(
        default="auto",
        description="Whether the bucket's name is in the path of the URL or in its host name. Servers without host "
        "names for buckets need path.",
    )
    server_side_encryption: Annotated[Literal["", "AES256", "aws:kms"], or_empty] = Field(
        default="", description="How S3 encrypts the objects. Empty: as the bucket is configured."
    )
    kms_key_id: Text = Field(default="", title="KMS key ID", description="Key for aws:kms. Empty: the AWS managed key.")
    storage_class: Annotated[
        Literal["", "STANDARD", "INTELLIGENT_TIERING", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR"], or_empty
    ] = Field(
        default="",
        description="Storage class of the videos; records and pages are always STANDARD. Empty: STANDARD.",
    )
    request_checksums: Literal["when_supported", "when_required"] = Field(
        default="when_supported",
        description="When checksums are sent along for S3 to verify; some S3-compatible servers need when_required.",
    )
    public_url: PublicURL = ""
    posters: WhenPosters = "at once"
    max_video_bytes: SizeLimit = MAX_BYTES

    @model_validator(mode="after")
    def _fit_together(self) -> S3VideoStore:
        if bool(self.aws_access_key_id) != bool(self.aws_secret_access_key):
            raise ValueError("access key ID and secret access key belong together: give both, or neither")
        if self.aws_session_token and not self.aws_access_key_id:
            raise ValueError("the session token belongs to an access key: give that and its secret too, or neither")
        if self.kms_key_id and self.server_side_encryption != "aws:kms":
            raise ValueError("the KMS key ID is for server-side encryption aws:kms: choose that, or leave the key out")
        return self

    @classmethod
    def from_prefect_aws(
        cls, block: S3Bucket | AwsCredentials | MinIOCredentials, bucket: str | None = None, **settings: Any
    ) -> Self:
        """A store with the settings of a block of prefect-aws (extra `aws`).

        Args:
            block: an S3Bucket, with its bucket and folder, or credentials alone.
            bucket: name of the bucket, if the block has none.
            settings: further fields of this block, such as `prefix`. They take precedence over the block's.

        Raises:
            ValueError: the block has a setting that has no counterpart here; nothing is silently dropped.
        """
        named = {"bucket": bucket} if bucket else {}
        return cls.model_validate({**settings_of(block), **named, **settings})

    def open(self) -> ObjectStore:
        """The bucket as an object store."""
        options = S3Options.model_validate({name: getattr(self, name) or None for name in S3Options.model_fields})
        name = self._block_document_name if self.aws_access_key_id else None
        saved_as = f"{self._block_type_slug}/{name}" if name else ""
        return _bucket(self.bucket, self.prefix, options, self.public_url, self.posters, saved_as)


@lru_cache(maxsize=16)
def _bucket(bucket: str, prefix: str, options: S3Options, public_url: str, posters: Posters, saved_as: str) -> Bucket:
    """Cached: clients are expensive to create and safe to share between threads."""
    opened = Bucket(client(options), bucket, prefix, options, public_url)
    opened.posters = posters
    opened.saved_as = saved_as
    return opened


def _check_absolute(folder: Path) -> None:
    if not folder.is_absolute():
        raise StoreError(
            f"folder {str(folder)!r} is relative: a worker would resolve it in the temporary directory of its "
            f"run, which is deleted after the run. Give the absolute path that every worker sees; here it is "
            f"{str(folder.absolute())!r}"
        )
