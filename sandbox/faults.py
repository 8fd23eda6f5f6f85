"""Fault injection: by a plan in a file, or by a marker in a prompt.

A marker is `[fault:NAME]`, `[fault:NAME=VALUE]`, `[fault:NAME*TIMES]` or `[fault:NAME=VALUE*TIMES]`; a prompt may carry
several markers.
"""

import json
import random
import re
from collections import Counter
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, cast

Stage = Literal["refusal", "answer", "job", "poll", "link", "media"]
"""What a fault affects: a submission before it is accepted, its answer, the job, its queries, links or bytes."""

GATEWAYS: Final = ("12ai", "omnirouters", "sora", "apimart", "jimmyai")
"""The gateways' names in the sandbox, which are also the path prefixes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault: how often it affects a prompt (None: always) and its value, if it takes one, by default."""

    name: str
    stage: Stage
    times: int | None = None
    value: float | None = None


_ALL = (
    Kind("429", "refusal", times=1),
    Kind("retry-after", "refusal", times=1, value=1),  # seconds
    Kind("429-empty", "refusal", times=1),
    *(Kind(name, "refusal") for name in ("400", "500", "502", "503", "504", "524", "drop-before", "no-balance")),
    *(Kind(name, "answer") for name in ("drop-after", "500-after", "garbage")),
    Kind("slow", "answer", value=5),  # seconds
    *(
        Kind(name, "job")
        for name in ("fail", "moderated", "never", "strange-status", "cancelled", "no-url", "two-files")
    ),
    *(Kind(name, "poll", times=1) for name in ("poll-429", "poll-500", "poll-drop", "poll-garbage")),
    Kind("gone", "poll", value=1),  # the first query that no longer knows the task
    Kind("expired-link", "link", times=1),
    Kind("truncate", "media", times=1),
    *(Kind(name, "media") for name in ("truncate-silent", "link-403", "html-video", "json-video", "redirect")),
    Kind("slow-body", "media", value=65_536),  # bytes per second
)
KINDS: Final = {kind.name: kind for kind in _ALL}
"""Every fault by its name."""

_MARKER = re.compile(r"\[fault:([^\]]*)\]")
_INSIDE = re.compile(r"([a-z0-9-]+)(?:=(\d+(?:\.\d+)?))?(?:\*([1-9]\d*))?")


