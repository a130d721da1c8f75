"""Ingest: from a source to published chunk tables.

``source`` is the seam (tables, parts, batches), one adapter a module; ``plan`` says what will happen; ``partition``
turns parts into bundles; ``engine`` drives transactions. Never imports the czar or synth's generator.
"""
