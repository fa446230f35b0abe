"""A coverage-guided run over what reads from the network:

    python -m tests.fuzz.atheris_sip [CORPUS ...] [-runs=N] [-max_total_time=SECONDS]

The first byte of an input picks the target. Needs ``pip install atheris``; libFuzzer's options.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

MODULES = ("tests.fuzz.wire", "tests.fuzz.description")
"""Each has ``TARGETS``: functions of bytes, by name."""
MAX_INPUT = 65_536


def main(arguments: list[str]) -> None:
    """Fuzz until libFuzzer's options say enough; it ends the process."""
    atheris = importlib.import_module("atheris")
    targets: list[Callable[[bytes], None]] = []
    with atheris.instrument_imports(include=["edge.transport"]):
        for name in MODULES:
            targets += importlib.import_module(name).TARGETS.values()

    def one_input(data: bytes) -> None:
        if data:
            targets[data[0] % len(targets)](data[1:])

    atheris.Setup([arguments[0], f"-max_len={MAX_INPUT}", *arguments[1:]], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
