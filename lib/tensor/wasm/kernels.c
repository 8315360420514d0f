/*
 * Kernels for the wasm backend, in plain C with 128-bit SIMD.
 *
 * The module imports the WebAssembly.Memory of tfjs's own wasm module, so tensors are read and written in place.
 * It therefore may own no byte of that memory: there is no static data (build.ts checks that the binary has no data
 * segment), and the loader points the stack at a block taken from tfjs's malloc.
 *
 * One translation unit: the other .c files are included here, so that the compiler sees everything.
 */
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define NOINLINE __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

typedef unsigned int u32;

/* a * b + c. The relaxed form is one instruction where the machine has one, and then rounds once. */
#ifdef __wasm_relaxed_simd__
#define MADD(a, b, c) __builtin_wasm_relaxed_madd_f32x4((a), (b), (c))
#else
#define MADD(a, b, c) wasm_f32x4_add(wasm_f32x4_mul((a), (b)), (c))
#endif

INLINE float horizontal_sum(v128_t v) {
  v = wasm_f32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(v, 0) + wasm_f32x4_extract_lane(v, 1);
}

INLINE float horizontal_max(v128_t v) {
  float t[4], greatest;
  wasm_v128_store(t, v);
  greatest = t[0] > t[1] ? t[0] : t[1];
  greatest = greatest > t[2] ? greatest : t[2];
  return greatest > t[3] ? greatest : t[3];
}

INLINE int min_int(int a, int b) { return a < b ? a : b; }

#include "matmul_micro_kernel.c"
#include "matmul_strips.c"
#include "matmul.c"
#include "tile.c"
#include "zero_rows.c"
#include "elementwise.c"
#include "linear.c"
#include "lora.c"
#include "mlp.c"
#include "layer_norm.c"
#include "attention.c"
#include "attention_grad.c"
#include "biased_attention.c"
#include "rotate.c"
#include "top_k.c"
#include "leaky_relu.c"
#include "add.c"
#include "gather.c"
#include "conv.c"
#include "pooling.c"
#include "l2_normalise.c"
#include "copy_blocks.c"
#include "peak.c"
