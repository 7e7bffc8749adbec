"""The trained encoder as an ONNX graph in eight bits, written node by node.

Weights have one scale an output, and seven of the eight bits, so that no product overflows on any processor.
What goes into a product has one scale a row: whole numbers are the same everywhere, and a text's vector does not
depend on the texts beside it. Word vectors stay in the four bits in which the base brings them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from talkworthy.analysis.training.careful.base import BLOCK, Floats
from talkworthy.analysis.training.careful.network import HEADS

Array = npt.NDArray[Any]
OPSET, FORMAT = 20, 9
INPUT_TOP, WEIGHT_TOP = 127, 63
INPUT_ZERO = 128
ATTENTION = ("query", "key", "value")


class _Graph:
    """Nodes and constants as they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}

    def add(self, kind: str, inputs: Sequence[str], output: str, **how: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **how))
        return output

    def constant(self, name: str, value: Array) -> str:
        self.constants[name] = value
        return name


def graph_of(weights: Mapping[str, Floats], *, layers: int) -> bytes:
    """The model: `pieces` (texts, length), padded with 1, to `vectors` (texts, width). Names as in `Encoder`."""
    graph = _Graph()
    _constants(graph)
    there = _there(graph)
    hidden = _words(graph, weights)
    for number in range(layers):
        hidden = _layer(graph, f"layers.{number}", weights, hidden)
    graph.add("Mul", [hidden, there], "counted")
    graph.add("ReduceSum", ["counted", "along"], "summed", keepdims=0)
    graph.add("ReduceSum", [there, "along"], "lengths", keepdims=0)
    graph.add("Div", ["summed", "lengths"], "vectors")
    width = len(weights["after_words.weight"])
    made = helper.make_graph(
        graph.nodes,
        "careful",
        [helper.make_tensor_value_info("pieces", TensorProto.INT64, ["texts", "length"])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", width])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in graph.constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="talkworthy")
    model.ir_version = FORMAT
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _constants(graph: _Graph) -> None:
    held: dict[str, Array] = {
        "last": np.array([-1], np.int64),
        "along": np.array([1], np.int64),
        "padding": np.array(1, np.int64),
        "input_step": np.array(1 / INPUT_TOP, np.float32),
        "input_zero": np.array(INPUT_ZERO, np.uint8),
        "input_middle": np.array(INPUT_ZERO, np.float32),
        "least": np.array(1e-9, np.float32),
        "far": np.array(-1e4, np.float32),
        "one": np.array(1, np.float32),
    }
    for name, value in held.items():
        graph.constant(name, value)


def _there(graph: _Graph) -> str:
    """1 where a piece is, 0 where a text was filled up; and what attention adds to the scores of the latter."""
    graph.add("Equal", ["pieces", "padding"], "filled")
    graph.add("Cast", ["filled"], "gone", to=TensorProto.FLOAT)
    graph.add("Mul", ["gone", "far"], "distance")
    graph.add("Unsqueeze", ["distance", graph.constant("beside", np.array([1, 2], np.int64))], "mask")
    graph.add("Sub", ["one", "gone"], "held")
    return graph.add("Unsqueeze", ["held", "last"], "there")


def _words(graph: _Graph, weights: Mapping[str, Floats]) -> str:
    """Word vectors out of their four bits, places added, scaled."""
    words = weights["words.weight"]
    width = words.shape[1]
    pairs, scales = packed_words(words)
    graph.add("Gather", [graph.constant("words", pairs), "pieces"], "word_pairs")
    graph.add("BitwiseAnd", ["word_pairs", graph.constant("low_bits", np.array(15, np.uint8))], "word_low")
    graph.add("BitShift", ["word_pairs", graph.constant("half", np.array(4, np.uint8))], "word_high", direction="RIGHT")
    graph.add("Concat", ["word_low", "word_high"], "word_steps", axis=-1)
    graph.add("Cast", ["word_steps"], "word_numbers", to=TensorProto.FLOAT)
    graph.add("Sub", ["word_numbers", graph.constant("word_zero", np.array(8, np.float32))], "word_signed")
    graph.add("Gather", [graph.constant("word_scales", scales), "pieces"], "word_scale_small")
    graph.add("Cast", ["word_scale_small"], "word_scale", to=TensorProto.FLOAT)
    graph.add("Mul", ["word_signed", "word_scale"], "word_blocks")
    graph.add("Reshape", ["word_blocks", graph.constant("wide", np.array([0, 0, width], np.int64))], "word_vectors")
    graph.add("Shape", ["pieces"], "length", start=1, end=2)
    graph.constant("places", weights["places.weight"].astype(np.float16))
    graph.add("Slice", ["places", graph.constant("none", np.array([0], np.int64)), "length"], "places_small")
    graph.add("Cast", ["places_small"], "place_vectors", to=TensorProto.FLOAT)
    graph.add("Add", ["word_vectors", "place_vectors"], "words_in_place")
    return _normal(graph, "after_words", weights, "words_in_place")


def packed_words(words: Floats) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float16]]:
    """Vectors as pairs of four bits (words, blocks, 16) and scales (words, blocks, 1); the base's lose nothing."""
    blocks = words.reshape(len(words), -1, BLOCK)
    place = np.abs(blocks).argmax(axis=-1)[..., None]
    top = np.take_along_axis(blocks, place, axis=-1)
    best = np.zeros((*blocks.shape[:-1], 1), np.float16)
    least = np.full(best.shape, np.inf, np.float32)
    for divisor in (-8, 8, -7, 7, -6, 6, -5, 5, -4, 4, -3, 3, -2, 2, -1, 1):  # the base's own is among them
        scale = (top / divisor).astype(np.float16)
        missed = _missed(blocks, scale.astype(np.float32))
        best = np.where(missed < least * 0.999, scale, best)
        least = np.minimum(missed, least)
    steps = _steps(blocks, best.astype(np.float32))
    half = BLOCK // 2
    return (steps[..., :half] | (steps[..., half:] << 4)).astype(np.uint8), best


