"""The forms for saved blocks, in both UIs."""

from playwright.sync_api import expect

from prefect_omnivideo import S3VideoStore
from tests.browser.conftest import Stage
from tests.browser.pictures import picture
from tests.browser.ui import PrefectUI
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
    name = f"bucket-{ui.version.lower()}"
    ui.create_block(name, {"Bucket": "my-videos"})
    with stage.server.client() as client:
        saved = client.read_block_document_by_name(name, "s3-video-store").data
    store = S3VideoStore.model_validate(saved)
    assert store == S3VideoStore(bucket="my-videos")
