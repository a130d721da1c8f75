"""A reference catalog and its matches: a second director, and a ref-match table that links it to Object. No I/O.

A share of the objects is in the reference catalog, each slightly displaced within the same chunk. A few
reference rows have no object.
"""

from __future__ import annotations

import numpy as np

from skyshard.chunking.sphere import Box, ang_sep
from skyshard.synth.recipe.recipe import ReferenceTables
from skyshard.synth.recipe.sky_tables import Masked, Validity, Values
from skyshard.synth.recipe.table_columns import REF_MATCH, REF_OBJECT
from skyshard.synth.rows.kpm_columns import Patch
from skyshard.synth.sky.population import ZERO_POINT_MAG
from skyshard.synth.sky.positions import keep_inside

_BOTH, _SECOND = 3, 2
"""Flags of a match: both sides in its chunk, the reference alone."""


def reference_columns(patch: Patch, box: Box, rule: ReferenceTables) -> dict[str, dict[str, Values]]:
    """Values of both tables."""
    chosen = np.flatnonzero(patch.uniform(REF_OBJECT, "chosen", len(patch.population)) < rule.share)
    count, ids = len(chosen), patch.ids(len(chosen))
    ra, dec = patch.positions.ra[chosen], patch.positions.dec[chosen]
    scatter_deg = rule.scatter_arcsec / 3600
    east = scatter_deg * patch.normal(REF_OBJECT, "ra", count) / np.maximum(np.cos(np.radians(dec)), 1e-3)
    places = keep_inside(box, ra + east, dec + scatter_deg * patch.normal(REF_OBJECT, "decl", count))
    flux = patch.population.flux.max(axis=0)[chosen]
    has_object = patch.uniform(REF_MATCH, "hasObject", count) >= rule.unmatched
    validity = Validity.of(has_object)
    apart = (3600 * ang_sep(ra, dec, *places)).astype(np.float32)
    return {
        REF_OBJECT: {
            "refObjectId": ids,
            "ra": places[0],
            "decl": places[1],
            "mag": np.float32(ZERO_POINT_MAG) - np.float32(2.5) * np.log10(flux),
            "magErr": np.float32(0.01) * (1 + patch.uniform(REF_OBJECT, "magErr", count)),
        },
        REF_MATCH: {
            "objectId": Masked(patch.ids(len(patch.population))[chosen], validity),
            "refObjectId": ids,
            "separation": Masked(apart, validity),
            "flag": np.where(has_object, _BOTH, _SECOND).astype(np.int8),
        },
    }