class FaultError(ValueError):
    """A plan or a marker that is not valid; the message names the entry and the rule."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule, for submissions to `gateway` (None: any) whose prompt matches the pattern `match`.

    `times` counts per prompt text (None: the default of the kind), `value` is in the unit of the kind, `probability` is
    drawn for each occasion.
    """

    fault: str
    gateway: str | None = None
    match: str | None = None
    value: float | None = None
    times: int | None = None
    probability: float | None = None

    def __post_init__(self) -> None:
        kind = KINDS.get(self.fault)
        if kind is None:
            raise FaultError(f"there is no fault {self.fault!r}; there are: {', '.join(KINDS)}")
        if self.gateway is not None and self.gateway not in GATEWAYS:
            raise FaultError(f"gateway must be null or one of {', '.join(GATEWAYS)}, not {self.gateway!r}")
        if self.value is not None and kind.value is None:
            raise FaultError(f"the fault {self.fault} takes no value")
        if self.value is not None and not (_is_number(self.value) and self.value > 0):
            raise FaultError(f"value must be a number above 0, not {self.value!r}")
        if self.times is not None and not (type(self.times) is int and self.times >= 1):
            raise FaultError(f"times must be a whole number, 1 or more, not {self.times!r}")
        if self.probability is not None and not (_is_number(self.probability) and 0 <= self.probability <= 1):
            raise FaultError(f"probability must be a number from 0 to 1, not {self.probability!r}")
        try:
            re.compile(self.match or "")
        except (re.error, TypeError) as error:
            raise FaultError(f"match must be a regular expression, not {self.match!r}: {error}") from None

    @property
    def kind(self) -> Kind:
        """The kind named by `fault`."""
        return KINDS[self.fault]


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """The rules of a run, tried in order, and the random seed for their probabilities."""

    faults: tuple[Fault, ...] = ()
    seed: int = 0

    @classmethod
    def load(cls, path: str | Path) -> "FaultPlan":
        """Read `{"faults": [{"fault": …, …}], "seed": 0}`; a plan that breaks a rule raises `FaultError`."""
        try:
            plan: object = json.loads(Path(path).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise FaultError(f"{path}: cannot be read as JSON: {error}") from None
        if not isinstance(plan, dict):
            raise FaultError(f"{path}: must be an object with the keys 'faults' and 'seed'")
        plan = cast("dict[str, Any]", plan)
        entries, seed = plan.get("faults", []), plan.get("seed", 0)
        if unknown := plan.keys() - {"faults", "seed"}:
            raise FaultError(f"{path}: unknown key {min(unknown)!r}; the keys are 'faults' and 'seed'")
        if not isinstance(entries, list) or type(seed) is not int:
            raise FaultError(f"{path}: 'faults' must be a list and 'seed' a whole number")
        rules = [_rule(f"{path}: faults[{index}]", entry) for index, entry in enumerate(cast("list[object]", entries))]
        return cls(tuple(rules), seed)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rule(where: str, entry: object) -> Fault:
    if not isinstance(entry, dict) or "fault" not in entry:
        raise FaultError(f"{where}: must be an object with the key 'fault'")
    entry = cast("dict[str, Any]", entry)
    known = [field.name for field in fields(Fault)]
    if unknown := entry.keys() - set(known):
        raise FaultError(f"{where}: unknown key {min(unknown)!r}; the keys are {', '.join(known)}")
    try:
        return Fault(**entry)
    except FaultError as error:
        raise FaultError(f"{where}: {error}") from None


@lru_cache(maxsize=4096)
def markers(prompt: str) -> tuple[Fault, ...]:
    """The faults in a prompt's markers; a marker that is not valid raises `FaultError`."""
    found: list[Fault] = []
    for text in _MARKER.findall(prompt):
        parts = _INSIDE.fullmatch(text)
        if parts is None:
            raise FaultError(
                f"[fault:{text}] is no marker: write [fault:NAME], [fault:NAME=VALUE] or [fault:NAME*TIMES]"
            )
        name, value, times = parts.groups()
        found.append(Fault(name, value=float(value) if value else None, times=int(times) if times else None))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Hit:
    """A fault to inject now."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that was injected."""

    gateway: str
    fault: str
    prompt: str


class Faults:
    """Applies the plan, and counts how often each rule matched and affected each prompt."""

    def __init__(self, plan: FaultPlan) -> None:
        self._plan = plan
        self._met: Counter[tuple[object, str]] = Counter()
        self._struck: Counter[tuple[object, str]] = Counter()
        self.injected: list[Injected] = []

    def take(self, stage: Stage, gateway: str, prompt: str, *, nth: int = 1, but: str = "") -> Hit | None:
        """The first rule that applies at this stage, which is counted; never `but`; `nth` numbers a job's queries."""
        for source, rule in self._rules(stage, gateway, prompt):
            if rule.fault == but or (rule.fault == "gone" and nth < (rule.value or 1)):
                continue
            if self._strikes(source, rule, gateway, prompt):
                return _hit(rule)
        return None

    def job(self, gateway: str, prompt: str) -> dict[str, float]:
        """Every job fault of this submission, with its value."""
        struck = [
            _hit(rule)
            for source, rule in self._rules("job", gateway, prompt)
            if self._strikes(source, rule, gateway, prompt)
        ]
        return {hit.name: hit.value for hit in struck}

    def reset(self) -> None:
        """Reset the counts."""
        self.injected.clear()
        self._met.clear()
        self._struck.clear()

    def _rules(self, stage: Stage, gateway: str, prompt: str) -> list[tuple[object, Fault]]:
        if not self._plan.faults and "[fault:" not in prompt:
            return []
        rules: list[tuple[object, Fault]] = [(rule, rule) for rule in markers(prompt) if rule.kind.stage == stage]
        for index, rule in enumerate(self._plan.faults):
            if rule.kind.stage == stage and rule.gateway in (None, gateway) and re.search(rule.match or "", prompt):
                rules.append((index, rule))
        return rules

    def _strikes(self, source: object, rule: Fault, gateway: str, prompt: str) -> bool:
        key = (source, prompt)
        times = rule.times or rule.kind.times
        if times is not None and self._struck[key] >= times:
            return False
        if rule.probability is not None:
            self._met[key] += 1
            draw = random.Random(f"{self._plan.seed} {source} {self._met[key]} {prompt}")  # noqa: S311 - a repeatable draw is wanted
            if draw.random() >= rule.probability:
                return False
        self._struck[key] += 1
        self.injected.append(Injected(gateway, rule.fault, prompt))
        return True


def _hit(rule: Fault) -> Hit:
    return Hit(rule.fault, rule.value or rule.kind.value or 0)
