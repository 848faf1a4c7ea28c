"""Sphinx builds the documentation site by this: ``make docs``."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from mmcv.transforms.utils import cache_randomness
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.logging import getLogger
from sphinx.writers.html5 import HTML5Translator

from mmdgdm.version import __version__

warnings.filterwarnings("ignore", message="Fail to import ``MultiScale")

project = "mmdgdm"
author = "The mmdgdm authors"
project_copyright = "The mmdgdm authors, Apache-2.0"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "mmdgdm"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6e99"},
    "dark_css_variables": {"color-brand-primary": "#6cc3e8"},
}
# Formulas are shown by the browser itself: the site asks for nothing from outside.
html_math_renderer = "mathml"
# Values belong to the module that names them, not to that of their type.
viewcode_follow_imported_members = False
# A prompt is not copied with its command.
copybutton_prompt_text = "$ "

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
# Links to sections go by their headings, as on the pages of a code host.
myst_heading_anchors = 4
# A field of a NamedTuple names its type by the last part alone, which two classes may
# share.
suppress_warnings = ["ref.python"]

napoleon_google_docstring = True
napoleon_numpy_docstring = False
# Attributes of dataclasses are documented once.
napoleon_use_ivar = True
autodoc_default_options = {
    "members": True,
    "ignore-module-all": True,
    "show-inheritance": True,
}
autodoc_typehints = "signature"
autodoc_member_order = "bysource"


# Read on a class, mmcv's decorator would make a weak reference to None.
_bind = cache_randomness.__get__


def _bind_to_objects(self: Any, obj: Any, owner: Any = None) -> Any:
    return self if obj is None else _bind(self, obj, owner)


cache_randomness.__get__ = _bind_to_objects


def _write_api_pages(app: Sphinx) -> None:
    sys.path.insert(0, str(app.confdir))
    import api_pages

    api_pages.write(Path(app.srcdir, "api"))


def _lead_into_site(app: Sphinx, doctree: nodes.document) -> None:
    """Links to pages outside of this folder lead to where the site shows them.

    So pages hold relative links, which work on a code host too. Any other file that is
    linked from a page is copied to the site by MyST.
    """
    root = Path(app.srcdir).parent
    for node in doctree.findall(addnodes.pending_xref):
        target = Path(node["reftarget"])
        if node.get("refdomain") != "doc" or not target.is_absolute():
            continue
        place = target.relative_to(root)
        if place.parts[0] == "configs":
            title = Path(f"{target}.md").read_text(encoding="utf-8").splitlines()[0]
            slug = title.removeprefix("# ").lower().replace(" ", "-")
            node["reftarget"], node["reftargetid"] = "methods", slug
        else:
            node["reftarget"] = {"CHANGELOG": "changelog", "README": "index"}[
                place.name
            ]


def _add_formula(writer: HTML5Translator, node: nodes.Element) -> None:
    block = isinstance(node, nodes.math_block)
    try:
        formula = latex2mathml.tex2mathml(node.astext(), as_block=block)
    except MathError as error:
        getLogger(__name__).warning("%s: %s", node.astext(), error, location=node)
        formula = node.astext()
    writer.body.append(f'<div class="formula">{formula}</div>' if block else formula)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Connect what this file adds to Sphinx."""
    app.add_html_math_renderer("mathml", (_add_formula, None), (_add_formula, None))
    app.connect("builder-inited", _write_api_pages)
    app.connect("doctree-read", _lead_into_site)
