/**
 * In WGSL, `expOf(x)` and `logOf(x)`, which give NaN for NaN. WGSL lets a compiler take it that there is none: SwiftShader's `exp` gives
 * infinity and its `log` 89.1, and a comparison with NaN may be folded away, so that only the bits tell.
 */
export const EXPONENTIALS = `
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn expOf(x: f32) -> f32 { return select(exp(x), x, isNan(x)); }
fn logOf(x: f32) -> f32 { return select(log(x), x, isNan(x)); }`;
