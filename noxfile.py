"""Quick tests of mmdgdm under many versions of what it stands on.

    pip install "nox[uv]"
    nox                       # every set whose Python is on this machine
    nox -s oldest newest      # some of them
    nox -s oldest -- --keep   # and leave the environment in .nox

Each set makes an environment of its own (with a CUDA build of torch about 5 GB, shared
between sets where uv can link files), runs the tests in it, writes what was installed
and what passed to ``experiments/results/versions/<set>.json``, and removes it.
``python experiments/versions.py`` puts the table into ``docs/versions.md``.
"""

from __future__ import annotations

import functools
import json
import shutil
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
RESULTS = ROOT / "experiments" / "results" / "versions"
#: Layers, heads, the evaluator, files, configs, whole trainings and tests.
TESTS = (
    *("tests/models/functional", "tests/models/necks", "tests/models/heads"),
    *("tests/models/losses", "tests/models/classifiers", "tests/evaluation/functional"),
    *("tests/evaluation/metrics", "tests/engine/setup", "tests/utils"),
    *("tests/test_named_configs.py", "tests/test_yapf_import.py"),
    "tests/tools/test_train_and_test.py",
)
#: Whose versions the table names.
PACKAGES = (
    *("torch", "torchvision", "numpy", "opencv-python", "mmengine", "mmcv-lite"),
    *("mmpretrain", "numba", "pillow", "setuptools"),
)
_VERSIONS = """
import json, platform, sys
from importlib.metadata import PackageNotFoundError, version
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        found[name] = ""
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Set:
    """An environment.

    Args:
        meaning: What it stands for, in the table.
        python: The Python.
        extras: Extras of mmdgdm.
        options: Options and requirements for ``uv pip install``.
        overrides: Requirements that stand above those of every package.
    """

    meaning: str
    python: str = "3.11"
    extras: str = "lite,fast,test"
    options: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()


SETS = {
    "oldest": Set(
        "the lowest releases that setup.py allows",
        python="3.9",
        extras="lite,test",  # numba wants Python 3.10
        options=("--resolution", "lowest-direct"),
    ),
    "newest": Set("the newest releases that setup.py allows", python="3.13"),
    "numpy-1": Set("numpy 1", options=("numpy<2",)),
    "opencv-4": Set("OpenCV 4.10", options=("opencv-python<4.11",)),
    "mmengine-next": Set(
        "the pre-release of mmengine, which needs no old setuptools",
        overrides=("mmengine==0.11.0rc3", "setuptools>=82"),
    ),
    "setuptools-82": Set(
        "setuptools that mmengine 0.10 does not know", overrides=("setuptools>=82",)
    ),
}
for _python in ("3.9", "3.10", "3.11", "3.12", "3.13"):
    SETS[f"python-{_python}"] = Set(
        f"what `make install` takes on Python {_python}",
        python=_python,
        extras="lite,test" if _python == "3.9" else "lite,fast,test",
        options=("--constraint", f"requirements/constraints-{_python}.txt"),
    )


def run(session: nox.Session, name: str) -> None:
    """Install a set, test with it, and write what came out."""
    chosen = SETS[name]
    folder = Path(session.create_tmp())
    options = list(chosen.options)
    if chosen.overrides:
        (folder / "overrides.txt").write_text("\n".join(chosen.overrides))
        options += ["--override", str(folder / "overrides.txt")]
    if "rc" in "".join(chosen.overrides):
        options += ["--prerelease", "allow"]
    session.install("-e", f".[{chosen.extras}]", *options)
    start = time.monotonic()
    report = folder / "tests.xml"
    session.run(
        *("python", "-m", "pytest", "-q", "-n", "2", f"--junitxml={report}", *TESTS),
        env={"OMP_NUM_THREADS": "1"},
        success_codes=[0, 1],
    )
    seconds = round(time.monotonic() - start)
    printed = session.run("python", "-c", _VERSIONS, *PACKAGES, silent=True)
    counts, failed = read_report(report)
    found = {
        "meaning": chosen.meaning,
        "versions": json.loads(str(printed).strip().splitlines()[-1]),
        "tests": counts,
        "failed": failed,
        "seconds": seconds,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    if "--keep" not in session.posargs:
        shutil.rmtree(session.virtualenv.location)
    if failed:
        session.error(f"{len(failed)} tests failed, {failed[0]} first")


def read_report(path: Path) -> tuple[dict[str, int], list[str]]:
    """Read pytest's report.

    Args:
        path: A file in JUnit's form.

    Returns:
        How many tests passed, failed and were skipped; the names of those that failed.
    """
    cases = list(ElementTree.parse(path).getroot().iter("testcase"))  # our own file
    kinds = [{child.tag for child in case} for case in cases]
    failed = [
        f"{case.get('classname')}.{case.get('name')}"
        for case, kind in zip(cases, kinds)
        if kind & {"failure", "error"}
    ]
    skipped = sum("skipped" in kind for kind in kinds)
    passed = len(cases) - len(failed) - skipped
    return dict(passed=passed, failed=len(failed), skipped=skipped), failed


for _name, _set in SETS.items():
    nox.session(
        functools.wraps(run)(functools.partial(run, name=_name)),
        name=_name,
        python=_set.python,
        venv_backend="uv",
    )
