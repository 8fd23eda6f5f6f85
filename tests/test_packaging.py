"""What is installed is what is in the folders; the layers hold; every name that is promised is there."""

import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import prefect_omnivideo
from prefect_omnivideo import flows, tasks
from prefect_omnivideo.core.gateways.registry import gateway_names, get_gateway

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_package_list_names_every_folder_with_code() -> None:
    apart = {"tests", "bench", "docs", "build", "deployments"}
    folders = {
        "prefect_omnivideo" + "".join(f".{part}" for part in path.parent.relative_to(ROOT).parts)
        for path in ROOT.rglob("__init__.py")
        if not apart & set(path.relative_to(ROOT).parts) and not any(p.startswith(".") for p in path.parts)
    }
    assert folders == set(PROJECT["tool"]["setuptools"]["packages"])


def test_public_names() -> None:
    assert set(prefect_omnivideo.__all__) == {
        "APIMartCredentials",
        "JimmyAICredentials",
        "LocalVideoStore",
        "OmniRoutersCredentials",
        "S3VideoStore",
        "SoraCompatibleCredentials",
        "TwelveAICredentials",
        "VideoBudget",
        "VideoRequest",
        "VideoRoute",
    }
    assert {"generate_video", "generate_videos", "generate_from_sheet"} <= set(flows.__all__)
    for name in ("twelveai", "omnirouters", "sora", "apimart", "jimmyai"):
        assert {f"submit_{name}_video", f"poll_{name}_video"} <= set(tasks.__all__)
        assert getattr(tasks, f"submit_{name}_video").name.startswith("Submit ")
    for module in (prefect_omnivideo, flows, tasks):
        assert all(hasattr(module, name) for name in module.__all__)


def test_gateways_are_found_by_entry_point() -> None:
    assert set(gateway_names()) >= {"12ai", "omnirouters", "sora", "apimart", "jimmyai"}
    assert all(get_gateway(name).name == name for name in gateway_names())


def test_prefect_finds_the_collection() -> None:
    assert "prefect_omnivideo" in {entry.name for entry in entry_points(group="prefect.collections")}


def test_no_task_result_is_ever_cached() -> None:
    from prefect.cache_policies import NO_CACHE

    for name in tasks.__all__:
        node = getattr(tasks, name)
        if name != "nodes":
            assert node.cache_policy == NO_CACHE, name


def test_pins_have_hashes_and_name_no_index() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if "==" in line]
    assert pins
    assert all(line.rstrip().endswith("\\") for line in pins)
    assert not any("://" in line or line.startswith("-") for line in lines)
