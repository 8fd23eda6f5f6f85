"""The Prefect UI and the gallery in a browser, as the people see them who use this."""

import re
from collections.abc import Generator

import pytest
from playwright.sync_api import Locator, Page, expect

from prefect_omnivideo import S3VideoStore
from tests.browser.conftest import HOSTILE, PROMPTS, Stage
from tests.browser.ui import PrefectUI, picture

BATCH = "autumn"
PLAY = """video => new Promise((played, failed) => {
  video.muted = true;
  video.onerror = () => failed(new Error(video.error.message));
  video.ontimeupdate = () => video.currentTime > 0.2 && played([video.videoWidth, video.videoHeight]);
  setTimeout(() => failed(new Error("it does not play")), 20000);
  video.play().catch(failed);
})"""


@pytest.fixture(scope="module")
def batch(stage: Stage) -> str:
    """A run of a batch, started from the form and waited for in the UI; its id."""
    page = stage.browser.new_page(viewport={"width": 1300, "height": 900})
    ui = PrefectUI(page, stage.server.api.removesuffix("/api"))
    ui.open_run_form(stage.videos)
    ui.add_prompts(PROMPTS)
    ui.pick_block("credentials", "APIMartCredentials", "prod")
    ui.pick_block("store", "LocalVideoStore", "videos")
    ui.field("batch").get_by_role("button", name="str").click()
    ui.field("batch").locator("textarea").fill(BATCH)
    picture(page, "run-form", height=1600)
    run = ui.submit()
    ui.open_run(run, "Failed")
    expect(page.get_by_text(f"{len(PROMPTS)} prompts for {BATCH}").first).to_be_visible()
    expect(page.locator(".log-row").filter(has_text="4 stored")).not_to_have_count(0)
    ui.open_run(run, "Failed")  # afresh, as the server counts task runs a little later
    expect(page.get_by_text(re.compile("^[0-9]+ Task runs$"))).to_be_visible()
    picture(page, "run-page")
    page.close()
    return run


@pytest.fixture
def gallery(stage: Stage, batch: str) -> Generator[Page]:
    """The gallery of the batch, opened from the folder on disk."""
    with stage.browser.new_context(viewport={"width": 1300, "height": 900}, offline=True) as context:
        page = context.new_page()
        page.goto((stage.store / BATCH / "index.html").as_uri())
        yield page


def test_a_batch_started_from_the_form_is_billed_once_each(stage: Stage, batch: str) -> None:
    bill = [job["prompt"] for job in stage.sandbox.jobs()]
    assert [bill.count(prompt) for prompt in PROMPTS] == [1] * len(PROMPTS)


def test_a_batch_has_one_progress_bar_one_report_and_one_table(ui: PrefectUI, batch: str) -> None:
    ui.open_artifacts(batch)
    for key in ("omnivideo-progress", "omnivideo-report", "omnivideo-videos"):
        expect(ui.artifacts(key)).to_have_count(1)


def test_the_report_names_what_failed_and_what_to_do(ui: PrefectUI, batch: str) -> None:
    ui.open_artifact(batch, "omnivideo-report")
    page = ui.page
    expect(page.get_by_text("6 videos: 4 stored, 1 failed, 1 of unknown outcome").first).to_be_visible()
    expect(page.get_by_text("content_policy_violation")).to_be_visible()
    expect(page.get_by_text("Do not send it again as it is")).to_have_count(1)
    expect(page.get_by_text(re.compile("omnivideo resolve [0-9a-f]{16} --batch autumn --store file:"))).to_have_count(1)
    picture(page, "report")


def test_the_table_has_a_row_for_each_video(ui: PrefectUI, batch: str) -> None:
    ui.open_artifact(batch, "omnivideo-videos")
    rows = ui.page.locator("tbody tr")
    expect(rows).to_have_count(len(PROMPTS))
    for prompt, row in zip(PROMPTS, rows.all(), strict=True):
        expect(row).to_contain_text(prompt)
    expect(rows.filter(has_text=".mp4")).to_have_count(4)
    picture(ui.page, "table")


def test_a_video_plays_in_the_gallery(gallery: Page) -> None:
    expect(gallery.get_by_role("article")).to_have_count(len(PROMPTS))
    first = gallery.locator("article.stored video").first
    assert first.get_attribute("poster")
    picture(gallery, "gallery")
    assert first.evaluate(PLAY) == [1280, 720]


def test_the_gallery_filters_by_state_and_gives_reasons(gallery: Page) -> None:
    gallery.get_by_text("failed 1").click()
    expect(gallery.locator("article.stored:visible")).to_have_count(0)
    failed = gallery.locator("article:visible")
    expect(failed).to_have_count(1)
    expect(failed).to_contain_text("content_policy_violation")
    gallery.keyboard.press("ArrowRight")
    unknown = gallery.locator("article:visible")
    expect(unknown).to_have_count(1)
    expect(unknown).to_contain_text("it may have been paid")


def test_the_gallery_is_at_home_in_the_dark_and_on_a_phone(gallery: Page) -> None:
    def background() -> object:
        return gallery.evaluate("getComputedStyle(document.body).backgroundColor")

    light = background()
    gallery.emulate_media(color_scheme="dark")
    assert background() != light
    picture(gallery, "gallery-dark")
    gallery.set_viewport_size({"width": 390, "height": 844})
    assert gallery.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture(gallery, "gallery-phone", height=844)


