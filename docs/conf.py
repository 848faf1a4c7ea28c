"""Sphinx builds the documentation site by this: ``make docs``."""

from __future__ import annotations

import warnings
from typing import Any

from mmcv.transforms.utils import cache_randomness

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
# A prompt is not copied with its command.
copybutton_prompt_text = "$ "

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
# Links to sections go by their headings, as on the pages of a code host.
myst_heading_anchors = 4
suppress_warnings = ["myst.xref_missing"]

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
