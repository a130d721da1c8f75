"""A workload of one template of one's own, in a folder of its own."""

from __future__ import annotations

from pathlib import Path


def own_workload(folder: Path, body: str) -> Path:
    (folder / "sql" / "LV").mkdir(parents=True)
    header = "-- class: LV\n-- description: d\n-- why: w\n-- parameters: {id: {type: id}}\n"
    (folder / "sql" / "LV" / "a.sql").write_text(header + body)
    (folder / "workloads").mkdir()
    file = folder / "workloads" / "w.yaml"
    file.write_text(
        "version: 1\nname: w\ndescription: d\ndatabase: tiny\nseed: 1\ncheck_answers: true\n"
        "phases: [{name: p, classes: [{class: LV, templates: [a], count: 3}]}]\n"
    )
    return file
