"""Blocks saved as the Prefect UI saves them, which runs no code of ours."""

from typing import Any
from uuid import UUID

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentCreate


async def save_unchecked(kind: type[Block], name: str, data: dict[str, Any]) -> UUID:
    """Save a block with these values, whatever they are, and nothing for the other fields."""
    await kind.register_type_and_schema()
    async with get_client() as client:
        document = BlockDocumentCreate(
            name=name, data=data, block_type_id=kind._block_type_id, block_schema_id=kind._block_schema_id
        )
        return (await client.create_block_document(document)).id
