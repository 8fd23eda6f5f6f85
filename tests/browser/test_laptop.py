"""What the browser sees is there without one, too."""

from tests.browser.conftest import HOSTILE, Laptop


def test_a_laptop_serves_a_sheet_without_a_work_pool(laptop: Laptop) -> None:
    run = laptop.server.ended(laptop.hostile)
    assert run.state
    assert f"{len(HOSTILE)} videos: 1 stored" in str(run.state.message), (laptop.server.home / "serve.log").read_text()
    billed = [job["prompt"] for job in laptop.sandbox.jobs()]
    assert [billed.count(prompt) for prompt in HOSTILE] == [1] * len(HOSTILE)
    assert len(list((laptop.store / "hostile").glob("*.mp4"))) == 1
