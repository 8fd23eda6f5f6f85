"""How every test here asks a room: by gateway name, with a native body or a portable request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import HttpCall
from prefect_omnivideo.core.gateways.validation import check_native, translate
from prefect_omnivideo.core.request import VideoRequest

Wanted = Mapping[str, Any] | VideoRequest


def _call(name: str, wanted: Wanted) -> HttpCall:
    gateway = get_gateway(name)
    native = translate(gateway, wanted) if isinstance(wanted, VideoRequest) else check_native(gateway, wanted)
    return gateway.encode(native, gateway.routes[0].submit)


def _problem(name: str, wanted: Wanted) -> Problem:
    with pytest.raises(RequestError) as caught:
        _call(name, wanted)
    (problem,) = caught.value.problems
    return problem


@pytest.fixture
def call() -> Callable[[str, Wanted], HttpCall]:
    """The HTTP call a body or a request becomes."""
    return _call


@pytest.fixture
def problem() -> Callable[[str, Wanted], Problem]:
    """The one rule a body or a request breaks."""
    return _problem
