"""Exports a trained network to an ONNX file that every board's runtime can load."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from sim_worlds.sensors.suite import CAMERA

OPSET, IR_VERSION = 17, 8
"""Below the limits of ONNX Runtime 1.23, the newest for Python 3.10."""

OUTPUTS = {"detector": ["scores", "boxes"], "segmenter": ["classes"]}


def export(name: str, network: nn.Module, path: Path) -> None:
    """Write `network` with static shapes, without host-specific optimisation."""
    image = torch.zeros(1, CAMERA.height_px, CAMERA.width_px, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")      # the exporter announces its successor
        torch.onnx.export(network.eval(), (image,), str(path), dynamo=False, opset_version=OPSET,
                          input_names=["image"], output_names=OUTPUTS[name])
    finish(path)


def finish(path: Path) -> None:
    """Check the file, infer shapes, and set the IR version and the only operator set that boards have."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
    foreign = {node.op_type for node in model.graph.node if node.domain not in ("", "ai.onnx")}
    if foreign:
        raise ValueError(f"{path}: operators outside the standard operator set: {sorted(foreign)}")
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
