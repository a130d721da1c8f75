"""The alert production database: tables that every visit reads and changes, on several engines, with truth.

Words: a *visit* is one exposure, a *tile* the part of it that one client processes (a detector, or a piece of the
focal plane), a *store* the one call by which a client writes what a tile found. A tile is seen whole or not at all.
"""
