/**
 * Models for other programs: ONNX.
 *
 * @module
 */
export { modelCard, type ModelCardFacts } from "./card.ts";
export { exportOnnx, type OnnxFiles } from "./onnx/model.ts";
export { OPSET } from "./onnx/graph.ts";
