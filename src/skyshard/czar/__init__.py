"""The query engine: SQL in, Arrow out, over chunks on many nodes; ``czar`` is the door, ``mono`` the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.czar.czar import Czar as Czar
    from skyshard.czar.explain import Explanation as Explanation
    from skyshard.czar.mono import MonoTarget as MonoTarget
    from skyshard.czar.result.analysis import Analysis as Analysis
    from skyshard.czar.result.answer import Answer as Answer
    from skyshard.czar.result.answer import QueryResult as QueryResult
    from skyshard.czar.result.answer import QueryStats as QueryStats
    from skyshard.czar.result.answer import ReadyAnswer as ReadyAnswer
    from skyshard.czar.submitted_queries import QueryStatus as QueryStatus
    from skyshard.czar.submitted_queries import Recorder as Recorder
    from skyshard.czar.submitted_queries import Submitted as Submitted
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "Analysis": "result.analysis",
            "Answer": "result.answer",
            "Czar": "czar",
            "Explanation": "explain",
            "ReadyAnswer": "result.answer",
            "MonoTarget": "mono",
            "QueryResult": "result.answer",
            "QueryStats": "result.answer",
            "QueryStatus": "submitted_queries",
            "Recorder": "submitted_queries",
            "Submitted": "submitted_queries",
        },
    )
