"""Prefect's standard block tests, and what these blocks promise beyond them."""

import asyncio
import json
import re
import struct
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.core import Block
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentUpdate
from prefect.filesystems import RemoteFileSystem
from prefect.testing.standard_test_suites import BlockStandardTestSuite
from prefect.testing.standard_test_suites import blocks as suite
from prefect.utilities.schema_tools.validation import validate
from pydantic import ValidationError

import prefect_omnivideo
from prefect_omnivideo import (
    APIMartCredentials,
    LocalVideoStore,
    OmniRoutersCredentials,
    S3VideoStore,
    SoraCompatibleCredentials,
    VideoBudget,
    VideoRoute,
)
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.home import HOME, documentation
from prefect_omnivideo.blocks.newapi import NewApiCredentials
from prefect_omnivideo.cli.doctor import examine
from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.flows import generate_videos
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from tests.accounts import credentials
from tests.saving import save_unchecked

LOGOS = Path(prefect_omnivideo.blocks.__file__).resolve().parent / "logos"
BLOCKS = [
    found
    for name in prefect_omnivideo.__all__
    if isinstance(found := getattr(prefect_omnivideo, name), type) and issubclass(found, Block)
]
CREDENTIALS = [block for block in BLOCKS if issubclass(block, GatewayCredentials)]


@pytest.mark.parametrize("block", BLOCKS)
class TestEveryBlock(BlockStandardTestSuite):
    @pytest.fixture
    def block(self) -> Any:
        raise AssertionError("parametrized")

    def test_has_a_documentation_url(self, block: type[Block]) -> None:
        """Only an address that exists: see `HOME`."""
        assert block._documentation_url == documentation()

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """An address that exists: of the package, or until it has one, of a logo that a block of Prefect's own uses."""
        of_prefect = {str(each._logo_url) for each in (Secret, RemoteFileSystem)}
        assert str(block._logo_url) in of_prefect or str(block._logo_url).startswith(f"{HOME}/")

    def test_has_a_valid_code_example(self, block: type[Block]) -> None:
        """The suite's own test wants `load` without `await`, which fails in a flow of this package."""
        assert f' = await {block.__name__}.aload("BLOCK_NAME")' in str(block.get_code_example())

    def test_is_found_in_the_catalog(self, block: type[Block]) -> None:
        """Both UIs search in the names of the types alone."""
        assert block.get_block_type_name().startswith("OmniVideo ")

    def test_an_optional_field_is_no_row_of_tabs(self, block: type[Block]) -> None:
        assert not any("anyOf" in field for field in block.model_json_schema()["properties"].values())


def test_every_picture_is_square_and_used() -> None:
    used = {name for file in LOGOS.parent.glob("*.py") for name in re.findall(r'= logo\("(.*?)"', file.read_text())}
    assert {path.stem for path in LOGOS.iterdir()} == used
    for path in LOGOS.iterdir():
        png = path.read_bytes()
        assert png.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", png[16:24])
        assert 1000 > width == height > 45


def test_the_suite_still_checks_what_it_did() -> None:
    """The tests above stand in for these."""
    replaced = ("test_has_a_documentation_url", "test_has_a_valid_image", "test_has_a_valid_code_example")
    assert all(hasattr(suite.BlockStandardTestSuite, name) for name in replaced)


def test_five_gateways_two_stores_a_budget_and_a_route() -> None:
    assert len(CREDENTIALS) == 5
    assert len(BLOCKS) == 9


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_documented_addresses_and_limits(kind: Any) -> None:
    given = {"base_url": "https://gateway.example"} if kind is SoraCompatibleCredentials else {}
    account = kind(api_key="sk-secret", **given).account()
    assert account.base_url == (account.gateway.base_url or "https://gateway.example")
    assert account.requests_in_flight <= 16


def test_a_sora_compatible_gateway_needs_its_address() -> None:
    with pytest.raises(ValidationError, match="base_url"):
        SoraCompatibleCredentials(api_key="sk-secret")  # type: ignore[call-arg,arg-type]  # on purpose


