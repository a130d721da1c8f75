"""What is asked of a table of observations."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.testbed.obscore import ObsCoreOrder


def test_constants_of_no_database_of_the_order_are_refused() -> None:
    """They would be those of the filters, and nobody would be told."""
    ObsCoreOrder(("dp1", "hsc"), constants={"hsc": "hsc"})
    with pytest.raises(UserError, match="constants of 'hcs', which is none of the databases"):
        ObsCoreOrder(("dp1", "hsc"), constants={"hcs": "hsc"})
