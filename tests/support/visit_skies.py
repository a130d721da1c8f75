"""Small skies of visits for tests."""

from skyshard.apdb.sky.fields import draw_centres
from skyshard.apdb.sky.sky_settings import SkySettings


def small_sky(**changes: object) -> SkySettings:
    """Two fields, across right ascension 0 and with the south pole, of 2 x 2 tiles and about 30 sources a visit."""
    values: dict[str, object] = {
        "seed": 5, "count": 40, "centres": draw_centres(2, 0.7, 5), "fov_deg": 0.7, "tiles": 2, "padding_arcsec": 52.0,
        "order": "round-robin", "variable": 20, "detected": 0.8, "transient": 1, "transient_days": 60.0, "noise": 9,
        "visits_per_month": 4, "history_months": 3, "min_sources": 2, "cutoff_days": 30.0,
    }  # fmt: skip
    return SkySettings(**(values | changes))  # type: ignore[arg-type]
