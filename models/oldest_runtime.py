"""The oldest ONNX Runtime that boards have, and the graphs that it cannot load."""

from __future__ import annotations

RUNTIME = "1.23"
"""The newest ONNX Runtime for Python 3.10."""

BOARDS = "boards with Python 3.10 (JetPack 6, such as orin_nano and agx_orin)"
MAX_IR = 11
MAX_OPSETS = {"": 23, "ai.onnx.ml": 5}
"""By domain. Measured with ONNX Runtime 1.23.2: it refuses IR 12 and opset 24."""

LAST_TYPE = 23
"""The largest number of an element type that IR 11 has: FLOAT4E2M1."""


def too_new(opset: int, ir_version: int) -> str:
    """Which boards cannot load a graph of these versions, and why; empty if all can."""
    if opset <= MAX_OPSETS[""] and ir_version <= MAX_IR:
        return ""
    return (f"{BOARDS} cannot load it: it has opset {opset} and IR {ir_version}, and ONNX Runtime {RUNTIME}, their "
            f"newest, takes opset {MAX_OPSETS['']} and IR {MAX_IR} at most")