@pytest.mark.parametrize("url", ["gateway.example", "ftp://x", "https://user:pw@x", "https://x?y=1", "https://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="base URL"):
        APIMartCredentials.model_validate({"api_key": "sk", "base_url": url})


@pytest.mark.parametrize("key", ["", " ", "sk secret", "sk-\n", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="API key") as caught:
        APIMartCredentials.model_validate({"api_key": key})
    assert not key.strip() or key not in str(caught.value).split("[")[0]


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_the_key_shows_nowhere(kind: Any) -> None:
    block = kind(api_key="sk-very-secret", base_url="https://gateway.example")
    for shown in (repr(block), str(block), repr(block.account()), block.model_dump_json(), str(block.model_dump())):
        assert "sk-very-secret" not in shown


def test_omnirouters_takes_either_route() -> None:
    other = OmniRoutersCredentials.model_validate({"api_key": "sk", "submit_path": "/v1/video/generations"})
    assert other.account().route.status == "/v1/video/generations/{task_id}"
    assert OmniRoutersCredentials.model_validate({"api_key": "sk"}).account().route.submit == "/v1/videos"


NEW_API = [kind for kind in CREDENTIALS if issubclass(kind, NewApiCredentials)]
ADDRESS = {"api_key": "sk-very-secret", "base_url": "https://gateway.example"}


def test_three_gateways_may_have_a_console() -> None:
    assert {kind._gateway_name for kind in NEW_API} == {"12ai", "omnirouters", "sora"}
    for kind in CREDENTIALS:
        assert kind.model_validate(ADDRESS).console() is None


@pytest.mark.parametrize("kind", NEW_API)
def test_the_console_is_opened_with_both_its_credentials(kind: Any) -> None:
    block = kind.model_validate(ADDRESS | {"console_access_token": "very-secret", "console_user_id": "42"})
    console = block.console()
    assert console is not None
    assert (console.access_token.get_secret_value(), console.user_id) == ("very-secret", "42")
    for shown in (repr(block), block.model_dump_json(), repr(console), repr(block.account())):
        assert "very-secret" not in shown
    assert kind.model_validate(ADDRESS | {"console_access_token": "", "console_user_id": ""}).console() is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"console_access_token": "very-secret"}, "both or neither"),
        ({"console_user_id": "42"}, "both or neither"),
        ({"console_access_token": "very-secret", "console_user_id": "me"}, "whole number"),
        ({"console_access_token": "very-secret\n", "console_user_id": "42"}, "an HTTP header cannot have"),
    ],
)
def test_half_a_console_or_a_bad_one_is_refused_and_not_shown(given: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as caught:
        SoraCompatibleCredentials.model_validate(ADDRESS | given)
    assert "very-secret" not in str(caught.value)


def test_a_sora_compatible_server_may_want_forms() -> None:
    forms = SoraCompatibleCredentials.model_validate(ADDRESS | {"submit_as": "form"})
    assert forms.account() == SoraCompatibleCredentials.model_validate(ADDRESS | {"submit_as": "form"}).account()
    assert forms.account() != SoraCompatibleCredentials.model_validate(ADDRESS).account()
    assert forms.account().route == SoraCompatibleCredentials.model_validate(ADDRESS).account().route


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        (S3VideoStore, {"bucket": "s3://videos/omni"}, "the name alone"),
        (S3VideoStore, {"bucket": "videos", "endpoint_url": "minio:9000"}, "must look like https://"),
        (S3VideoStore, {"bucket": "videos", "endpoint_url": "https://me:pw@minio"}, "must look like https://"),
        (S3VideoStore, {"bucket": "videos", "region_name": "Frankfurt (Main)"}, "must look like eu-central-1"),
        (S3VideoStore, {"bucket": "videos", "role_arn": "videos"}, "must look like arn:"),
        (S3VideoStore, {"bucket": "videos", "public_url": "videos.example.com"}, "must look like https://"),
        (SoraCompatibleCredentials, {"base_url": "www"}, "must look like https://"),
        (SoraCompatibleCredentials, {"console_access_token": "t", "console_user_id": "me"}, "whole number"),
        (SoraCompatibleCredentials, {"api_key": ""}, "is empty"),
        (SoraCompatibleCredentials, {"jobs_in_flight": 0}, "greater than or equal to 1"),
        (SoraCompatibleCredentials, {"answers": {"links": [""]}}, "at least 1 character"),
        (SoraCompatibleCredentials, {"base_url": None}, "valid string"),
        (LocalVideoStore, {"folder": ""}, "relative"),
        (VideoRoute, {"accounts": ["prod"]}, "the kind and the name of its block"),
        (VideoRoute, {"accounts": []}, "at least 1 item"),
        (VideoRoute, {"accounts": ["sora-credentials/a", "sora-credentials/a"]}, "sora-credentials/a is named more"),
        (VideoRoute, {"accounts": ["sora-credentials/a"], "may_drop": ["prompt"]}, "negative_prompt"),
        (VideoRoute, {"accounts": ["sora-credentials/a"], "policy": "best"}, "'first', 'spread' or 'cheapest'"),
        (LocalVideoStore, {"folder": "videos"}, "relative"),
    ],
)
def test_what_is_refused_is_refused_by_a_form_too(kind: type[Block], given: dict[str, Any], says: str) -> None:
    values = ADDRESS | given if kind is SoraCompatibleCredentials else given
    with pytest.raises((ValidationError, StoreError), match=says):
        kind.model_validate(values)
    (error, *_) = validate(values, kind.model_json_schema())
    assert error.absolute_path[0] == list(given)[-1]


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_no_form_shows_a_secret_in_an_error(kind: type[Block]) -> None:
    schema = kind.model_json_schema()
    for name, field in schema["properties"].items():
        if field.get("format") == "password":
            errors = validate({**ADDRESS, name: "very secret\n"}, schema)
            assert not any("very" in error.message for error in errors)


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_form_that_is_filled_in_well_has_no_error(kind: type[Block]) -> None:
    given = {
        "folder": "/srv/videos",
        "bucket": "videos",
        "amount": "20 USD",
        "accounts": ["apimart-credentials/prod"],
        **ADDRESS,
    }
    values = {name: value for name, value in given.items() if name in kind.model_fields}
    full = json.loads(kind.model_validate(values).model_dump_json()) | values
    for filled in (values, full):
        assert validate(filled, kind.model_json_schema()) == []


