"""A console that shows what a run does; the log file keeps the lists."""

from __future__ import annotations

import logging
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner

#: How the long texts begin that mmengine logs before the first iteration.
_LISTS = (
    "Config:",
    "Hooks will be executed in the following order:",
    f"{'-' * 60}\nSystem environment:",
)
#: Parts of the lines that mmengine logs for each parameter of a model.
_OF_PARAMETERS = ("is skipped since its requires_grad=False", "paramwise_options -- ")


def is_shown(record: logging.LogRecord) -> bool:
    """Whether the console shows a record.

    Args:
        record: What was logged.

    Returns:
        False for mmengine's lists of the environment, the config, the hooks and the
        parameters of a model.
    """
    message = record.getMessage()
    is_of_parameter = any(part in message for part in _OF_PARAMETERS)
    return not (is_of_parameter or message.lstrip().startswith(_LISTS))


class BriefRunner(Runner):
    """mmengine's Runner, whose console leaves out lists of hundreds of lines.

    The log file keeps them, and the console names it first.
    """

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build mmengine's logger; its console is a brief one.

        Args:
            args: As mmengine's, and so are ``kwargs``.
            kwargs: ``log_level``, ``log_file`` and other arguments of the logger.

        Returns:
            The logger.
        """
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.addFilter(is_shown)
        logger.info(f"Environment, config and hooks stand in {logger.log_file}.")
        return logger
