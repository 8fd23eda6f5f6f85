"""The sheets of the documents, with the accounts of the deployments that they are shown for."""

from typing import Any

import pytest
import yaml

from prefect_omnivideo import blocks
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.sheets.expansion import expand
from prefect_omnivideo.core.sheets.readers import read_table
from prefect_omnivideo.core.sheets.source import SheetFile
from tests.deployments.stage import ROOT
from tests.docs.snippets import snippets

SAMPLES = {each.kind: each.text for each in snippets("csv", "yaml") if each.text.startswith(("prompt,", "template:"))}
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    each["name"]: each for each in yaml.safe_load((ROOT / "deployments/prefect.yaml").read_text())["deployments"]
}


def accounts(credentials: Any) -> list[Account]:
    """The accounts of a deployment's parameter, with the key of nobody."""
    kinds = {
        kind.get_block_type_slug(): kind
        for kind in vars(blocks).values()
        if isinstance(kind, type) and issubclass(kind, GatewayCredentials)
    }
    given = credentials if isinstance(credentials, list) else [credentials]
    slugs = [each["$ref"]["block_document_slug"].partition("/")[0] for each in given]
    return [kinds[slug].model_validate({"api_key": "key"}).account() for slug in slugs]


@pytest.mark.parametrize(
    ("kind", "credentials", "videos"),
    [
        ("csv", DEPLOYMENTS["daily"]["parameters"]["credentials"], 4),
        *(("yaml", schedule["parameters"]["credentials"], 12) for schedule in DEPLOYMENTS["products"]["schedules"]),
    ],
)
def test_the_sheets_of_the_documents_work_with_their_deployments(kind: str, credentials: Any, videos: int) -> None:
    table = read_table(SheetFile(f"sample.{kind}", SAMPLES[kind].encode()))
    found = expand(table, None, accounts(credentials), "stop", None)
    assert len(found.requests) == videos
