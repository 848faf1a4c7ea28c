"""What the whole package shares; it needs no other part of the package."""

from __future__ import annotations


def register_all_modules(init_default_scope: bool = True) -> None:
    """Make the names in our configs known, as ``mmengine.hub`` asks of each package.

    Our own classes need nothing: they are found by their prefix. All other names are
    written for the scope of mmpretrain.

    Args:
        init_default_scope: Whether to make mmpretrain's the default scope.
    """
    if init_default_scope:
        from mmengine.registry import init_default_scope as use_scope

        use_scope("mmpretrain")
