"""The synthetic sky: a pure function of (recipe, seed, chunk), and the folders of Parquet files written from it.

Floor 4: knows recipes, tables and chunks; knows no server, no ingest and no query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.synth.recipe.release_profile import Profile as Profile
    from skyshard.synth.recipe.release_profile import read_profile as read_profile
    from skyshard.synth.rows.generate import open_sky as open_sky
    from skyshard.synth.weeklies.weekly_order import WeeklyOrder as WeeklyOrder
    from skyshard.synth.weeklies.weekly_order import parse_centre as parse_centre
    from skyshard.synth.weeklies.weekly_truth import WeeklyTruth as WeeklyTruth
    from skyshard.synth.weeklies.weekly_truth import read_truth as read_truth
    from skyshard.synth.weeklies.write_weekly import truth_path as truth_path
    from skyshard.synth.weeklies.write_weekly import write_weekly as write_weekly
    from skyshard.synth.write.dirty_input import Dirt as Dirt
    from skyshard.synth.write.dirty_input import parse_dirt as parse_dirt
    from skyshard.synth.write.dirty_input import write_dirty as write_dirty
    from skyshard.synth.write.output_folder import PREVIEW as PREVIEW
    from skyshard.synth.write.preview import write_preview as write_preview
    from skyshard.synth.write.synth_plan import SynthPlan as SynthPlan
    from skyshard.synth.write.synth_plan import plan as plan
    from skyshard.synth.write.write_catalog import write_plan as write_plan
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "Dirt": "write.dirty_input",
            "PREVIEW": "write.output_folder",
            "Profile": "recipe.release_profile",
            "SynthPlan": "write.synth_plan",
            "WeeklyOrder": "weeklies.weekly_order",
            "WeeklyTruth": "weeklies.weekly_truth",
            "open_sky": "rows.generate",
            "parse_centre": "weeklies.weekly_order",
            "parse_dirt": "write.dirty_input",
            "plan": "write.synth_plan",
            "read_profile": "recipe.release_profile",
            "read_truth": "weeklies.weekly_truth",
            "truth_path": "weeklies.write_weekly",
            "write_dirty": "write.dirty_input",
            "write_plan": "write.write_catalog",
            "write_preview": "write.preview",
            "write_weekly": "weeklies.write_weekly",
        },
    )
