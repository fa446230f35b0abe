"""The control plane stays small: it installs and runs without any media package."""

from __future__ import annotations

import subprocess
import sys

MEDIA = ("numpy", "av", "aiortc", "aioice", "pylibsrtp", "onnxruntime", "pocketsphinx", "soxr")

SCRIPT = """
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {media!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refuse())
import control_plane
import inland.commands.control_plane
assert not any(name.startswith(("aiohttp", "pydantic")) for name in sys.modules)  # --help is quick
for module in pkgutil.walk_packages(control_plane.__path__, "control_plane."):
    importlib.import_module(module.name)
import edge.logs  # the one module of the edge that the command uses
loaded = {{name.partition(".")[0] for name in sys.modules}}
assert "aiohttp" in loaded and "control_plane" in loaded
assert not loaded & set({media!r}), loaded
"""


def test_the_control_plane_imports_where_no_media_package_is_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(media=MEDIA)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
