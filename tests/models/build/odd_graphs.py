"""Valid graphs with what exporters and people rarely write: each is small and shows one such thing."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tests.models.build.graphs import body, model, node, tensor

F32 = np.float32
ROW = [1, 8]
INT64, BOOL = TensorProto.INT64, TensorProto.BOOL
X, Y = tensor("x", ROW), tensor("y", ROW)


def weights(*shape: int, seed: int = 3) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * 0.3).astype(F32)


W = weights(8, 8)


def capturing(operator: str) -> ModelProto:
    """A body of If, Loop or Scan reads `a`, which the graph around it makes, and the weights `w` of another node."""
    start = [node("MatMul", "x w", "q"), node("Relu", "q", "a")]
    constants, inputs = {"w": W, "v": weights(8, 8, seed=4)}, [X]
    if operator == "If":
        inputs = [X, tensor("go", [], BOOL)]
        yes = body([node("MatMul", "a w", "t")], [], [tensor("t", ROW)])
        no = body([node("Neg", "q", "e")], [], [tensor("e", ROW)])
        rest = [node("If", "go", "b", then_branch=yes, else_branch=no), node("MatMul", "b v", "y")]
    elif operator == "Loop":
        step = body([node("Add", "state a", "next"), node("Identity", "go", "on")],
                    [tensor("i", [], INT64), tensor("go", [], BOOL), tensor("state", ROW)],
                    [tensor("on", [], BOOL), tensor("next", ROW)])
        constants["three"] = np.array(3)
        rest = [node("MatMul", "x v", "d"), node("Loop", "three _ d", "y", body=step)]
    else:
        step = body([node("Add", "state a", "next"), node("Add", "row a", "made")],
                    [tensor("state", ROW), tensor("row", [8])], [tensor("next", ROW), tensor("made", ROW)])
        rest = [node("Scan", "a x", "last all", num_scan_inputs=1, body=step), node("MatMul", "last v", "y")]
    return model([*start, *rest], inputs, [Y], constants)


def ends_without_nodes() -> ModelProto:
    """Outputs that no node makes: an input and a constant."""
    return model([node("MatMul", "x w", "y")], [X], [Y, X, tensor("w", [8, 8])], {"w": W})


def output_before_its_activation() -> ModelProto:
    return model([node("MatMul", "x w", "q"), node("Relu", "q", "a"), node("MatMul", "a w", "y")],
                 [X], [Y, tensor("q", ROW)], {"w": W})


def omitted_at_the_end() -> ModelProto:
    return model([node("Gemm", "x w _", "a"), node("Clip", "a _ _", "b"), node("Gemm", "b w _", "y")], [X], [Y],
                 {"w": W})


def sparse(indices: np.ndarray) -> ModelProto:
    given = model([node("MatMul", "x s", "a"), node("MatMul", "a w", "y")], [X], [Y], {"w": W})
    given.graph.sparse_initializer.append(helper.make_sparse_tensor(
        numpy_helper.from_array(np.array([0.5, 0.7], F32), "s"), numpy_helper.from_array(indices, "s_i"), [8, 8]))
    return given


def sparse_node() -> ModelProto:
    """The sparse constant is made by a node."""
    given = sparse(np.array([1, 9]))
    constant = helper.make_node("Constant", [], ["s"], sparse_value=given.graph.sparse_initializer[0])
    del given.graph.sparse_initializer[:]
    given.graph.node.insert(0, constant)
    return given


def without_default_domain() -> ModelProto:
    scaler = helper.make_node("Scaler", ["x"], ["y"], domain="ai.onnx.ml", offset=[0.1] * 8, scale=[2.0] * 8)
    given = model([scaler], [X], [Y])
    given.opset_import[0].CopyFrom(helper.make_opsetid("ai.onnx.ml", 1))
    return given


def through(kind: int, opset: int = 21) -> ModelProto:
    """A tensor `a` of a type that NumPy may lack, and others around it."""
    given = model([node("Neg", "x", "n"), node("Cast", "n", "a", to=kind),
                   node("Cast", "a", "b", to=TensorProto.FLOAT), node("MatMul", "b w", "y")],
                  [X], [Y], {"w": W}, opset)
    given.ir_version = 10
    return given


def scalars() -> ModelProto:
    """A scalar input, scalars between the nodes, and tensors whose shapes only a run shows."""
    return model([node("Mul", "x gain", "a"), node("Greater", "a nil", "k"), node("NonZero", "k", "i"),
                  node("Cast", "i", "f", to=TensorProto.FLOAT), node("ReduceSum", "f", "r", keepdims=0),
                  node("Neg", "r", "m"), node("Add", "a m", "y")], [X, tensor("gain", [])], [Y], {"nil": F32(0)})


def int4_weights(width: int, rows: int) -> ModelProto:
    """Only the weights are quantized; the runtime fuses their product with what makes them floats."""
    draws = np.random.default_rng(3)
    given = model([node("DequantizeLinear", "wq scale", "wf", axis=1), node("MatMul", "x wf", "a"),
                   node("Relu", "a", "b"), node("MatMul", "b w", "y")],
                  [tensor("x", [rows, width])], [tensor("y", [rows, width])],
                  {"scale": np.abs(weights(width)) + F32(0.01), "w": weights(width, width)}, 21)
    given.ir_version = 10
    given.graph.initializer.append(
        helper.make_tensor("wq", TensorProto.INT4, [width, width], draws.integers(-8, 7, width * width).tolist()))
    return given


def int4_weights_alone() -> ModelProto:
    given = int4_weights(8, 1)
    del given.graph.node[2:]
    given.graph.node[1].output[0] = "y"
    return given


def amplifying() -> ModelProto:
    """The runtime folds a Mul into the convolution before it; the nodes after it make its rounding large."""
    return model([node("Conv", "x w", "a"), node("Mul", "a s", "b"), node("Round", "b", "r"), node("Sub", "b r", "d"),
                  node("Mul", "d large", "e"), node("Sin", "e", "y")],
                 [tensor("x", [1, 3, 8, 8])], [tensor("y", [1, 4, 6, 6])],
                 {"w": weights(4, 3, 3, 3), "s": weights(4, 1, 1), "large": F32(3e4)})


def training(momentum: float = 0.9) -> ModelProto:
    """A batch normalization in training mode, which goes on learning in each run."""
    sides = [1, 4, 8, 8]
    learns = node("BatchNormalization", "x g b mean var", "a m v", training_mode=1, momentum=momentum)
    return model([learns, node("Relu", "a", "y")], [tensor("x", sides)], [tensor("y", sides)],
                 {"g": np.ones(4, F32), "b": weights(4), "mean": weights(4), "var": np.ones(4, F32)})


def dropping() -> ModelProto:
    return model([node("Dropout", "x half yes", "a"), node("MatMul", "a w", "y")], [X], [Y],
                 {"w": W, "half": F32(0.5), "yes": np.array(True)})


def random_in_a_body() -> ModelProto:
    yes, no = (body([node("Bernoulli", "p", name)], [], [tensor(name, ROW)]) for name in "te")
    return model([node("Sigmoid", "x", "p"), node("ReduceSum", "x", "s", keepdims=0), node("Greater", "s nil", "c"),
                  node("If", "c", "y", then_branch=yes, else_branch=no)], [X], [Y], {"nil": F32(0)})


def lengths() -> ModelProto:
    """Values from the length on are 0; the first that a length changes is at 2."""
    return model([node("Less", "places lens", "k"), node("Cast", "k", "f", to=TensorProto.FLOAT),
                  node("Mul", "x f", "a"), node("Relu", "a", "y")],
                 [X, tensor("lens", [1, 1], INT64)], [Y], {"places": np.arange(2, 10)[None]})


def far_threshold(at: float) -> ModelProto:
    """Only values beyond the threshold change the output."""
    return model([node("Sub", "x t", "a"), node("Relu", "a", "b"), node("Neg", "b", "y")], [X], [Y], {"t": F32(at)})


def hard_batch_of_two() -> ModelProto:
    return model([node("MatMul", "x w", "a"), node("Reshape", "a shape", "r"), node("MatMul", "r v", "y")],
                 [tensor("x", ["batch", 8])], [tensor("y", ["o", 4, 4])],
                 {"w": W, "shape": np.array([2, 4, -1]), "v": weights(2, 4)})


def one_hot() -> ModelProto:
    """The last axis of the output is as long as an input says."""
    return model([node("OneHot", "x depth values", "y")], [tensor("x", [3], INT64), tensor("depth", [], INT64)],
                 [tensor("y", [3, "depth"])], {"values": np.array([0, 1], F32)})


def repeated_names() -> ModelProto:
    given = model([node("MatMul", "x w", "a"), node("Relu", "a", "b"), node("MatMul", "b w", "y")], [X], [Y], {"w": W})
    for one, name in zip(given.graph.node, ("p", "p", "p_2"), strict=True):
        one.name = name
    return given


def with_weight(value: float) -> ModelProto:
    changed = W.copy()
    changed[:, 3] = value
    return model([node("MatMul", "x w", "a"), node("Sigmoid", "a", "y")], [X], [Y], {"w": changed})


def in_type(kind: int, dtype: type) -> ModelProto:
    """A product with input, weights and output of one type."""
    return model([node("MatMul", "x w", "a"), node("Relu", "a", "y")], [tensor("x", ROW, kind)],
                 [tensor("y", ROW, kind)], {"w": W.astype(dtype)})


def late(opset: int, ir_version: int, operator: str = "Relu") -> ModelProto:
    """A graph of later versions; `operator` may be one that only they have."""
    given = model([node("MatMul", "x w", "a"), node(operator, "a", "y")], [X], [Y], {"w": W}, opset)
    given.ir_version = ir_version
    return given
