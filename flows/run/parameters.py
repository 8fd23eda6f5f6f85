"""Types of flow parameters; the Prefect UI shows block types as a list of saved blocks."""

from typing import Annotated

from pydantic import Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from prefect_omnivideo.blocks import (
    APIMartCredentials,
    JimmyAICredentials,
    LocalVideoStore,
    OmniRoutersCredentials,
    S3VideoStore,
    SoraCompatibleCredentials,
    TwelveAICredentials,
    VideoRoute,
)
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.sheets.kept import KeptPrompts

AnyCredentials = (
    APIMartCredentials | JimmyAICredentials | OmniRoutersCredentials | SoraCompatibleCredentials | TwelveAICredentials
)
AnyAccounts = AnyCredentials | list[AnyCredentials] | VideoRoute
"""One account, several that share the work, or a route over several."""
# A form shows a union as tabs named by the titles, and only a list of one type as input fields.
Prompts = (
    Annotated[list[str], Field(title="texts")]
    | Annotated[list[VideoRequest], Field(title="requests")]
    | Annotated[list[str | VideoRequest], Field(title="mixed")]
    | SkipJsonSchema[KeptPrompts]
)
# Optional values are empty or 0: a form shows None as a tab of its own, in which nothing can be typed.
Text = Annotated[str | None, WithJsonSchema({"type": "string"})]
"""A text; empty and None are the same."""
Count = Annotated[Annotated[int, Field(ge=0)] | None, WithJsonSchema({"type": "integer", "minimum": 0})]
"""A number of things; 0 and None are the same."""
Seconds = Annotated[float, Field(gt=0)]
AnyStore = LocalVideoStore | S3VideoStore
