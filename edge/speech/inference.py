"""The one place that imports onnxruntime into a call's process.

Since 1.29 onnxruntime writes a device identifier to the home directory unless
``ORT_DISABLE_TELEMETRY`` is set before the import; an edge leaves no such trace.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime


def open_model(path: Path) -> Any:
    """An ``onnxruntime.InferenceSession`` of ``path`` that runs on the calling thread alone.

    A worker is one core: a thread pool would only take turns with the media path, and a spinning
    pool burns a core between two frames. Raises ``FileNotFoundError``, or onnxruntime's errors for
    a file that is not a model.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such model: {path}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
