"""A projection keeps what it takes to predict again."""

from tests.support.planted_costs import planted_trials

from skyshard.bench.model.class_time import template_works
from skyshard.bench.model.fit_costs import fit_costs
from skyshard.bench.model.observations import observe
from skyshard.bench.model.priced_templates import PricedTemplate, priced, unpriced


def test_works_and_costs_come_back() -> None:
    """Through JSON and back, nothing is lost."""
    observations = observe(planted_trials())[0]
    classes, costs = template_works(observations), fit_costs(observations).costs
    kept = [PricedTemplate.model_validate_json(one.model_dump_json()) for one in priced(classes, costs)]
    again, prices = unpriced(kept)
    assert again == classes
    assert prices == dict(costs)