def test_hostile_prompts_are_text_in_run_report_and_table(stage: Stage, ui: PrefectUI) -> None:
    run = str(stage.hostile.id)
    ui.open_run(run, "Failed")
    _is_harmless(ui.page.locator(".log-row").get_by_text(HOSTILE[0]).first)
    ui.open_artifact(run, "omnivideo-report")
    _is_harmless(ui.page.get_by_text(HOSTILE[1]))
    ui.open_artifact(run, "omnivideo-videos")
    for prompt in HOSTILE:
        _is_harmless(ui.page.locator("tbody").get_by_text(prompt))


def test_hostile_prompts_are_text_in_the_gallery(stage: Stage, ui: PrefectUI) -> None:
    stage.server.ended(stage.hostile)
    ui.page.goto((stage.store / "hostile" / "index.html").as_uri())
    for prompt in HOSTILE:
        _is_harmless(ui.page.get_by_text(prompt))
    expect(ui.page.locator("script, img, a")).to_have_count(0)


def test_what_the_hostile_prompts_would_do_is_noticed(ui: PrefectUI) -> None:
    ui.page.set_content(f"<p>{HOSTILE[1]}</p>")
    ui.page.wait_for_function("window.owned === 1")


def _is_harmless(shown: Locator) -> None:
    """The prompt is there as it was written, and nothing in it ran or could be clicked."""
    expect(shown).to_be_visible()
    expect(shown.page.locator("a[href^='javascript:'], img[src='x']")).to_have_count(0)
    assert shown.page.evaluate("window.owned") is None


def test_an_empty_prompt_is_refused_by_the_form(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.videos)
    ui.field("prompts").get_by_text("Add item").click()
    ui.page.get_by_role("button", name="Submit").click()
    expect(ui.field("prompts")).to_contain_text("is not valid")
    expect(ui.page).to_have_url(re.compile("/run$"))


def test_a_limit_below_one_is_refused_by_the_form(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.sheet)
    ui.field("limit").get_by_role("button", name="int").click()
    ui.field("limit").locator("input").fill("0")
    ui.page.get_by_role("button", name="Submit").click()
    expect(ui.field("limit")).to_contain_text("0 is not valid")
    expect(ui.page).to_have_url(re.compile("/run$"))


def test_a_request_no_gateway_can_honour_ends_the_run_and_costs_nothing(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.videos)
    ui.enter_json("prompts", '[{"prompt": "a cat on a sofa", "resolution": "4k"}]')
    run = ui.submit()
    ui.open_run(run, "Failed")
    expect(ui.page.get_by_text("prompt 1, APIMart, resolution").first).to_be_visible()
    expect(ui.page.get_by_text("This flow run did not generate any task or subflow runs")).to_be_visible()
    assert "a cat on a sofa" not in [job["prompt"] for job in stage.sandbox.jobs()]


def test_the_sheet_form_explains_every_field(ui: PrefectUI, stage: Stage) -> None:
    ui.open_run_form(stage.sheet)
    labels = ui.page.locator(".schema-form-property__label")
    names = [label.removesuffix(" (Optional)") for label in labels.all_inner_texts()]
    wanted = "sheet credentials store batch template on_bad_row limit offset dry_run deadline"
    assert names == wanted.split()
    for name in names:
        expect(ui.field(name).locator(".schema-form-property__description")).to_contain_text(re.compile(r"\w{3}.*\.$"))
    expect(ui.field("sheet").locator("textarea")).to_have_value("~/prompts.csv")
    expect(ui.field("dry_run").locator("[type=checkbox]")).not_to_be_checked()
    ui.field("on_bad_row").locator(".p-select-button__control").press("ArrowDown")
    expect(ui.page.locator(".p-select-option")).to_have_text(["stop", "skip"])


def test_the_form_for_a_key_has_the_documented_defaults_and_hides_the_key(ui: PrefectUI) -> None:
    ui.open_block_form("apimart-credentials")
    assert ui.block_fields() == [
        ("API key", ""),
        ("Base URL", "https://api.apimart.ai"),
        ("Jobs In Flight", "20"),
        ("Submissions Per Minute", "0"),
        ("Requests In Flight", "8"),
        ("Request Seconds", "90"),
        ("Poll Seconds", "5"),
        ("Corrections of answers", "[]"),
    ]
    picture(ui.page, "block-form", height=960)
    ui.create_block("second", {"API key": "sk-very-secret"})
    expect(ui.page.get_by_text("********")).to_be_visible()
    assert "sk-very-secret" not in ui.page.content()


def test_the_form_for_a_bucket_needs_its_name_alone(ui: PrefectUI, stage: Stage) -> None:
    ui.open_block_form("s3-video-store")
    fields = ui.block_fields()
    names = [name for name, _ in fields]
    assert names[:4] == ["Bucket", "Prefix", "Endpoint URL", "Region Name"]
    assert names[-1] == "Max Video Bytes", "what hardly anybody changes comes last"
    assert {"Access key ID", "Secret access key", "Role ARN"} < set(names)
    assert {("Addressing Style", "auto"), ("Request Checksums", "when_supported")} < set(fields)
    ui.create_block("bucket", {"Bucket": "my-videos"})
    with stage.server.client() as client:
        saved = client.read_block_document_by_name("bucket", "s3-video-store").data
    store = S3VideoStore.model_validate(saved)
    assert store == S3VideoStore(bucket="my-videos")
