"""Runs a reader or a function on very many odd inputs, and counts them."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmdgdm.errors import MMDGDMError

#: Inputs of a target, in the short and in the long form.
CASES = {False: 100, True: 4000}


@pytest.fixture
def provoke(
    request: pytest.FixtureRequest, is_long: bool
) -> Callable[[st.SearchStrategy, Callable[[Any], Any]], None]:
    """Calls a target with inputs: it returns, or raises an error of this package.

    The short form takes the same inputs each time, the long form new ones.
    """
    count = 0

    def run(inputs: st.SearchStrategy, target: Callable[[Any], Any]) -> None:
        @settings(
            max_examples=CASES[is_long],
            deadline=None,
            database=None,
            derandomize=not is_long,
            suppress_health_check=list(HealthCheck),
        )
        @given(inputs)
        def case(value: Any) -> None:
            nonlocal count
            count += 1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with contextlib.suppress(MMDGDMError):
                    target(value)

        case()
        request.node.user_properties.append(("cases", count))

    return run


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many inputs there were, from all processes."""
    reports = terminalreporter.getreports("passed")
    counts = [n for one in reports for key, n in one.user_properties if key == "cases"]
    if counts:
        terminalreporter.write_line(
            f"{sum(counts):,} odd inputs of {len(counts)} targets"
        )
