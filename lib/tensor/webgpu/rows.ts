/** What programs that give a workgroup of 64 to each row have in common. @module */

/** Threads of a workgroup that handles one row. */
export const ROW_THREADS = 64;

/** `groupSum(value, lane)` in WGSL: a sum over the workgroup, of a power of two; every thread gets the result. */
export function workgroupSum(type: string, threads = ROW_THREADS): string {
  const steps: string[] = [];
  for (let half = threads / 2; half >= 1; half /= 2) {
    steps.push(`if (lane < ${half}u) { partial[lane] += partial[lane + ${half}u]; } workgroupBarrier();`);
  }
  return `
var<workgroup> partial: array<${type}, ${threads}>;
fn groupSum(value: ${type}, lane: u32) -> ${type} {
  workgroupBarrier();
  partial[lane] = value;
  workgroupBarrier();
  ${steps.join("\n  ")}
  return partial[0];
}`;
}

/** In WGSL, the greater of a number and a bound, or NaN: `max` may give the bound instead. */
export function atLeast(value: string, bound: string): string {
  return `select(${value}, ${bound}, ${value} < ${bound})`;
}

/** The sum of a vector's lanes, in WGSL. */
export function add4(width: 1 | 4, value: string): string {
  return width === 4 ? `dot(${value}, vec4<f32>(1.0))` : value;
}

/** The main function, in WGSL: `body` knows `row`, `lane` and `start`, the place of the row's first number. */
export function rowMain(
  body: string,
  { stride = "steps", threads = ROW_THREADS }: { stride?: string; threads?: number } = {},
): string {
  return `
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let row = groupIndex(group, groups);
  if (row >= params.rows) { return; }
  let start = row * params.${stride};
${body}
}`;
}
