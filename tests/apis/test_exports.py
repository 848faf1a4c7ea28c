"""What a user imports from mmdgdm.apis."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mmdgdm import apis

WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(("torch", "mmengine", "mmcv", "mmpretrain")))
from mmdgdm.apis import evaluate_scoremaps
from mmdgdm.evaluation.stored.evaluate import evaluate_scoremaps as same
assert evaluate_scoremaps is same
try:
    from mmdgdm.apis import run_test
except ImportError:
    print("ok")
"""


@pytest.mark.parametrize("name", apis.__all__)
def test_each_exported_name_is_a_function(name):
    namespace: dict = {}
    exec(f"from mmdgdm.apis import {name}", namespace)
    assert namespace[name].__name__ == name
    assert namespace[name].__doc__


def test_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'run_everything'"):
        apis.run_everything  # noqa: B018


def test_stored_maps_are_evaluated_without_torch():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False
    )
    assert done.stdout == "ok\n", done.stderr
