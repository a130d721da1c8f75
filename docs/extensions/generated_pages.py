"""Fills the marks of the pages with what is made from the code when the site is built.

A page holds an HTML comment, which other readers of Markdown do not show: ``<!-- generated: commands -->``,
``api``, ``packages`` or ``picture PACKAGE``. A mark that is not known ends the build.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import api_pages
import command_pages
import lifecycle_pictures
import package_pictures
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

MARK = re.compile(r"<!-- generated: (?P<what>\w+)(?P<names>[^>]*?) -->")

MAKERS: dict[str, Callable[[list[str]], str]] = {
    "api": lambda names: api_pages.markdown(),
    "commands": lambda names: command_pages.markdown(),
    "packages": lambda names: package_pictures.pages(),
    "picture": lambda names: package_pictures.framed(names[0]),
}


def filled(text: str) -> str:
    """A page with its marks filled."""
    return MARK.sub(_made, text)


def _made(mark: re.Match[str]) -> str:
    maker = MAKERS.get(mark["what"])
    if maker is None:
        raise ExtensionError(f"'{mark[0]}': nothing of this name is made; use one of {', '.join(sorted(MAKERS))}")
    return maker(mark["names"].split())


def _fill(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = filled(source[0])


def _made_again(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Pages with a mark: what they show may change while their text does not."""
    return [page for page in env.found_docs if MARK.search(Path(env.doc2path(page)).read_text(encoding="utf-8"))]


class Lifecycle(SphinxDirective):
    """A Mermaid state diagram, drawn without a script."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        drawn = lifecycle_pictures.picture("\n".join(self.content), "A lifecycle")
        return [nodes.raw("", f'<div class="picture">{drawn}</div>', format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", _fill)
    app.connect("env-get-outdated", _made_again)
    app.add_directive("mermaid", Lifecycle)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
