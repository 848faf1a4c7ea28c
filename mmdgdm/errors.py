"""Errors that a user can cause and mend.

Every one of them carries a single sentence that names the argument or file,
what was expected and what came. The command line tools print that sentence
in place of a traceback.
"""

from __future__ import annotations


class MMDGDMError(Exception):
    """Base class of the errors that a user can cause and mend."""


class ConfigError(MMDGDMError, ValueError):
    """A config, a ``--cfg-options`` key or a constructor argument is wrong."""


class DataError(MMDGDMError, ValueError):
    """A data set, an annotation file or a score map is malformed."""


class CheckpointError(MMDGDMError, RuntimeError):
    """A checkpoint is missing, unreadable, unsafe or made for another model."""


class ResourceError(MMDGDMError, RuntimeError):
    """The machine lacks something: disk, memory, a GPU, a port, a right to write."""


class LeftAloneError(ResourceError):
    """Another process of the run has ended, and says why itself."""


class StoppedError(MMDGDMError, RuntimeError):
    """Training was asked to stop, saved its state and left; it can be resumed."""
