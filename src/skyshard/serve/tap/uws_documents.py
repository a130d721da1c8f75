"""The documents of UWS 1.1: a job, its parts, and the list of jobs. Text only."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from skyshard.basics.errors import UserError
from skyshard.serve.tap.jobs import Job, Phase
from skyshard.serve.votable.document import attribute, xml_text

_NAMES = (
    'xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
RESULT = "result"
"""Name of the only result of a job."""


def shown_time(seconds: float) -> str:
    """A time as UWS writes it, in UTC; empty for none.

    >>> shown_time(0.5), shown_time(-60_000_000_000)
    ('1970-01-01T00:00:00.500Z', '0068-09-03T13:20:00.000Z')
    """
    if not seconds:
        return ""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def read_time(text: str) -> float:
    """Seconds since 1970 of a time in ISO 8601; UTC where it names no zone.

    Raises:
        UserError: it is none.

    >>> read_time("1970-01-02T00:00:00"), read_time("1970-01-01T00:00:01.5Z")
    (86400.0, 1.5)
    """
    try:
        moment = datetime.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return moment.astimezone(datetime.UTC).timestamp()
    except (ValueError, OverflowError):  # in UTC its year may be none
        raise UserError(f"'{text[:40]}' is no time", remedy="write 2026-11-30T12:00:00Z") from None


def job_document(job: Job, phase: Phase, url: str) -> str:
    """All about a job, which is at ``url``."""
    parts = [
        f'{_DECLARATION}<uws:job version="1.1" {_NAMES}>\n',
        _element("jobId", job.job_id), _element("runId", job.run_id) if job.run_id else "",
        _element("ownerId", job.owner), _element("phase", phase), _element("quote", ""),
        _element("creationTime", shown_time(job.created_s)), _element("startTime", shown_time(job.begun_s)),
        _element("endTime", shown_time(job.ended_s)), _element("executionDuration", str(job.duration_s)),
        _element("destruction", shown_time(job.destruction_s)), _parameters(job, ""), _results(phase, url, ""),
        _error_summary(job, phase), "</uws:job>\n",
    ]  # fmt: skip
    return "".join(parts)


def parameters_document(job: Job) -> str:
    return _DECLARATION + _parameters(job, f" {_NAMES}")


def results_document(phase: Phase, url: str) -> str:
    return _DECLARATION + _results(phase, url, f" {_NAMES}")


def jobs_document(jobs: Sequence[tuple[Job, Phase]], url: str) -> str:
    """The list of jobs; ``url`` is that of the list."""
    parts = [f'{_DECLARATION}<uws:jobs version="1.1" {_NAMES}>\n']
    for job, phase in jobs:
        where = attribute("id", job.job_id) + attribute("xlink:href", f"{url}/{job.job_id}")
        run = _element("runId", job.run_id) if job.run_id else ""
        created = _element("creationTime", shown_time(job.created_s))
        parts.append(f"<uws:jobref{where}>{_element('phase', phase)}{run}")
        parts.append(f"{_element('ownerId', job.owner)}{created}</uws:jobref>\n")
    return "".join([*parts, "</uws:jobs>\n"])


def _element(name: str, text: str) -> str:
    if not text:
        return f'<uws:{name} xsi:nil="true"/>\n'
    return f"<uws:{name}>{xml_text(text)}</uws:{name}>\n"


def _parameters(job: Job, names: str) -> str:
    inside = "".join(
        f"<uws:parameter{attribute('id', name)}>{xml_text(value)}</uws:parameter>\n"
        for name, value in job.parameters.items()
    )
    return f"<uws:parameters{names}>\n{inside}</uws:parameters>\n"


def _results(phase: Phase, url: str, names: str) -> str:
    where = attribute("xlink:href", f"{url}/results/{RESULT}")
    inside = f'<uws:result id="{RESULT}" xlink:type="simple"{where}/>\n' if phase is Phase.COMPLETED else ""
    return f"<uws:results{names}>\n{inside}</uws:results>\n"


def has_error(job: Job, phase: Phase) -> bool:
    """Whether a job says why it has no rows: it failed, or its time was over."""
    return phase is Phase.ERROR or (phase is Phase.ABORTED and bool(job.error))


def _error_summary(job: Job, phase: Phase) -> str:
    if not has_error(job, phase):
        return ""
    message = f"<uws:message>{xml_text(job.error)}</uws:message>"
    return f'<uws:errorSummary type="fatal" hasDetail="true">{message}</uws:errorSummary>\n'
