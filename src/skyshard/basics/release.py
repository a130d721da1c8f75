"""The release: the one place where its number is written; the build, the command, manifests and the site read it."""

from __future__ import annotations

VERSION = "0.3.0"
