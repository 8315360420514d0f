/**
 * Models for other programs: ONNX.
 *
 * @module
 */
export { exportOnnx, type OnnxFiles } from "./onnx/model.ts";
export { OPSET } from "./onnx/graph.ts";
