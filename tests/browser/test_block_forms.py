"""The forms for saved blocks, in both UIs."""

import re

from playwright.sync_api import Page, expect

from prefect_omnivideo import S3VideoStore
from prefect_omnivideo.blocks.home import logo
from tests.browser.conftest import Stage
from tests.browser.pictures import picture
from tests.browser.ui import PrefectUI
from tests.browser.v1 import V1
from tests.browser.v2 import V2


def test_the_form_for_a_key_has_the_documented_defaults_and_hides_the_key(ui: PrefectUI) -> None:
    ui.open_block_form("apimart-credentials")
    assert ui.block_fields()[:7] == [
        ("API key", ""),
        ("Base URL", "https://api.apimart.ai"),
        ("Jobs In Flight", "20"),
        ("Submissions Per Minute", "0"),
        ("Requests In Flight", "8"),
        ("Request Seconds", "90"),
        ("Poll Seconds", "5"),
    ]
    if isinstance(ui, V2):
        picture(ui.page, "block-form", height=960)
    ui.create_block(f"second-{ui.version.lower()}", {"API key": "sk-very-secret"})
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
    expect(ui.choices("Storage Class").get_by_text("GLACIER_IR")).to_be_visible()
    ui.page.keyboard.press("Escape")  # a choice may stay empty
    name = f"bucket-{ui.version.lower()}"
    ui.create_block(name, {"Bucket": "my-videos"})
    with stage.server.client() as client:
        saved = client.read_block_document_by_name(name, "s3-video-store").data
    store = S3VideoStore.model_validate(saved)
    assert store == S3VideoStore(bucket="my-videos")


def test_the_catalog_is_searched_for_the_package_and_asks_for_pictures_that_exist(ui: PrefectUI) -> None:
    ui.page.goto(f"{ui.url}/blocks/catalog")
    ui.page.get_by_placeholder("Search").fill("omnivideo")
    expect(ui.page.get_by_role("heading", level=4)).to_have_text(
        [
            "OmniVideo 12AI Credentials",
            "OmniVideo APIMart Credentials",
            "OmniVideo Budget",
            "OmniVideo JimmyAI Credentials",
            "OmniVideo Local Store",
            "OmniVideo OmniRouters Credentials",
            "OmniVideo Route",
            "OmniVideo S3 Store",
            "OmniVideo Sora-compatible Credentials",
        ]
    )
    pictures = {picture.get_attribute("src") for picture in ui.page.locator("img[src]").all()}
    assert pictures <= {logo("any", like="secret"), logo("any", like="filesystem")}


def test_the_default_form_checks_numbers_alone(page: Page, stage: Stage) -> None:
    """V2 takes the values for the schema when it checks them, so that every text passes: see `blocks.saved`."""
    ui = V2(page, stage.server.api.removesuffix("/api"))
    ui.open_block_form("apimart-credentials")
    ui.name_block("refused")
    ui.fill("Jobs In Flight", "0")
    page.get_by_role("button", name=ui.save).click()
    expect(ui.refusal("Jobs In Flight").first).to_be_visible()
    expect(page).to_have_url(re.compile("/create$"))


def test_the_older_form_says_what_a_number_must_be(page: Page, stage: Stage) -> None:
    ui = V1(page, stage.server.api.removesuffix("/api"))
    ui.open_block_form("apimart-credentials")
    ui.name_block("refused")
    ui.fill("API key", "sk")
    ui.fill("Jobs In Flight", "0")
    page.get_by_role("button", name=ui.save).click()
    expect(page.get_by_text("Jobs In Flight must be greater than or equal to 1")).to_be_visible()
    expect(page).to_have_url(re.compile("/create$"))


def test_the_page_of_a_block_shows_a_snippet_that_works(ui: PrefectUI, stage: Stage) -> None:
    with stage.server.client() as client:
        block = client.read_block_document_by_name("prod", "apimart-credentials").id
    ui.page.goto(f"{ui.url}/blocks/block/{block}")
    expect(ui.page.get_by_text('await APIMartCredentials.aload("prod")').first).to_be_visible()