def test_none_means_not_given() -> None:
    optional = {name: None for name, field in S3VideoStore.model_fields.items() if field.default == ""}
    assert S3VideoStore.model_validate({"bucket": "videos", **optional}) == S3VideoStore(bucket="videos")


def test_half_a_pair_of_s3_keys_is_refused() -> None:
    with pytest.raises(ValidationError, match="belong together"):
        S3VideoStore(bucket="videos", aws_access_key_id="AKIA")


def test_s3_secrets_show_nowhere() -> None:
    block = S3VideoStore.model_validate(
        {"bucket": "videos", "aws_access_key_id": "AKIA", "aws_secret_access_key": "very-secret"}
    )
    assert "very-secret" not in repr(block) + block.model_dump_json() + repr(block.open())
    assert block.open() is block.open(), "clients are shared"


def test_opening_a_folder_makes_nothing(tmp_path: Path) -> None:
    LocalVideoStore(folder=tmp_path / "videos").open()
    assert not (tmp_path / "videos").exists()


@pytest.mark.usefixtures("prefect_server")
async def test_blocks_survive_saving_and_loading() -> None:
    await APIMartCredentials.model_validate({"api_key": "sk-secret", "jobs_in_flight": 3}).save("prod", overwrite=True)
    loaded = await APIMartCredentials.load("prod")
    assert loaded.api_key.get_secret_value() == "sk-secret"
    assert loaded.account().name == "prod"
    assert loaded.jobs_in_flight == 3


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    with running(Settings()) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("gateway", "balance"),
    [("12ai", False), ("omnirouters", False), ("sora", False), ("apimart", True), ("jimmyai", True)],
)
async def test_a_check_spends_nothing_and_knows_the_key(gateway: str, balance: bool, sandbox: Sandbox) -> None:
    found = await credentials(sandbox, gateway).check()
    assert found.accepted is True
    assert (found.balance is not None) is balance
    wrong = await credentials(sandbox, gateway, api_key="sk-wrong").check()
    assert wrong.accepted is False
    assert "sk-wrong" not in wrong.message
    assert sandbox.jobs() == []


