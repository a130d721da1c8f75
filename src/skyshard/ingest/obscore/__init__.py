"""Observations of a release as rows of ``ivoa.ObsCore``: constants of a camera, and what visit tables say."""
