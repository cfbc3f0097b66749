"""The operators of ONNX that TensorRT 10 takes, by the types of their first input. Data only.

Source: docs/operators.md of the repository onnx/onnx-tensorrt, as of TensorRT 10.15; names of types as numpy has them.
BF16, FP8, FP4 and INT4 are left out, since no variant of ours has them. What is on no list is not supported.
"""

from __future__ import annotations

OPSETS = range(9, 25)

_FLOATS = ("float32", "float16")
_NUMBERS = (*_FLOATS, "int32", "int64")
_ALL = (*_NUMBERS, "bool")

_BY_TYPES: dict[tuple[str, ...], str] = {
    _FLOATS: """
        Acos Acosh Asin Asinh Atan Atanh Attention AveragePool BatchNormalization BlackmanWindow Ceil Celu Clip Conv
        ConvTranspose Cos Cosh CumSum DeformConv Dropout Einsum Elu Erf Exp Floor Gemm GlobalAveragePool GlobalLpPool
        GlobalMaxPool GridSample GroupNormalization GRU HammingWindow HannWindow HardSigmoid HardSwish Hardmax
        ImageScaler InstanceNormalization IsInf LayerNormalization LeakyRelu Log LogSoftmax LRN LSTM LpNormalization
        LpPool MatMul MaxPool MeanVarianceNormalization Mish NonMaxSuppression NonZero ParametricSoftplus PRelu
        QuantizeLinear RandomNormal RandomNormalLike RandomUniform RandomUniformLike Reciprocal Resize
        RMSNormalization RNN RoiAlign RotaryEmbedding Round ScaledTanh Scan Selu Sigmoid Sin Sinh Softmax Softplus
        Softsign Sqrt Tan Tanh ThresholdedRelu Upsample
    """,
    _NUMBERS: """
        Abs Add ArgMax ArgMin DepthToSpace Div Equal Gelu Greater GreaterOrEqual IsNaN Less LessOrEqual Max Mean Min Mod
        Mul Neg Pad Pow Range ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
        ReduceSum ReduceSumSquare Relu Scatter ScatterElements ScatterND Shrink Sign SpaceToDepth Sub Sum TopK
    """,
    _ALL: """
        Concat Constant ConstantOfShape Expand EyeLike Flatten Gather GatherElements GatherND Identity If Loop OneHot
        Reshape ReverseSequence Shape Size Slice Split Squeeze Tile Transpose Trilu Unsqueeze Where
    """,
    (*_ALL, "uint8"): "Cast CastLike",
    ("bool",): "And Not Or Xor",
    ("int8",): "DequantizeLinear",
    ("float32",): "STFT",
    (*_FLOATS, "int32"): "TensorScatter",
}

TYPES: dict[str, tuple[str, ...]] = {
    operator: types for types, operators in _BY_TYPES.items() for operator in operators.split()}
"""The types of the first input, or of the output of an operator without inputs."""

RESIZE = {
    "mode": ("nearest", "linear"),
    "coordinate_transformation_mode": (
        "half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric", "align_corners"),
    "nearest_mode": ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"),
    "keep_aspect_ratio_policy": ("stretch",),
}
"""The values of its attributes that Resize may have."""

NO_DILATION = ("AveragePool", "LpPool", "MaxPool")
"""Operators without dilations. Pooling and convolution have 2 or 3 axes beside batch and channels."""

SPATIAL = ("AveragePool", "Conv", "ConvTranspose", "LpPool", "MaxPool")
SPATIAL_RANKS = (4, 5)

ONE_OUTPUT = ("LayerNormalization", "MaxPool")
"""Operators of which only the first output is supported."""

LEAST_TOO_MANY = 3840
"""TopK takes fewer than these."""
