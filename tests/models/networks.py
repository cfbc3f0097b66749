"""Small networks with seeded weights, as users import them: a YOLO v8 head, a classifier, arrays of a scan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from tests.models.build.graphs import model, node, tensor

SIDE, LABELS = 320, ("person", "dog", "car", "bag", "fire", "door", "stairs")
KINDS = ("open", "closed", "broken")
STRIDES = (8, 16, 32)
RAREST = -9.0                        # of the scores before Sigmoid: few boxes are over the threshold


def yolo8() -> ModelProto:
    """Three grids of boxes over a picture of 320 x 320: one output, [1, 4 + 7, 2100], as v8 is exported."""
    rng = np.random.default_rng(8)
    weights: dict[str, NDArray] = {"half": np.array(0.5, np.float32), "split": np.array([2, 2], np.int64),
                                   "parts": np.array([4, len(LABELS)], np.int64)}
    nodes, boxes, scores, below = [], [], [], "images"
    channels = 3
    for stride in STRIDES:
        side, step = SIDE // stride, stride if below == "images" else 2
        weights[f"w{stride}"] = (rng.standard_normal((8, channels, step, step)) / step).astype(np.float32)
        weights[f"h{stride}"] = (3.0 * rng.standard_normal((4 + len(LABELS), 8, 1, 1))).astype(np.float32)
        weights[f"b{stride}"] = np.array([1.0] * 4 + [RAREST] * len(LABELS), np.float32)
        weights[f"flat{stride}"] = np.array([1, 4 + len(LABELS), side * side], np.int64)
        nodes += [node("Conv", f"{below} w{stride}", f"c{stride}", strides=[step, step]),
                  node("Relu", f"c{stride}", f"f{stride}"),
                  node("Conv", f"f{stride} h{stride} b{stride}", f"p{stride}"),
                  node("Reshape", f"p{stride} flat{stride}", f"r{stride}"),
                  node("Split", f"r{stride} parts", f"d{stride} s{stride}", axis=1)]
        boxes.append(f"d{stride}")
        scores.append(f"s{stride}")
        below, channels = f"f{stride}", 8
    weights |= _grid()
    nodes += [
        node("Concat", " ".join(boxes), "raw", axis=2), node("Softplus", "raw", "sides"),
        node("Split", "sides split", "lower upper", axis=1),
        node("Sub", "anchors lower", "first"), node("Add", "anchors upper", "last"),
        node("Add", "first last", "both"), node("Mul", "both half", "centre"), node("Sub", "last first", "size"),
        node("Concat", "centre size", "cells", axis=1), node("Mul", "cells strides", "pixels"),
        node("Concat", " ".join(scores), "logits", axis=2), node("Sigmoid", "logits", "likely"),
        node("Concat", "pixels likely", "output0", axis=1)]
    count = sum((SIDE // stride) ** 2 for stride in STRIDES)
    outputs = [tensor("output0", [1, 4 + len(LABELS), count])]
    return model(nodes, [tensor("images", [1, 3, SIDE, SIDE])], outputs, weights)


def classifier() -> ModelProto:
    """Three classes of a picture of 32 x 32; the batch axis is called `batch`."""
    rng = np.random.default_rng(3)
    return model(
        [node("Conv", "pixels w", "a", strides=[4, 4]), node("Relu", "a", "b"), node("GlobalAveragePool", "b", "c"),
         node("Flatten", "c", "d"), node("MatMul", "d v", "logits")],
        [tensor("pixels", ["batch", 3, 32, 32])], [tensor("logits", ["batch", len(KINDS)])],
        {"w": rng.standard_normal((8, 3, 4, 4)).astype(np.float32),
         "v": rng.standard_normal((8, len(KINDS))).astype(np.float32)})


def of_a_row(name: str, size: int = 64) -> ModelProto:
    """Two arrays of a row of numbers."""
    rng = np.random.default_rng(5)
    return model([node("MatMul", f"{name} w", "sums"), node("Softmax", "sums", "shares")], [tensor(name, ["N", size])],
                 [tensor("sums", ["N", 4]), tensor("shares", ["N", 4])],
                 {"w": rng.standard_normal((size, 4)).astype(np.float32)})


def saved(network: ModelProto, path: Path, labels: Sequence[str] = ()) -> tuple[Path, Path]:
    """The files of a network and of its labels."""
    onnx.save(network, path)
    named = path.with_suffix(".txt")
    named.write_text("".join(f"{label}\n" for label in labels))
    return path, named


def _grid() -> dict[str, NDArray]:
    """The centre of each cell, in cells, and its stride."""
    anchors, strides = [], []
    for stride in STRIDES:
        side = np.arange(SIDE // stride) + 0.5
        rows, columns = np.meshgrid(side, side, indexing="ij")
        anchors.append(np.stack([columns.reshape(-1), rows.reshape(-1)]))
        strides.append(np.full((1, columns.size), float(stride)))
    return {"anchors": np.concatenate(anchors, 1)[None].astype(np.float32),
            "strides": np.concatenate(strides, 1)[None].astype(np.float32)}
