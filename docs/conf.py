"""How the site is built from these pages: `make docs`. Nothing is fetched, neither now nor when a page is read.

Sphinx, because autodoc reads the docstrings that are there and every link is checked; MyST, because the pages are
Markdown, which any viewer of the repository shows; Furo, because it brings its own fonts and scripts, follows light and
dark, and fits a telephone.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE / "extensions")]

from skyshard import __version__  # noqa: E402  (from this checkout)

project = "Skyshard"
author = "The Skyshard developers"
copyright = "The Skyshard developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "generated_pages"]
exclude_patterns = ["examples", "extensions"]
nitpicky = False
smartquotes = False
highlight_language = "text"

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
myst_enable_extensions = ["attrs_inline"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"Skyshard {release}"
html_static_path = ["static"]
html_css_files = ["pictures.css"]
html_copy_source = False
html_show_sphinx = False
