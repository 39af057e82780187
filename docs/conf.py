"""How the pages are built: `make docs`, which takes warnings as errors and needs no network."""

from __future__ import annotations

import negsamp

project = "negsamp"
author = "the negsamp developers"
copyright = "the negsamp developers"
version = release = negsamp.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
nitpicky = True
nitpick_ignore = [("py:class", "negsamp_torch.sharded.collective.Collective")]
nitpick_ignore_regex = [(r"py:.*", r"(abc|collections|keras|numpy|os|tensorflow|torch|typing)\..*")]

autodoc_mock_imports = ["keras", "rich", "safetensors", "tensorflow", "torch", "typer"]
autodoc_typehints = "none"
autosummary_ignore_module_all = False
numpydoc_show_class_members = False

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600

html_theme = "furo"
html_title = f"negsamp {release}"
html_copy_source = False
html_show_sphinx = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
