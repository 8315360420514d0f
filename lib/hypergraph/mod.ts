/**
 * ACE-HGNN: hypergraph message passing along attention affinities.
 *
 * @module
 */
export {
  ACE_LORA_HGNN,
  aceHgnn,
  type AceHgnnConfig,
  aceHgnnDense,
  type AceHgnnParams,
  chosenHyperedges,
  type DenseResult,
  type HgnnAffinity,
  type Hyperedge,
  initAceHgnn,
} from "./ace_hgnn.ts";
export { adapter, type AdapterParams, initAdapter } from "./adapter.ts";
export { clsScores, hypergraph, initHgnn } from "./affinities.ts";
export { type GatHgnnParams, initGat } from "./gat.ts";
export { type Gatv2HgnnParams, initGatv2 } from "./gatv2.ts";
export { denseIncidence, keepTopK } from "./incidence.ts";
