"""Types of flow parameters: in the Prefect UI each becomes a picker of saved blocks."""

from prefect_omnivideo.blocks import (
    APIMartCredentials,
    JimmyAICredentials,
    LocalVideoStore,
    OmniRoutersCredentials,
    S3VideoStore,
    SoraCompatibleCredentials,
    TwelveAICredentials,
)

AnyCredentials = (
    APIMartCredentials | JimmyAICredentials | OmniRoutersCredentials | SoraCompatibleCredentials | TwelveAICredentials
)
AnyStore = LocalVideoStore | S3VideoStore
