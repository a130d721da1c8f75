"""Requests of a client as data (``tests/cases/qserv_*.yaml``), and their replay against a server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2 as httpx
import yaml
from tests.support.asking import ASK_EVERY_S

CASES = Path(__file__).parents[1] / "cases"
PATIENCE_S = 60.0


def read_rest_cases(name: str) -> list[dict[str, Any]]:
    """The steps of a file, in order: later ones use what earlier ones saved."""
    found: list[dict[str, Any]] = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    return found


def replay(
    client: httpx.Client,
    steps: list[dict[str, Any]],
    headers: Mapping[str, str] | None = None,
    *,
    database: str = "",
    given: Mapping[str, Any] | None = None,
) -> list[str]:
    """What came back otherwise than it should, a line a step; ``database`` takes the place of ``sky``,
    ``given`` is known as if a step had saved it."""
    saved: dict[str, Any] = dict(given or {})
    for step in steps:
        if database and isinstance(step.get("body"), dict) and step["body"].get("database") == "sky":
            step["body"]["database"] = database
    wrong: list[str] = []
    for raw in steps:
        step = raw | {key: _filled(raw[key], saved) for key in ("body", "want", "until") if key in raw}
        answer = _asked(client, step, saved, headers)
        faults = list(_faults(step, answer))
        wrong += [f"{step['name']}: {fault}" for fault in faults]
        if not faults:
            saved |= {name: _at(answer.json(), key) for name, key in step.get("save", {}).items()}
    return wrong


def _at(found: Any, place: str) -> Any:
    """A value by the keys and numbers that lead to it: ``databases.sky.transactions.0.id``."""
    for key in place.split("."):
        found = found[int(key)] if isinstance(found, list) else found[key]
    return found


def _filled(content: Any, saved: Mapping[str, Any]) -> Any:
    """Content with what earlier steps saved: ``{name}`` alone is the value itself."""
    if isinstance(content, dict):
        return {key: _filled(value, saved) for key, value in content.items()}
    if isinstance(content, list):
        return [_filled(value, saved) for value in content]
    if not isinstance(content, str) or "{" not in content:
        return content
    for name, value in saved.items():
        if content == f"{{{name}}}":
            return value
        content = content.replace(f"{{{name}}}", str(value))
    return content


def _asked(
    client: httpx.Client, step: dict[str, Any], saved: Mapping[str, Any], headers: Mapping[str, str] | None
) -> httpx.Response:
    method, _, path = step["ask"].partition(" ")
    content = step.get("raw") or (json.dumps(step["body"]) if "body" in step else None)
    until_s = time.monotonic() + PATIENCE_S
    while True:
        url = str(client.base_url).rstrip("/") + path.format(**saved)
        sent: dict[str, Any] = {"content": content}
        if "form" in step:
            files = {name: (name, text) for name, text in step["files"].items()}
            sent = {"data": step["form"], "files": files}
        answer = client.request(method, url, headers=dict(headers or {}), **sent)
        if "until" not in step or not list(differences(step["until"], answer.json())):
            return answer
        if time.monotonic() > until_s:
            return answer
        time.sleep(ASK_EVERY_S)


def _faults(step: dict[str, Any], answer: httpx.Response) -> Iterator[str]:
    if answer.status_code != step.get("status", 200):
        yield f"HTTP status {answer.status_code}"
    elif (wanted := step.get("want", step.get("until"))) is not None:
        yield from differences(wanted, answer.json())


def differences(wanted: Any, found: Any, where: str = "") -> Iterator[str]:
    """Where an answer lacks what is wanted; it may have more keys."""
    if isinstance(wanted, dict) and isinstance(found, dict) and wanted:
        for key, value in wanted.items():
            if key not in found:
                yield f"{where}{key} is missing"
            else:
                yield from differences(value, found[key], f"{where}{key}.")
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, f"{where}{number}.")
    elif type(wanted) is not type(found) or wanted != found:
        yield f"{where.rstrip('.')} is {found!r}, not {wanted!r}"
