"""A batch with a title that is no name of an object: runs, commands and pages know it by both."""

import json
import sys

import pytest

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.cli import main
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.flows import collect_videos, generate_videos
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")


async def test_a_title_and_its_name_in_the_store_are_one_batch(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    account = credentials(sandbox, "apimart")
    report = await generate_videos(["a red apple"], account, store, batch="Autumn campaign")
    assert (report.batch, report.title) == ("Autumn-campaign", "Autumn campaign")
    assert report.markdown().startswith("# Autumn campaign\n")
    await generate_videos(["a red apple", "a pear"], account, store, batch="Autumn-campaign")
    assert len(sandbox.jobs()) == 2, "nothing is paid twice"
    await collect_videos("Autumn campaign", account, store)
    assert [path.name for path in store.folder.iterdir() if path.is_dir() and not path.name.startswith(".")] == [
        "Autumn-campaign"
    ]
    folder = store.folder / "Autumn-campaign"
    assert json.loads((folder / "report.json").read_bytes())["title"] == "Autumn campaign", "also after the second run"
    assert "<h1>Autumn campaign</h1>" in (folder / "index.html").read_text()


@pytest.mark.parametrize("batch", ["Käse & Brot", "Kase-Brot-602b1a7c"])
async def test_commands_take_both(
    batch: str,
    sandbox: Sandbox,
    store: LocalVideoStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await generate_videos(["a red apple"], credentials(sandbox, "apimart"), store, batch="Käse & Brot")
    monkeypatch.setattr(sys, "argv", ["omnivideo", "jobs", "--store", str(store.folder), "--batch", batch, "--json"])
    capsys.readouterr()
    with pytest.raises(SystemExit, match="0"):
        main()
    assert [record["batch"] for record in json.loads(capsys.readouterr().out)] == ["Kase-Brot-602b1a7c"]


async def test_a_name_that_leaves_the_store_is_refused_before_anything_is_sent(
    sandbox: Sandbox, store: LocalVideoStore
) -> None:
    sandbox.reset()
    with pytest.raises(RequestError, match="begins with a dot"):
        await generate_videos(["a red apple"], credentials(sandbox, "apimart"), store, batch="../elsewhere")
    assert sandbox.jobs() == []
