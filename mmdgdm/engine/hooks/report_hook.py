"""ReportHook: hand on what a test found as soon as it is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner


class ReportHook(Hook):
    """Report the metrics of a test before the hooks that draw or write can fail.

    Args:
        report: Called with the metrics, on the main process.
    """

    priority = "BELOW_NORMAL"

    def __init__(self, report: Callable[[Mapping[str, Any]], None]) -> None:
        self.report = report

    def after_test_epoch(
        self, runner: Runner, metrics: Optional[dict[str, float]] = None
    ) -> None:
        """Report the metrics."""
        if is_main_process():
            self.report(metrics or {})
