"""The fit gives back costs that were planted."""

import pytest
from tests.support.planted_costs import PLANTED, SHARED, planted_trials

from skyshard.basics.errors import UserError
from skyshard.bench.model.fit_costs import fit_costs
from skyshard.bench.model.observations import observe


def test_planted_costs_are_found() -> None:
    """Overheads and prices of rows, pairs, chunks and answers come back from times without scatter."""
    fitted = fit_costs(observe(planted_trials())[0])
    assert fitted.scatter < 1e-3
    for key, (_, planted) in PLANTED.items():
        found = fitted.costs[key]
        assert found.row_s == pytest.approx(planted.row_s, rel=0.02, abs=1e-9), key
        assert found.pair_s == pytest.approx(planted.pair_s, rel=0.02, abs=1e-12), key
        assert found.chunk_s == pytest.approx(SHARED["chunk_s"], rel=0.02)
        assert found.answer_s == pytest.approx(planted.answer_s, rel=0.05), key


def test_scatter_of_the_times_is_told() -> None:
    """Times that scatter by 10 % leave a scatter of a tenth, less what medians of five take off, and prices near."""
    fitted = fit_costs(observe(planted_trials(scatter=0.1))[0])
    assert 0.02 < fitted.scatter < 0.15
    assert fitted.costs["FTSFSrc/count_flux"].row_s == pytest.approx(2e-7, rel=0.3)
    spread = [one["FTSFSrc/count_flux"].row_s for one in fitted.drawn]
    assert min(spread) < fitted.costs["FTSFSrc/count_flux"].row_s < max(spread)


def test_two_sizes_are_too_few() -> None:
    """Overhead, chunks and rows cannot be told apart; the message names the remedy."""
    with pytest.raises(UserError, match="2 sizes of catalogs") as error:
        fit_costs(observe(planted_trials()[:2])[0])
    assert "bench calibrate" in str(error.value.remedy)


def test_a_node_is_taken_to_cost_a_millisecond_where_nothing_tells() -> None:
    """All planted trials ran on two nodes."""
    fitted = fit_costs(observe(planted_trials())[0])
    assert not fitted.has_node_cost
    assert fitted.costs["FTSObj/extent"].node_s == pytest.approx(1e-3)
