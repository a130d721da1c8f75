"""A process of several sends one message about a test that passed instead of five: that tests are set up is no news.

Sending, receiving and counting them took as long as half of the unit tests take by themselves. Whoever asks for times
of set-up (``--durations``), for each test's name (``-v``) or for an end at the first failure gets pytest's own way.
"""

from __future__ import annotations

import pytest
from _pytest.runner import runtestprotocol


class BriefReports:
    """Runs a test as pytest does, and tells of its call, and of whatever did not pass."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            if report.when == "call" or not report.passed:
                item.ihook.pytest_runtest_logreport(report=report)
        return True


def are_wanted(config: pytest.Config) -> bool:
    """Whether this is one of several processes, whose reports nobody wants to know more of."""
    asks_more = ("durations", "maxfail", "xmlpath", "setupshow", "setuponly", "setupplan")
    is_asked = config.get_verbosity() > 0 or any(config.getoption(name, None) for name in asks_more)
    return hasattr(config, "workerinput") and not is_asked
