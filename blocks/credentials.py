"""The base of every gateway's credentials block: key, address and limits."""

from __future__ import annotations

from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, field_validator, model_validator

from prefect_omnivideo.blocks.answers import AnswerCorrections
from prefect_omnivideo.blocks.fields import BaseURL
from prefect_omnivideo.blocks.home import documentation
from prefect_omnivideo.core.client.account import Account, Fallback
from prefect_omnivideo.core.client.check import AccountCheck, check_account
from prefect_omnivideo.core.client.console import Console
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.gateways.corrections import corrected
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Gateway, Route
from prefect_omnivideo.core.money.amount import UNIT
from prefect_omnivideo.core.money.prices import Price, PriceList
from prefect_omnivideo.core.prices.lists import MAX_BYTES, check_unit, parse_prices, price_list
from prefect_omnivideo.core.sheets.source import read


class GatewayCredentials(Block):
    """A key for one AI-video gateway, its address, and the limits of the account."""

    _block_type_name = "Gateway Credentials"
    _block_type_slug = "omnivideo-gateway-credentials"
    _documentation_url: ClassVar[Any] = documentation()
    _gateway_name: ClassVar[str]
    _fallback: Fallback | None = PrivateAttr(default=None)

    # A validation error in one field would otherwise show all input values.
    model_config = ConfigDict(hide_input_in_errors=True)

    api_key: SecretStr = Field(
        title="API key",
        description="The gateway's API key. It is sent to the base URL and nowhere else.",
        json_schema_extra={"minLength": 1},  # no pattern: the error of a form would show the key
    )
    base_url: BaseURL
    jobs_in_flight: int = Field(
        default=20,
        ge=1,
        le=5000,
        description="Jobs this account may have running at the gateway at a time, per flow run. Across workers: "
        "prefect gcl create omnivideo-GATEWAY-BLOCK --limit N.",
    )
    submissions_per_minute: int = Field(
        default=0,
        ge=0,
        description="Most jobs to submit in any minute. 0: no limit.",
    )
    requests_in_flight: int = Field(
        default=8,
        ge=1,
        le=16,
        description="HTTP requests at a time, 16 at most; more cost CPU and gain nothing.",
    )
    request_seconds: float = Field(
        default=90.0,
        gt=0,
        le=600,
        description="How long one HTTP request may take, in seconds.",
    )
    poll_seconds: float = Field(
        default=5.0,
        gt=0,
        le=300,
        description="Shortest pause between two status queries of a job, in seconds.",
    )
    currency: str = Field(
        default="",
        pattern=rf"^({UNIT})?$",
        description='What the gateway bills this account in: an ISO 4217 code such as USD, or "credits". Empty: what '
        "the gateway's documents say, if they do.",
    )
    prices: list[Price] = Field(
        default=[],
        description="What videos cost on this account. The first price that fits a video counts. Empty: unknown, "
        "unless the gateway or earlier videos tell.",
    )
    price_file: str = Field(
        default="",
        title="Price file",
        description="The same in a file, YAML or JSON, in place of prices: a path on the worker, an https:// URL or "
        "s3://bucket/key.",
    )
    require_balance: bool = Field(
        default=False,
        description="Refuse to start a run whose estimated cost is above the account's balance. Without it, that is "
        "only said. Where no page tells the balance, or nothing the price, a run starts.",
    )
    answers: AnswerCorrections = Field(
        default=AnswerCorrections(),
        description="Corrections for a gateway whose answers differ from its documents. Empty: none.",
    )

    @field_validator("api_key")
    @classmethod
    def _a_key(cls, key: SecretStr) -> SecretStr:
        value = key.get_secret_value()
        if not value.strip() or any(ord(character) < 33 or ord(character) > 126 for character in value):
            raise ValueError("the API key is empty, or contains spaces or characters that an HTTP header cannot have")
        return key

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("the base URL must look like https://host or https://host/path")
        if parts.username or parts.password:
            raise ValueError("the base URL must not contain a user name or password; the key goes into api_key")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _one_price_list(self) -> Self:
        if self.prices and self.price_file:
            raise ValueError("prices and price_file exclude each other: give one of them")
        if self.prices:
            check_unit(price_list({"prices": self.prices}, "prices"), self.account().gateway, "prices")
        return self

    def price_list(self) -> PriceList | None:
        """The account's own prices, read from their file if they are in one.

        Raises:
            RequestError: naming what is wrong with the file, or that there is none.
            StoreUnavailableError: the file cannot be read for now.
        """
        if self.prices:
            return price_list({"prices": self.prices}, "prices")
        if not self.price_file:
            return None
        try:
            file = read(self.price_file, at_most=MAX_BYTES)
        except RequestError as error:
            raise RequestError(
                [each._replace(field="price_file") for each in error.problems], subject="prices"
            ) from None
        return check_unit(parse_prices(file.data, file.name), self.account().gateway, file.name)

    @property
    def gateway(self) -> Gateway:
        """The gateway these credentials are for."""
        return get_gateway(self._gateway_name)

    @property
    def account_name(self) -> str:
        """The saved block's name, or the gateway's slug for credentials that were never saved."""
        return self._block_document_name or self._gateway_name

    def console(self) -> Console | None:
        """Access to the gateway's console, if it has a known one and its credentials are set."""
        return None

    async def check(self) -> AccountCheck:
        """Test the connection without spending anything: is the key accepted, and what is the balance, if known."""
        return await check_account(self.account())

    @property
    def account_id(self) -> str:
        """What tells it apart from the other accounts of a run; see `Account.id`."""
        return f"{self._gateway_name}/{self.account_name}"

    @property
    def block_names(self) -> frozenset[str]:
        """What people call the account: the name of its saved block, alone and with its kind."""
        name = self.account_name
        return frozenset((name, f"{type(self).get_block_type_slug()}/{name}"))

    def on_route(self, fallback: Fallback) -> Self:
        """The same account, as one of a route."""
        routed = self.model_copy()
        routed._fallback = fallback
        return routed

    def account(self) -> Account:
        """The account for the client."""
        return Account(
            gateway=corrected(self.gateway, self.answers.corrections(self.currency)),
            name=self.account_name,
            base_url=self.base_url,
            api_key=self.api_key,
            route=self._route(),
            jobs_in_flight=self.jobs_in_flight,
            submissions_per_minute=self.submissions_per_minute or None,
            requests_in_flight=self.requests_in_flight,
            request_seconds=self.request_seconds,
            poll_seconds=self.poll_seconds,
            key_field=self._key_field(),
            fallback=self._fallback,
        )

    def _key_field(self) -> str:
        return ""

    def _route(self) -> Route:
        return self.gateway.routes[0]
