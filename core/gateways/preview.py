"""The HTTP call that a request would become, for people to look at."""

from __future__ import annotations

from pydantic import BaseModel, JsonValue

from prefect_omnivideo.core.gateways.specification import Gateway, Route, join_url


def preview(gateway: Gateway, body: BaseModel, base_url: str, route: Route) -> dict[str, JsonValue]:
    """The HTTP call that would be made, with the key hidden: method, url, headers and json, or form and files."""
    call = gateway.encode(body, route.submit)
    headers: dict[str, JsonValue] = {"Authorization": "Bearer ***", "Accept": "application/json"}
    shown: dict[str, JsonValue] = {"method": call.method, "url": join_url(base_url, call.path), "headers": headers}
    if call.json is not None:
        headers["Content-Type"] = "application/json"
        shown["json"] = call.json
        return shown
    headers["Content-Type"] = "multipart/form-data"
    form: dict[str, JsonValue] = {}
    for name in dict.fromkeys(name for name, _ in call.form):
        values: list[JsonValue] = [value for key, value in call.form if key == name]
        form[name] = values if name.endswith("[]") else values[0]
    shown["form"] = form
    if call.files:
        shown["files"] = {name: path.name for name, path in call.files}
    return shown
