"""ONNX files without the onnx package: protobuf, graph, shapes, input size."""
