"""mmdgdm: weakly supervised object localization on top of OpenMMLab.

Importing this package is cheap on purpose: neither torch nor mmengine is
loaded until a submodule asks for it. Registered classes are found by their
``mmdgdm.`` prefix in any config, without ``custom_imports``.
"""

from mmdgdm.version import __version__

__all__ = ["__version__"]
