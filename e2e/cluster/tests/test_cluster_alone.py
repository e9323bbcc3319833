"""The cluster is a product of its own: it is used, and tested, where there is no Hardened."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent
ROOT = FOLDER.parent.parent

_ALONE = """
import importlib, sys
sys.modules.update(dict.fromkeys(("hardened", "hardenctl")))  # whoever imports one of them gets an ImportError
sys.path[:0] = sys.argv[1:3]
for name in sys.argv[3:]:
    importlib.import_module(name)
"""


def test_the_cluster_and_its_tests_are_imported_without_hardened() -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FOLDER.rglob("*.py") if "tests" not in path.parts]
    tests = [path.stem for path in (FOLDER / "tests").glob("test_*.py")]
    assert len(modules) > 30
    assert len(tests) > 5
    words = [sys.executable, "-c", _ALONE, str(ROOT), str(FOLDER / "tests"), *modules, *tests]
    result = subprocess.run(words, cwd="/", capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
