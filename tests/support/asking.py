"""How often tests ask: who asks without a pause takes the cores from what is asked about."""

from __future__ import annotations

ASK_EVERY_S = 0.05
"""Between two questions of a thread that asks all the while, and between two looks whether something is so."""
