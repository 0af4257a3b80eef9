"""Sphinx configuration.  The pages under methods/ are rendered from the code at the start of every build."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "backends")]

import render  # noqa: E402

import matfun  # noqa: E402

project = "matfun"
author = "The matfun developers"
copyright = "The matfun developers"
version = release = matfun.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
exclude_patterns = ["_build", "methods/_*"]
smartquotes = False  # quotes in the prose are code more often than not
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
myst_dmath_allow_labels = False

autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"matfun {release}"
html_show_copyright = False


def setup(app: Any) -> None:
    """Render the generated pages, and let docstrings write their maths in dollars."""
    app.connect("builder-inited", lambda _: render.write(HERE / "methods"))
    # before numpydoc, which listens with priority 500
    app.connect("autodoc-process-docstring", render.prepare_docstring, priority=400)
