"""Networks that others wrote, to show that any graph can be cut: their architectures, with random weights.

    python -m models.build.zoo.zoo [NAME ...] [--json]       verify every cut of them and of their int8 forms

The graphs of image networks come with the onnx package, the transformer is torch's, the U-Nets are MONAI's: these want
`pip install 'swarm-edge-runtime[zoo]'`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, version_converter
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from models.build.cut.verify_variant import Proof, prove
from models.build.measure.random_inputs import random_inputs
from models.build.measure.timing import Stopwatch
from models.build.zoo.zoo_weights import fill

SEED = 7
OPSET = 17
"""Int8 weights with a scale per channel want 13; this is what the shipped models have."""

CALIBRATION = 4
"""Random inputs behind the ranges of the int8 forms."""

LIGHT = ("resnet50", "densenet121", "inception_v1", "inception_v2", "shufflenet", "squeezenet")
"""Of the graphs in the onnx package those with enough nodes and few enough weights: no VGG, no AlexNet."""


def fp32(name: str) -> ModelProto:
    """A network with random weights, the same each time."""
    if name in LIGHT:
        folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
        return fill(onnx.load(folder / f"light_{name}.onnx"), SEED)
    return TORCH[name]()


def int8(model: ModelProto) -> ModelProto:
    """Its static int8 form: QDQ, activations uint8, weights int8 of 7 bits by channel, ranges from random inputs."""
    if model.opset_import[0].version < OPSET:
        model = version_converter.convert_version(model, OPSET)
    logging.getLogger().setLevel(logging.ERROR)          # the quantizer advises on every call
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        plain, prepared, quantized = (Path(folder) / f"{stem}.onnx" for stem in ("plain", "prepared", "int8"))
        onnx.save(model, plain)
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(prepared)
        quantize_static(str(prepared), str(quantized), _Random(graph), quant_format=QuantFormat.QDQ,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
                        reduce_range=True, nodes_to_exclude=_last_softmax(graph))
        return onnx.load(quantized)


def missing(name: str) -> list[str]:
    """Packages that a network wants and that are not installed."""
    wanted = [] if name in LIGHT else ["torch"] if name == "transformer" else ["torch", "monai"]
    return [package for package in wanted if importlib.util.find_spec(package) is None]


def _last_softmax(model: ModelProto) -> list[str]:
    """A softmax over a thousand classes would be a few steps of int8 high, and hide what comes before it."""
    made = {value.name for value in model.graph.output}
    return [node.name for node in model.graph.node if node.op_type == "Softmax" and made.intersection(node.output)]


class _Random(CalibrationDataReader):
    def __init__(self, model: ModelProto) -> None:
        self._left: Iterator[dict[str, NDArray]] = samples(model, CALIBRATION)

    def get_next(self) -> dict[str, NDArray] | None:
        return next(self._left, None)


def _transformer() -> ModelProto:
    """torch.nn.TransformerEncoder: 4 layers of 4 heads, 32 tokens of width 128."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    torch.backends.mha.set_fastpath_enabled(False)       # the fused operator has no ONNX form
    layer = nn.TransformerEncoderLayer(128, 4, 256, activation="gelu", batch_first=True)
    return _exported(nn.TransformerEncoder(layer, 4, enable_nested_tensor=False), (1, 32, 128))


def _unet() -> ModelProto:
    """monai.networks.nets.BasicUNet: skips by concatenation, five scales."""
    import torch
    from monai.networks.nets.basic_unet import BasicUNet

    torch.manual_seed(SEED)
    return _exported(BasicUNet(spatial_dims=2, in_channels=3, out_channels=4, features=(16, 16, 32, 64, 128, 16)),
                     (1, 3, 96, 96))


def _unet_residual() -> ModelProto:
    """monai.networks.nets.UNet: skips around skips, residual units, strided convolutions."""
    import torch
    from monai.networks.nets.unet import UNet

    torch.manual_seed(SEED)
    return _exported(UNet(spatial_dims=2, in_channels=3, out_channels=4, channels=(16, 32, 64, 128), strides=(2, 2, 2),
                          num_res_units=2), (1, 3, 96, 96))


def _exported(network: Any, shape: tuple[int, ...]) -> ModelProto:
    """A torch module as ONNX, with input x of this shape and output y."""
    import torch

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")                  # the exporter announces its successor
        path = Path(folder) / "network.onnx"
        torch.onnx.export(network.eval(), (torch.zeros(shape),), str(path), dynamo=False, opset_version=OPSET,
                          input_names=["x"], output_names=["y"])
        return onnx.load(path)


TORCH: dict[str, Callable[[], ModelProto]] = {
    "transformer": _transformer, "unet": _unet, "unet_residual": _unet_residual,
}
NAMES = (*LIGHT, *TORCH)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What was shown of one network in one form."""

    name: str
    form: str
    seconds: float                   # to verify every cut
    proof: Proof


def rows(names: Sequence[str]) -> Iterator[Row]:
    """Every cut of each network, then of its int8 form."""
    for name in names:
        model = fp32(name)
        for form, graph in (("fp32", model), ("int8", int8(model))):
            proofs: list[Proof] = []
            took_ms = Stopwatch().time_ms(lambda g=graph, p=proofs: p.append(prove(g, all_cuts=True)))
            yield Row(name=name, form=form, seconds=round(took_ms / 1e3, 1), proof=proofs[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    wanted = asked.names or NAMES
    for name in wanted:
        if absent := missing(name):
            print(f"{name}: skipped, {' and '.join(absent)} not installed", file=sys.stderr)
    found = []
    for row in rows([name for name in wanted if not missing(name)]):
        found.append(row)
        seen = row.proof.report
        print(f"{row.name:14} {row.form}: {seen.verified} of {seen.cuts} cuts verified, {len(seen.skipped)} skipped, "
              f"{len(seen.explained)} explained, max abs error {seen.max_abs_error:.2g}, {seen.sensitivity:.0%} of the "
              f"output depends on the input, {row.seconds} s", file=sys.stderr, flush=True)
        for line in [*row.proof.failures, *(f"skipped {one.cut}: {one.reason}" for one in seen.skipped)]:
            print(f"  {line}", file=sys.stderr)
    cuts, took_s = sum(row.proof.report.cuts for row in found), sum(row.seconds for row in found)
    print(f"{cuts} cuts in {took_s:.0f} s", file=sys.stderr)
    if asked.json:
        print(msgspec.json.encode({"cuts": cuts, "seconds": round(took_s, 1), "graphs": found}).decode())
    return 1 if any(row.proof.failures for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
