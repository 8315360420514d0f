/** What the processor can, asked of the C library through FFI: WebAssembly cannot know, and /proc is closed to Deno's programs. @module */

/** Instructions of x86-64 that the operating system lets programs use. */
export interface ProcessorFeatures {
  /** 256-bit products and sums: AVX2 and FMA. */
  avx2: boolean;
  /** 512-bit ones: AVX-512 F, DQ, BW and VL. */
  avx512: boolean;
  /** SSE4a, which AMD's processors alone have. */
  sse4a: boolean;
}

/** glibc 2.33 and later: <sys/platform/x86.h>. */
const SYMBOLS = {
  __x86_get_cpuid_feature_leaf: { parameters: ["u32"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Numbers of the leaves there: CPUID's 1, 7 and 80000001. */
const [LEAF_1, LEAF_7, LEAF_80000001] = [0, 1, 2];
/** A leaf is eax, ebx, ecx, edx as the processor has them, then the same as programs may use them. */
const [ACTIVE_EBX, ACTIVE_ECX] = [20, 24];
const FMA = 1 << 12;
const SSE4A = 1 << 6;
const AVX2 = 1 << 5;
const AVX512 = 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31;

/**
 * The processor's features.
 *
 * @returns Undefined where they cannot be told: no FFI, another processor than x86-64, another C library than glibc.
 */
export function processorFeatures(): ProcessorFeatures | undefined {
  if (Deno.build.arch !== "x86_64" || Deno.build.os !== "linux") return undefined;
  try {
    const library = Deno.dlopen("libc.so.6", SYMBOLS);
    try {
      const active = (leaf: number, offset: number): number => {
        const pointer = library.symbols.__x86_get_cpuid_feature_leaf(leaf);
        return pointer ? new Deno.UnsafePointerView(pointer).getInt32(offset) : 0;
      };
      const has = (value: number, bits: number): boolean => (value & bits) === bits;
      const seven = active(LEAF_7, ACTIVE_EBX);
      const avx2 = has(seven, AVX2) && has(active(LEAF_1, ACTIVE_ECX), FMA);
      const sse4a = has(active(LEAF_80000001, ACTIVE_ECX), SSE4A);
      return { avx2, avx512: avx2 && has(seven, AVX512), sse4a };
    } finally {
      library.close();
    }
  } catch {
    return undefined;
  }
}
