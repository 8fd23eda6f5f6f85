"""Saved blocks, and why one of them cannot be used.

The Prefect UI saves a block without running its validators, and a run that refers to it would say no more than
"Failed to resolve block references in parameters".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prefect.blocks.core import Block, UnknownBlockType
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import BlockDocument
from prefect.exceptions import ObjectNotFound
from pydantic import ValidationError

from prefect_omnivideo.core.errors import OmniVideoError

_PAGE = 100
"""Blocks that are listed at a time: less than Prefect's limit."""
Reference = Mapping[str, str] | str | UUID
"""How a flow parameter refers to a block: by `block_document_slug`, by `block_document_id`, or by the id alone."""


class BlockError(OmniVideoError):
    """A saved block does not exist, or cannot be used as it is. Nothing was sent or spent."""


def load_saved(reference: Reference) -> Block:
    """The saved block that a flow parameter refers to.

    Raises:
        BlockError: naming the block and every reason why it cannot be used.
    """
    with get_client(sync_client=True) as client:
        document = _document(client, reference)
    try:
        return Block._from_block_document(document)  # pyright: ignore[reportPrivateUsage]  # Prefect's own `load`
    except ValidationError as error:
        reason = f"{'; '.join(_problems(error, document))}. Correct it under Blocks in the Prefect UI"
    except UnknownBlockType:
        reason = f"its type {_kind(document)} is not installed here"
    except (OmniVideoError, ValueError) as error:
        reason = str(error)
    # Not raised from the error above, which may show the values of the block.
    raise BlockError(f"block {_kind(document)}/{document.name} cannot be used: {reason}")


async def saved_names() -> frozenset[str]:
    """Names of all saved blocks, of any type."""
    found: list[BlockDocument] = []
    async with get_client() as client:
        while page := await client.read_block_documents(include_secrets=False, offset=len(found), limit=_PAGE):
            found += page
    return frozenset(document.name for document in found if document.name)


def _document(client: SyncPrefectClient, reference: Reference) -> BlockDocument:
    by_id = reference.get("block_document_id") if isinstance(reference, Mapping) else str(reference)
    slug = reference.get("block_document_slug", "") if isinstance(reference, Mapping) else ""
    kind, _, name = slug.partition("/")
    try:
        return client.read_block_document(UUID(by_id)) if by_id else client.read_block_document_by_name(name, kind)
    except (ObjectNotFound, ValueError):
        if by_id:
            raise BlockError(f"the saved block with the id {by_id} does not exist any more: choose another") from None
    try:
        client.read_block_type_by_slug(kind)
    except ObjectNotFound:
        raise BlockError(
            f"block {slug!r} does not exist, and neither does its type: a block is named as in "
            "apimart-credentials/prod, and `prefect block register -m prefect_omnivideo` adds the types of this package"
        ) from None
    others = client.read_block_documents_by_type(kind, include_secrets=False)
    saved = " or ".join(f"{kind}/{other.name}" for other in others if other.name)
    choice = f", or choose {saved}" if saved else ""
    raise BlockError(f"block {slug} does not exist: save it under Blocks in the Prefect UI{choice}")


def _problems(error: ValidationError, document: BlockDocument) -> list[str]:
    """A sentence for each wrong field, by the name that the form shows; never with the value."""
    fields: dict[str, Any] = document.block_schema.fields if document.block_schema else {}
    found: list[str] = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        place = [str(part) for part in problem["loc"]]
        if place:
            place[0] = fields.get("properties", {}).get(place[0], {}).get("title", place[0])
        rule = "a value is required" if problem["type"] == "missing" else problem["msg"].removeprefix("Value error, ")
        found.append(": ".join([*filter(None, [".".join(place)]), rule]))
    return found


def _kind(document: BlockDocument) -> str:
    return document.block_type.slug if document.block_type else str(document.block_type_name)
