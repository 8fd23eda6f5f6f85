"""The fenced blocks of README, docs and docstrings do what they show, against the sandbox and a real S3 server."""

import ast
import asyncio
import inspect
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client

from prefect_omnivideo import LocalVideoStore, S3VideoStore, VideoBudget, VideoRoute
from prefect_omnivideo.core.reports.marks import read_marks
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from prefect_omnivideo.sandbox.s3server import S3Server, running_s3
from tests.accounts import GATEWAYS, KINDS, credentials
from tests.docs.snippets import Snippet, snippets

CHECKED = {"sh": "test_commands.py", "console": "test_commands.py", "csv": "tests/deployments/test_samples.py"}
DRAWN = {"text"}
"""A shape to look at, in no language: nothing that anybody would copy."""


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    kinds = {snippet.kind for snippet in snippets()}
    assert kinds <= {"python", "yaml", "json", *CHECKED, *DRAWN}
    assert {snippet.place.partition(":")[0] for snippet in snippets(*DRAWN)} == {"docs/gateways.md"}


@pytest.mark.parametrize("snippet", snippets("yaml", "json"), ids=lambda snippet: snippet.place)
def test_data_can_be_loaded(snippet: Snippet) -> None:
    assert json.loads(snippet.text) if snippet.kind == "json" else yaml.safe_load(snippet.text)


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    with running(Settings(latency=0.1)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def s3() -> Generator[S3Server]:
    """The S3 that an environment without further settings leads to, with the bucket of the documents."""
    with running_s3() as s3, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint_url)
        patch.setenv("AWS_ACCESS_KEY_ID", s3.access_key_id)
        patch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)
        s3.bucket("my-videos")
        yield s3


@pytest.fixture(scope="module")
def saved(
    prefect_server: None, sandbox: Sandbox, s3: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Path]:
    """The blocks of the snippets, saved as `prod`; the folder of the local store."""
    folder = tmp_path_factory.mktemp("saved")
    prices = [{"per_video": "0.25 USD"}]
    blocks: list[Block] = [credentials(sandbox, gateway) for gateway in GATEWAYS if gateway != "apimart"]
    blocks += [credentials(sandbox, "apimart", prices=prices), VideoBudget(videos=1000)]
    blocks += [VideoRoute(accounts=["apimart-credentials/prod", "jimmyai-credentials/prod"])]
    blocks += [
        LocalVideoStore(folder=folder),
        S3VideoStore(bucket="my-videos", prefix="saved", region_name="eu-central-1"),
    ]
    with get_client(sync_client=True) as client:
        before = {document.id for document in client.read_block_documents()}
        for block in blocks:
            block.save("prod", overwrite=True)
        yield folder
        for document in client.read_block_documents():
            if document.id not in before:
                client.delete_block_document(document.id)


def run(snippet: Snippet, sandbox: Sandbox) -> dict[str, Any]:
    """Execute a snippet, and then its flows; the names that it defines."""
    real = {
        "BLOCK_NAME": "prod",
        'APIMartCredentials(api_key="…")': f'APIMartCredentials(api_key="…", base_url="{sandbox.base_url("apimart")}")',
        "https://gateway.example.com": sandbox.base_url("sora"),
        '"…"': repr(sandbox.key),
    }
    text = snippet.text
    for shown, used in real.items():
        text = text.replace(shown, used)
    names: dict[str, Any] = {"__name__": "snippet"}
    coroutine = eval(compile(text, snippet.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.iscoroutine(coroutine):
        asyncio.run(coroutine)
    for flow in [each for each in names.values() if isinstance(each, Flow) and each.fn.__module__ == "snippet"]:
        asyncio.run(flow(*["a red apple" for _ in inspect.signature(flow.fn).parameters]))
    return names


def videos(folder: Path, s3: S3Server) -> int:
    """How many videos there are in the folder and in the bucket; what they were joined into does not count."""
    found = s3.client().list_objects_v2(Bucket="my-videos").get("Contents", [])
    names = [path.as_posix() for path in folder.glob("**/*.mp4")] + [each.get("Key", "") for each in found]
    return sum(name.endswith(".mp4") and "/sequences/" not in name for name in names)


@pytest.mark.parametrize("snippet", snippets("python"), ids=lambda snippet: snippet.place)
def test_python_runs_as_it_is(
    snippet: Snippet, sandbox: Sandbox, s3: S3Server, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = saved if "LocalVideoStore.aload" in snippet.text else tmp_path
    before = videos(root, s3)
    names = run(snippet, sandbox)
    if "Store" in snippet.text:
        wanted = len(names.get("prompts", ["a red apple"])) * len(names.get("models", ["the only one"]))
        assert videos(root, s3) - before == wanted
    else:
        assert names["credentials"].account()


def test_the_marks_of_the_documents_are_marks() -> None:
    (shown,) = [snippet for snippet in snippets("json") if '"marks"' in snippet.text]
    assert read_marks(shown.text.encode()).marks


def test_every_kind_of_block_has_a_snippet() -> None:
    shown = "\n".join(snippet.text for snippet in snippets("python") if snippet.place.startswith("blocks/"))
    for kind in (*KINDS.values(), LocalVideoStore, S3VideoStore, VideoBudget, VideoRoute):
        assert f"{kind.__name__}.aload(" in shown
