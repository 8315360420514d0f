/** Activations and their slopes as WGSL functions of one number, for the epilogues of products and for kernels of their own. @module */

/** Activations that a product applies to its results. */
export type GpuActivation = "relu" | "gelu" | "quick-gelu" | "leaky-relu";

/**
 * `tail` (the upper tail of the standard normal at |x|) and `density` (`exp(-x²/2)`). The tail comes from formula 7.1.26 of
 * Abramowitz and Stegun (absolute error of erf at most 1.5e-7).
 */
const TAIL = `
struct Tail { density: f32, tail: f32 }
fn normalTail(x: f32) -> Tail {
  let z = abs(x) * 0.7071067811865476;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  let density = exp(-min(z * z, 87.0));
  return Tail(density, 0.5 * poly * density);
}`;

interface Activation {
  /** What the functions need. @default {nothing} */
  before?: string;
  /** The body of `activate(x)`. */
  value: string;
  /** The body of `slope(x)`. A rectifier's argument may be its own result. */
  slope: string;
}

const ACTIVATIONS: Readonly<Record<GpuActivation, Activation>> = {
  relu: { value: "return select(x, 0.0, x < 0.0);", slope: "return select(0.0, 1.0, x > 0.0);" },
  "leaky-relu": { value: "return select(x, 0.2 * x, x < 0.0);", slope: "return select(0.2, 1.0, x > 0.0);" },
  // `x - x Q(x)` for positive x keeps large values exact, so the absolute error stays below 1e-6.
  gelu: {
    before: TAIL,
    value: "let part = x * normalTail(x).tail; return select(part, x - part, x > 0.0);",
    slope: `let both = normalTail(x);
  return select(both.tail, 1.0 - both.tail, x > 0.0) + x * both.density * 0.3989422804014327;`,
  },
  "quick-gelu": {
    value: "return x / (1.0 + exp(-1.702 * x));",
    slope: "let s = 1.0 / (1.0 + exp(-1.702 * x)); return s * (1.0 + 1.702 * x * (1.0 - s));",
  },
};

/** `activate(x)` of one activation and `slope(x)` of another, each where it is wanted. */
export function activationCode(activation: "linear" | GpuActivation, slope?: GpuActivation): string {
  const wanted = activation === "linear" ? undefined : ACTIVATIONS[activation];
  const sloped = slope && ACTIVATIONS[slope];
  const before = new Set([wanted?.before ?? "", sloped?.before ?? ""]);
  return `${[...before].join("")}
${wanted ? `fn activate(x: f32) -> f32 { ${wanted.value} }` : ""}
${sloped ? `fn slope(x: f32) -> f32 { ${sloped.slope} }` : ""}`;
}