def _steps(blocks: Floats, scale: Floats) -> npt.NDArray[np.uint8]:
    divided = np.divide(blocks, scale, out=np.zeros_like(blocks), where=scale != 0)
    return (np.clip(np.round(divided), -8, 7) + 8).astype(np.uint8)


def _missed(blocks: Floats, scale: Floats) -> Floats:
    found = (_steps(blocks, scale).astype(np.float32) - 8) * scale
    return np.asarray(((found - blocks) ** 2).sum(axis=-1, keepdims=True), np.float32)


def _layer(graph: _Graph, name: str, weights: Mapping[str, Floats], hidden: str) -> str:
    width = len(weights[f"{name}.after_attention.weight"])
    joined = np.concatenate([weights[f"{name}.{part}.weight"] for part in ATTENTION])
    bias = np.concatenate([weights[f"{name}.{part}.bias"] for part in ATTENTION])
    all_three = _product(graph, f"{name}.all", hidden, joined, bias)
    shape = graph.constant("by_head", np.array([0, 0, 3, HEADS, width // HEADS], np.int64))
    graph.add("Reshape", [all_three, shape], f"{name}.apart")
    graph.add("Transpose", [f"{name}.apart"], f"{name}.turned", perm=[2, 0, 3, 1, 4])
    graph.nodes.append(
        helper.make_node("Split", [f"{name}.turned"], [f"{name}.{part}5" for part in ATTENTION], axis=0, num_outputs=3)
    )
    first = graph.constant("first", np.array([0], np.int64))
    query, key, value = (graph.add("Squeeze", [f"{name}.{part}5", first], f"{name}.{part}") for part in ATTENTION)
    graph.add("Transpose", [key], f"{name}.key_turned", perm=[0, 1, 3, 2])
    graph.add("MatMul", [query, f"{name}.key_turned"], f"{name}.likeness")
    root = graph.constant("root", np.array(1 / np.sqrt(width // HEADS), np.float32))
    graph.add("Mul", [f"{name}.likeness", root], f"{name}.scaled")
    graph.add("Add", [f"{name}.scaled", "mask"], f"{name}.masked")
    graph.add("Softmax", [f"{name}.masked"], f"{name}.attention", axis=-1)
    graph.add("MatMul", [f"{name}.attention", value], f"{name}.mixed")
    graph.add("Transpose", [f"{name}.mixed"], f"{name}.mixed_turned", perm=[0, 2, 1, 3])
    graph.add("Reshape", [f"{name}.mixed_turned", "wide"], f"{name}.together")
    attended = _linear(graph, f"{name}.attended", weights, f"{name}.together")
    graph.add("Add", [hidden, attended], f"{name}.with_attention")
    middle = _normal(graph, f"{name}.after_attention", weights, f"{name}.with_attention")
    wider = _linear(graph, f"{name}.wider", weights, middle)
    graph.add("Gelu", [wider], f"{name}.gated")
    narrower = _linear(graph, f"{name}.narrower", weights, f"{name}.gated")
    graph.add("Add", [middle, narrower], f"{name}.with_middle")
    return _normal(graph, f"{name}.after_middle", weights, f"{name}.with_middle")


def _normal(graph: _Graph, name: str, weights: Mapping[str, Floats], hidden: str) -> str:
    scale = graph.constant(f"{name}.scale", weights[f"{name}.weight"].astype(np.float32))
    shift = graph.constant(f"{name}.shift", weights[f"{name}.bias"].astype(np.float32))
    return graph.add("LayerNormalization", [hidden, scale, shift], f"{name}.done", axis=-1, epsilon=1e-12)


def _linear(graph: _Graph, name: str, weights: Mapping[str, Floats], hidden: str) -> str:
    return _product(graph, name, hidden, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _product(graph: _Graph, name: str, hidden: str, weight: Floats, bias: Floats) -> str:
    """The product in whole numbers; `weight` is (outputs, inputs)."""
    step = np.maximum(np.abs(weight).max(axis=1), 1e-12) / WEIGHT_TOP
    whole = np.round(weight / step[:, None]).astype(np.int8)
    graph.constant(f"{name}.whole", whole.T)
    graph.constant(f"{name}.step", step.astype(np.float32))
    graph.constant(f"{name}.bias", bias.astype(np.float32))
    graph.add("Abs", [hidden], f"{name}.size")
    graph.add("ReduceMax", [f"{name}.size", "last"], f"{name}.largest", keepdims=1)
    graph.add("Max", [f"{name}.largest", "least"], f"{name}.top")
    graph.add("Mul", [f"{name}.top", "input_step"], f"{name}.input_step")
    graph.add("Div", [hidden, f"{name}.input_step"], f"{name}.input_steps")
    graph.add("Add", [f"{name}.input_steps", "input_middle"], f"{name}.shifted")
    graph.add("Round", [f"{name}.shifted"], f"{name}.rounded")
    graph.add("Cast", [f"{name}.rounded"], f"{name}.input", to=TensorProto.UINT8)
    graph.add("MatMulInteger", [f"{name}.input", f"{name}.whole", "input_zero"], f"{name}.counted")
    graph.add("Cast", [f"{name}.counted"], f"{name}.counted_float", to=TensorProto.FLOAT)
    graph.add("Mul", [f"{name}.counted_float", f"{name}.input_step"], f"{name}.by_row")
    graph.add("Mul", [f"{name}.by_row", f"{name}.step"], f"{name}.by_output")
    return graph.add("Add", [f"{name}.by_output", f"{name}.bias"], f"{name}.product")
