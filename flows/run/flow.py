"""The kind of flow that all flows of this package are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, Self, TypeVar, cast
from uuid import UUID

from prefect import Flow
from prefect.logging.loggers import flow_run_logger
from prefect.runtime import flow_run
from prefect.utilities.collections import visit_collection
from typing_extensions import override

from prefect_omnivideo.blocks.saved import BlockError, load_saved
from prefect_omnivideo.blocks.stores import VideoStore
from prefect_omnivideo.core.errors import refuse
from prefect_omnivideo.core.sheets.kept import keep
from prefect_omnivideo.flows.run.ending import ends_plainly

LONGEST_LIST = 400_000
"""Bytes of a list of prompts within the parameters of a run, which Prefect limits to 512,000 in all."""
_ADJECTIVES = (
    "Awesome|Rustic|Small|Gorgeous|Fantastic|Sleek|Intelligent|Unbranded|Refined|Licensed|Generic|Practical|Ergonomic|"
    "Handcrafted|Tasty|Handmade|Incredible"
)
_GENERATED = re.compile(rf"[a-z0-9]+(-[a-z0-9]+){{1,2}}|({_ADJECTIVES})-.*")
P = ParamSpec("P")
R = TypeVar("R")


class VideoFlow(Flow[P, R]):
    """A flow whose run says in its log why it could not begin, and names the saved blocks that cannot be used."""

    @override
    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            return super().validate_parameters(with_blocks(parameters))
        except Exception as error:
            if flow_run.id:  # Prefect logs this error where the page of the run does not show it
                flow_run_logger(flow_run_id=UUID(flow_run.id), flow=self).error("%s", error)
            raise

    @override
    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """As Prefect stores them, which refuses long ones: a long list of prompts stays in the store of the run."""
        serialized = super().serialize_parameters(parameters)
        if len(json.dumps(serialized.get("prompts"))) <= LONGEST_LIST:
            return serialized
        store = parameters.get("store")
        if not isinstance(store, VideoStore):
            rule = "the list is too long for a parameter, and is kept in the store only if that is given as a block"
            raise refuse("prompts", rule, "a loaded store, a shorter list, or a sheet", subject="parameters")
        return serialized | super().serialize_parameters({"prompts": keep(parameters["prompts"], store.open())})

    @override
    def with_options(self, *args: Any, **options: Any) -> Self:
        changed = super().with_options(*args, **options)
        changed.__class__ = type(self)  # Prefect always makes a plain Flow
        return cast("Self", changed)


def video_flow(
    **settings: Any,
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], VideoFlow[P, Coroutine[Any, Any, R]]]:
    """As `prefect.flow`, with the same settings; a failure ends with its message alone (`ends_plainly`)."""

    if callable(name := settings.get("flow_run_name")):
        settings["flow_run_name"] = unless_typed(cast("Callable[[], str]", name))

    def decorate(work: Callable[P, Coroutine[Any, Any, R]]) -> VideoFlow[P, Coroutine[Any, Any, R]]:
        return VideoFlow(fn=ends_plainly(work), **settings)

    return decorate


def unless_typed(name_of_run: Callable[[], str]) -> Callable[[], str]:
    """The name of a run: what somebody typed in the form or gave to `run_deployment`, otherwise that of the flow.

    Nothing says whether a name was typed, but generated names are words joined by hyphens: `refined-jaguar` from the
    server, `alpha4-quatal-expanse` from the old form, and `Refined-Jaguar` from the new one.
    """

    def name() -> str:
        given = flow_run.name
        return name_of_run() if given is None or _GENERATED.fullmatch(given) else given

    return name


def with_blocks(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters with the saved blocks that they refer to.

    Raises:
        BlockError: naming every block that cannot be used, and why.
    """
    problems: list[str] = []

    def resolve(value: Any) -> Any:
        if isinstance(value, dict) and "$ref" in value:
            try:
                return load_saved(cast("dict[str, Any]", value)["$ref"])
            except BlockError as error:
                problems.append(str(error))
        return cast("object", value)

    found = visit_collection(parameters, resolve, return_data=True)
    if problems:
        raise BlockError("; ".join(problems))
    return cast("dict[str, Any]", found)
