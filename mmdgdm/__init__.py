"""mmdgdm: weakly supervised object localization on top of OpenMMLab.

Importing this package is cheap on purpose: neither torch nor mmengine is
loaded until a submodule asks for it. Registered classes are found by their
``mmdgdm.`` prefix in any config, without ``custom_imports``; from then on configs
may name ours as their base, as in ``_base_ = "mmdgdm::cam/..."``.
"""

from mmdgdm.named_configs import teach_mmengine
from mmdgdm.version import __version__

__all__ = ["__version__"]

teach_mmengine()