async def test_a_check_says_when_nobody_is_there() -> None:
    found = await APIMartCredentials.model_validate({"api_key": "sk", "base_url": "http://127.0.0.1:9"}).check()
    assert found.accepted is None
    assert "could not be asked" in found.message


async def test_a_store_is_checked(tmp_path: Path) -> None:
    await LocalVideoStore(folder=tmp_path).check()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        await LocalVideoStore(folder=tmp_path / "file").check()


@pytest.mark.usefixtures("prefect_server")
async def test_the_doctor_examines_saved_blocks(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await credentials(sandbox, "apimart").save("doctor-good", overwrite=True)
    await credentials(sandbox, "jimmyai", api_key="sk-wrong").save("doctor-bad", overwrite=True)
    await LocalVideoStore(folder=tmp_path).save("doctor", overwrite=True)
    good = ["apimart-credentials/doctor-good", "local-video-store/doctor"]
    assert await asyncio.to_thread(examine, good) == 0
    assert await asyncio.to_thread(examine, [*good, "jimmyai-credentials/doctor-bad"]) == 1
    assert await asyncio.to_thread(examine, ["apimart-credentials/none"]) == 1
    said = capsys.readouterr().out
    assert "20 jobs in flight" in said
    assert "does not accept the key" in said


@pytest.mark.usefixtures("prefect_server")
async def test_the_doctor_examines_routes_and_budgets(capsys: pytest.CaptureFixture[str], sandbox: Sandbox) -> None:
    await credentials(sandbox, "apimart").save("doctor-route", overwrite=True)
    await VideoRoute(accounts=["apimart-credentials/doctor-route"]).save("doctor-good", overwrite=True)
    await VideoRoute(accounts=["apimart-credentials/missing"]).save("doctor-bad", overwrite=True)
    await VideoBudget(videos=3).save("doctor", overwrite=True)
    await VideoBudget(videos=3, accounts=["doctor-route", "apimart", "none"]).save("doctor-bad", overwrite=True)
    examined = ["video-route/doctor-good", "video-route/doctor-bad", "video-budget/doctor", "video-budget/doctor-bad"]
    assert await asyncio.to_thread(examine, examined) == 1
    said = capsys.readouterr().out
    assert "ok      video-route/doctor-good: first of 1 accounts, all of which are saved" in said
    assert "FAILS   video-route/doctor-bad: route doctor-bad cannot be used: block apimart-credentials/missing" in said
    assert "ok      video-budget/doctor: budget doctor (3 videos a day)" in said
    assert "FAILS   video-budget/doctor-bad counts the videos of none, and no block is saved under such a name" in said


@pytest.mark.usefixtures("prefect_server")
async def test_the_doctor_prints_what_is_wrong_with_each_block(capsys: pytest.CaptureFixture[str]) -> None:
    await save_unchecked(SoraCompatibleCredentials, "doctor-broken", {"base_url": "www", "console_user_id": "me"})
    assert await asyncio.to_thread(examine, ["sora-credentials/doctor-broken", "nothing", "nothing/prod"]) == 1
    said = capsys.readouterr().out
    for sentence in (
        "FAILS   block sora-credentials/doctor-broken cannot be used: API key: a value is required; Base URL: the base "
        "URL must look like https://host or https://host/path; Console user id: must be a whole number, such as 42. "
        "Correct it under Blocks in the Prefect UI",
        "FAILS   block 'nothing' does not exist, and neither does its type",
        "FAILS   block 'nothing/prod' does not exist, and neither does its type",
    ):
        assert sentence in said


@pytest.mark.usefixtures("prefect_server")
async def test_the_doctor_examines_everything_that_is_saved(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await credentials(sandbox, "apimart").save("doctor-all", overwrite=True)
    await save_unchecked(S3VideoStore, "doctor-all", {"bucket": "s3://videos"})
    assert await asyncio.to_thread(examine, []) == 1
    said = capsys.readouterr().out
    assert "ok      apimart-credentials/doctor-all" in said
    assert "FAILS   block s3-video-store/doctor-all cannot be used: Bucket: must be the name alone" in said


def test_a_relative_folder_in_code_is_made_absolute_where_it_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = LocalVideoStore(folder=Path("videos"))
    assert store.folder == tmp_path / "videos"
    assert str(tmp_path / "videos") in repr(store)
    monkeypatch.chdir("/")
    assert store.open().uri("") == (tmp_path / "videos").as_uri()
    travelled = LocalVideoStore.model_validate_json(store.model_dump_json())
    assert travelled.folder == store.folder
    assert LocalVideoStore(folder=Path("~/videos")).folder == Path.home() / "videos"


@pytest.mark.usefixtures("prefect_server")
async def test_a_relative_folder_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=re.escape(f"'{tmp_path / 'videos'}'")):
        await LocalVideoStore(folder=Path("videos")).save("relative")
    store = LocalVideoStore(folder=tmp_path)
    store.folder = Path("videos")
    with pytest.raises(StoreError, match="relative"):
        await store.save("relative")


async def saved_with_a_relative_folder(tmp_path: Path) -> None:
    """As the form of the Prefect UI saves it, which runs no code of ours."""
    document_id = await LocalVideoStore(folder=tmp_path).save("relative", overwrite=True)
    async with get_client() as server:
        await server.update_block_document(
            document_id, BlockDocumentUpdate(data={"folder": "videos"}, merge_existing_data=True)
        )


@pytest.mark.usefixtures("prefect_server")
async def test_a_relative_folder_is_not_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await saved_with_a_relative_folder(tmp_path)
    for load in (LocalVideoStore.aload("relative"), Block.aload("local-video-store/relative")):
        with pytest.raises(StoreError, match=re.escape(f"'{Path.cwd() / 'videos'}'")):
            await load
    with pytest.raises(StoreError, match="relative"):
        generate_videos.validate_parameters(
            {
                "prompts": ["x"],
                "credentials": APIMartCredentials.model_validate({"api_key": "sk"}),
                "store": {"folder": "videos"},
            }
        )
    assert await asyncio.to_thread(examine, ["local-video-store/relative"]) == 1
    assert "FAILS" in (said := capsys.readouterr().out)
    assert str(Path.cwd() / "videos") in said


def test_prices_are_checked_when_the_block_is_made() -> None:
    """And survive being saved: in the same unit as the bill, and from one place only."""
    kind = APIMartCredentials
    block = kind.model_validate({"api_key": "sk-1", "prices": [{"model": "a", "per_second": "0.1 USD"}]})
    saved = json.loads(block.model_dump_json(context={"include_secrets": True}))
    assert saved["prices"][0]["per_second"] == "0.10 USD"
    assert kind.model_validate(saved).price_list() == block.price_list()
    credits_ = {"prices": [{"per_video": "10 credits"}], "currency": "credits"}
    assert kind.model_validate({"api_key": "sk-1", **credits_}).account().gateway.currency == "credits"
    for given, says in (
        ({"prices": [{"per_video": "-1 USD"}]}, "such as 12.50 USD"),
        ({"prices": [{"per_video": "10 credits"}]}, "prices are in credits, and the account is billed in USD"),
        ({"prices": [{"per_video": "1 USD"}, {"model": "a", "per_video": "1 EUR"}]}, "price 2 is in EUR"),
        ({"prices": [{"per_video": "1 USD"}], "price_file": "prices.yaml"}, "exclude each other"),
        ({"currency": "dollars"}, "currency"),
    ):
        with pytest.raises(ValidationError, match=says):
            kind.model_validate({"api_key": "sk-1", **given})
