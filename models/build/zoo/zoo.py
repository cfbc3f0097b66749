"""Networks of other projects, with random weights: they show that any graph can be cut.

    python -m models.build.zoo.zoo [NAME ...] [--json]       verify all their cuts, also in int8

The graphs of image networks come with the onnx package, the transformer is from torch, the U-Nets are from MONAI. They
need `pip install 'swarm-edge-runtime[zoo]'`.
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

from models.build.cut.verify_variant import Verification, verify_model
from models.build.measure.random_inputs import random_inputs
from models.build.measure.timing import Stopwatch
from models.build.zoo.zoo_weights import fill

SEED = 7
OPSET = 17
"""The opset of the shipped models; int8 weights with a scale per channel need at least 13."""

CALIBRATION = 4
"""Random inputs for the calibration of the int8 forms."""

LIGHT = ("resnet50", "densenet121", "inception_v1", "inception_v2", "shufflenet", "squeezenet")
"""The graphs in the onnx package with many nodes and not too many weights: no VGG, no AlexNet."""


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
    logging.getLogger().setLevel(logging.ERROR)          # the quantizer logs advice on every call
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
    """Packages that a network needs and that are not installed."""
    needed = [] if name in LIGHT else ["torch"] if name == "transformer" else ["torch", "monai"]
    return [package for package in needed if importlib.util.find_spec(package) is None]


def _last_softmax(model: ModelProto) -> list[str]:
    """Names of final softmax nodes: in int8, a softmax over a thousand classes has few steps and would hide errors."""
    made = {value.name for value in model.graph.output}
    return [node.name for node in model.graph.node if node.op_type == "Softmax" and made.intersection(node.output)]


class _Random(CalibrationDataReader):
    def __init__(self, model: ModelProto) -> None:
        self._remaining: Iterator[dict[str, NDArray]] = random_inputs(model, CALIBRATION)

    def get_next(self) -> dict[str, NDArray] | None:
        return next(self._remaining, None)


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
    """monai.networks.nets.UNet: nested skips, residual units, strided convolutions."""
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
    """The verification of one network in one form."""

    name: str
    form: str
    seconds: float                   # to verify every cut
    verification: Verification = msgspec.field(name="proof")


def rows(names: Sequence[str]) -> Iterator[Row]:
    """Verify all cuts of each network, then of its int8 form."""
    for name in names:
        model = fp32(name)
        for form, graph in (("fp32", model), ("int8", int8(model))):
            results: list[Verification] = []
            took_ms = Stopwatch().time_ms(lambda g=graph, r=results: r.append(verify_model(g, all_cuts=True)))
            yield Row(name=name, form=form, seconds=round(took_ms / 1e3, 1), verification=results[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    wanted = args.names or NAMES
    for name in wanted:
        if absent := missing(name):
            print(f"{name}: skipped, {' and '.join(absent)} not installed", file=sys.stderr)
    found = []
    for row in rows([name for name in wanted if not missing(name)]):
        found.append(row)
        report = row.verification.report
        print(f"{row.name:14} {row.form}: {report.verified} of {report.cuts} cuts verified, "
              f"{len(report.skipped)} skipped, "
              f"{len(report.explained)} explained, max abs error {report.max_abs_error:.2g}, "
              f"{report.sensitivity:.0%} of the "
              f"output depends on the input, {row.seconds} s", file=sys.stderr, flush=True)
        for line in [*row.verification.failures, *(f"skipped {one.cut}: {one.reason}" for one in report.skipped)]:
            print(f"  {line}", file=sys.stderr)
    cuts, took_s = sum(row.verification.report.cuts for row in found), sum(row.seconds for row in found)
    print(f"{cuts} cuts in {took_s:.0f} s", file=sys.stderr)
    if args.json:
        print(msgspec.json.encode({"cuts": cuts, "seconds": round(took_s, 1), "graphs": found}).decode())
    return 1 if any(row.verification.failures for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
