"""Passes over an 8-bit ONNX graph (QDQ form): no rounding where none is needed, and convolutions in float.

ONNX Runtime's quantizer rounds what each convolution gives, and what its ReLU gives once more: half of the levels of
the first are spent on what the ReLU cuts off. And a head rounds to 256 levels what nothing in 8 bits ever reads.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence

import onnx


class QuantizedGraph:
    """A model in QDQ form that is changed in place."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._nodes = list(model.graph.node)
        self._results = {output.name for output in model.graph.output}
        self._users = defaultdict[str, list[onnx.NodeProto]](list)
        for node in self._nodes:
            for name in node.input:
                self._users[name].append(node)

    def round_after_relu_alone(self) -> None:
        """What a convolution gives to a ReLU stays as it is; the ReLU's result is rounded where 8 bits read it."""
        for conv in self._of("Conv"):
            users = self._users_beyond(conv.output[0])
            if users and all(user.op_type == "Relu" for user in users):
                self._give_unrounded(conv)

    def keep_in_float(self, parts: Sequence[str], source: onnx.ModelProto) -> None:
        """Convolutions whose name has one of ``parts`` in it, with their weights in ``source``, the float model.

        What they take and give is rounded only where another convolution reads it.
        """
        kept = {conv.name: conv for conv in self._of("Conv") if any(part in conv.name for part in parts)}
        weights = {tensor.name: tensor for tensor in source.graph.initializer}
        for theirs in (node for node in source.graph.node if node.name in kept):
            for place in range(1, len(theirs.input)):
                self._read(kept[theirs.name], place, self._added(weights[theirs.input[place]]))
        for conv in kept.values():
            if all(user.op_type != "Conv" or user.name in kept for user in self._users_beyond(conv.output[0])):
                self._give_unrounded(conv)
        for quantize in self._of("QuantizeLinear"):
            users = self._beyond(quantize)
            if users and all(user.name in kept for user in users):
                for user in users:
                    self._read(user, 0, quantize.input[0])

    def pruned(self) -> onnx.ModelProto:
        """The model without what nothing reads any more."""
        read, nodes = set(self._results), []
        for node in reversed(self._nodes):  # they stand in the order in which they run
            if read.intersection(node.output):
                nodes.append(node)
                read.update(node.input)
        pruned = copy.deepcopy(self._model)
        tensors = [tensor for tensor in pruned.graph.initializer if tensor.name in read]
        for field, values in (("node", nodes[::-1]), ("initializer", tensors)):
            pruned.graph.ClearField(field)
            getattr(pruned.graph, field).extend(values)
        onnx.checker.check_model(pruned)
        return pruned

    def _of(self, op_type: str) -> list[onnx.NodeProto]:
        return [node for node in self._nodes if node.op_type == op_type]

    def _beyond(self, quantize: onnx.NodeProto) -> list[onnx.NodeProto]:
        return [user for dequantize in self._users[quantize.output[0]] for user in self._users[dequantize.output[0]]]

    def _users_beyond(self, tensor: str) -> list[onnx.NodeProto]:
        """Who reads ``tensor`` after it was rounded."""
        return [user for one in self._rounding(tensor) for user in self._beyond(one)]

    def _rounding(self, tensor: str) -> list[onnx.NodeProto]:
        return [one for one in self._users[tensor] if one.op_type == "QuantizeLinear"]

    def _give_unrounded(self, node: onnx.NodeProto) -> None:
        """Who reads what ``node`` gives rounded reads it as it is; a result of the graph keeps its name."""
        tensor = node.output[0]
        for dequantize in [one for quantize in self._rounding(tensor) for one in self._users[quantize.output[0]]]:
            rounded = dequantize.output[0]
            if rounded in self._results:
                dequantize.output[0], node.output[0] = f"{rounded}.rounded", rounded
                self._read_by_all(tensor, rounded)
                tensor = rounded
            else:
                self._read_by_all(rounded, tensor)

    def _read_by_all(self, old: str, new: str) -> None:
        for user in list(self._users[old]):
            for place, name in enumerate(user.input):
                if name == old:
                    self._read(user, place, new)

    def _read(self, node: onnx.NodeProto, place: int, name: str) -> None:
        self._users[node.input[place]].remove(node)
        node.input[place] = name
        self._users[name].append(node)

    def _added(self, tensor: onnx.TensorProto) -> str:
        """The name under which the graph has ``tensor``."""
        name = f"{tensor.name}.float"
        if not self._users[name]:
            self._model.graph.initializer.append(tensor)
            self._model.graph.initializer[-1].name = name
        return name
