/*
 * exp and log, and the kernels that treat each element alone: GELU, dropout, AdamW. They compute `count` elements from
 * `first` on; those that work by rows compute rows. That is how threads share the work.
 */

/*
 * A constant the compiler cannot see through, so that it is made once, before the loop: V8 makes a v128.const anew at
 * each use, in three instructions or four.
 */
#define HELD(x) HELD_AS(wasm_f32x4_const_splat(x))
#define HELD_AS(value)              \
  ({                                \
    v128_t held = (value);          \
    __asm__("" : "+r"(held));       \
    held;                           \
  })

/*
 * e^x for x of at most 88, exactly 0 below -87.3: x = n ln 2 + r, a polynomial in r of relative error 2e-9 (fitted for the
 * least greatest one); with rounding 1e-7.
 */
INLINE v128_t exp4(v128_t x) {
  const v128_t magic = HELD(12583039.0f); /* 1.5 * 2^23 + 127: adding it rounds to an integer, and biases it as an exponent */
  const v128_t too_small = wasm_f32x4_lt(x, HELD(-87.3f)); /* not "not >=": NaN stays NaN */
  const v128_t t = MADD(x, HELD(1.44269504f), magic);
  const v128_t n = wasm_f32x4_sub(t, magic);
  const v128_t r = MADD(n, HELD(2.12194440e-4f), MADD(n, HELD(-0.693359375f), x));
  v128_t p = HELD(0.00138436466f);
  p = MADD(p, r, HELD(0.00837416502f));
  p = MADD(p, r, HELD(0.0416680026f));
  p = MADD(p, r, HELD(0.166664312f));
  p = MADD(p, r, HELD(0.499999942f));
  p = MADD(p, r, HELD(1.00000003f));
  p = MADD(p, r, HELD(1));
  return wasm_v128_andnot(wasm_f32x4_mul(p, wasm_i32x4_shl(t, 23) /* 2^n */), too_small);
}

/* ln x for a normal x > 0, NaN of NaN: x = m 2^e with m from sqrt(1/2) on, then the series of atanh, to 1e-9; with rounding 1e-7. */
INLINE v128_t log4(v128_t x) {
  const v128_t root = wasm_i32x4_const_splat(0x3f3504f3); /* the bits of sqrt(1/2) */
  const v128_t e = wasm_i32x4_shr(wasm_i32x4_sub(x, root), 23), m = wasm_i32x4_sub(x, wasm_i32x4_shl(e, 23));
  const v128_t one = wasm_f32x4_const_splat(1);
  const v128_t s = wasm_f32x4_div(wasm_f32x4_sub(m, one), wasm_f32x4_add(m, one)), q = wasm_f32x4_mul(s, s);
  v128_t p = wasm_f32x4_const_splat(2.0f / 9);
  p = MADD(p, q, wasm_f32x4_const_splat(2.0f / 7));
  p = MADD(p, q, wasm_f32x4_const_splat(2.0f / 5));
  p = MADD(p, q, wasm_f32x4_const_splat(2.0f / 3));
  p = MADD(p, q, wasm_f32x4_const_splat(2));
  const v128_t y = MADD(wasm_f32x4_convert_i32x4(e), wasm_f32x4_const_splat(0.6931471806f), wasm_f32x4_mul(p, s));
  return wasm_f32x4_add(y, wasm_f32x4_sub(x, x)); /* + 0, or NaN */
}

/*
 * The normal distribution function's tail, P(Z > z) for z >= 0: the eighth power of a polynomial, absolute error 4e-9, which
 * falls below 0 where the tail is less than 1e-14. No exponential and no division: see bench/NOTES.md.
 */
INLINE v128_t normal_tail(v128_t z) {
  v128_t p = HELD(-2.91629716e-07f);
  p = MADD(p, z, HELD(7.41475748e-06f));
  p = MADD(p, z, HELD(-5.98558984e-05f));
  p = MADD(p, z, HELD(3.29852183e-05f));
  p = MADD(p, z, HELD(0.00150678403f));
  p = MADD(p, z, HELD(-0.000674504155f));
  p = MADD(p, z, HELD(-0.031926631f));
  p = MADD(p, z, HELD(-0.0914577985f));
  p = MADD(p, z, HELD(0.917004041f));
  p = wasm_f32x4_pmax(p, HELD(0));
  p = wasm_f32x4_mul(p, p);
  p = wasm_f32x4_mul(p, p);
  return wasm_f32x4_mul(p, p);
}

/* |x|, at most 14, where the tail has long been 0: an infinite x must not meet it (inf * 0). */
INLINE v128_t bounded_abs(v128_t x) { return wasm_f32x4_pmin(wasm_f32x4_abs(x), HELD(14)); }

/* x P(Z < x): x - |x| tail where x > 0, -|x| tail elsewhere, so that neither cancels. */
INLINE v128_t gelu4(v128_t x) {
  const v128_t z = bounded_abs(x);
  return wasm_f32x4_sub(wasm_f32x4_pmax(x, HELD(0)), wasm_f32x4_mul(z, normal_tail(z)));
}

/*
 * d/dx x P(Z < x) = P(Z < x) + x density(x), half of 1 and an odd function: a quotient of polynomials in x x, absolute error 1e-7,
 * in float32 3e-7. Beyond 5.8 it is what it is there: exactly 1 and 0.
 */
INLINE v128_t gelu_slope4(v128_t x) {
  const v128_t u = wasm_f32x4_pmax(wasm_f32x4_pmin(x, HELD(5.8f)), HELD(-5.8f)), s = wasm_f32x4_mul(u, u);
  v128_t p = HELD(1.929242e-07f);
  p = MADD(p, s, HELD(3.59555942e-05f));
  p = MADD(p, s, HELD(1.9229007e-05f));
  p = MADD(p, s, HELD(0.014230265f));
  p = MADD(p, s, HELD(-0.0309954424f));
  p = MADD(p, s, HELD(0.797885361f));
  v128_t q = HELD(8.95225212e-06f);
  q = MADD(q, s, HELD(0.000192038239f));
  q = MADD(q, s, HELD(0.00352304366f));
  q = MADD(q, s, HELD(0.0409803375f));
  q = MADD(q, s, HELD(0.294494555f));
  q = MADD(q, s, HELD(1));
  return wasm_f32x4_add(wasm_f32x4_div(wasm_f32x4_mul(p, u), q), HELD(0.5f));
}

/* The last 1 to 3 elements of an array as a vector, and back. */
INLINE v128_t load_some(const float *p, int n) {
  float t[4] = { 0, 0, 0, 0 };
  for (int i = 0; i < n; i++) t[i] = p[i];
  return wasm_v128_load(t);
}
INLINE void store_some(float *p, v128_t v, int n) {
  float t[4];
  wasm_v128_store(t, v);
  for (int i = 0; i < n; i++) p[i] = t[i];
}

/*
 * Chunks, so that the loop over elements is in a function called many times: V8 replaces its quick first compilation
 * by the optimised one only when a function is called again.
 */
#define CHUNK 4096

static NOINLINE void gelu_chunk(int n, const float *x, float *y) {
  int i = 0;
  for (; i + 4 <= n; i += 4) wasm_v128_store(y + i, gelu4(wasm_v128_load(x + i)));
  if (i < n) store_some(y + i, gelu4(load_some(x + i, n - i)), n - i);
}
EXPORT(gelu) void gelu(const float *x, float *y, int first, int count) {
  const int end = first + count;
  for (int i = first; i < end; i += CHUNK) gelu_chunk(min_int(CHUNK, end - i), x + i, y + i);
}

static NOINLINE void gelu_grad_chunk(int n, const float *dy, const float *x, float *dx) {
  int i = 0;
  for (; i + 4 <= n; i += 4) {
    wasm_v128_store(dx + i, wasm_f32x4_mul(wasm_v128_load(dy + i), gelu_slope4(wasm_v128_load(x + i))));
  }
  if (i < n) {
    store_some(dx + i, wasm_f32x4_mul(load_some(dy + i, n - i), gelu_slope4(load_some(x + i, n - i))), n - i);
  }
}
EXPORT(gelu_grad) void gelu_grad(const float *dy, const float *x, float *dx, int first, int count) {
  const int end = first + count;
  for (int i = first; i < end; i += CHUNK) gelu_grad_chunk(min_int(CHUNK, end - i), dy + i, x + i, dx + i);
}

/*
 * Lanes that dropout sets to 0, whose element's hash is at most `limit`: see dropout/api.ts for the hash. `spread`: the elements' indices
 * times SPREAD, which the caller has by additions. `HOLD` is what is done with its constants: HELD_AS, or nothing where other numbers
 * need the registers.
 */
#define SPREAD 0x9E3779B1u
INLINE v128_t spread_indices(int first) {
  return wasm_i32x4_add(wasm_i32x4_splat((int)(first * SPREAD)),
                        wasm_i32x4_const(0, (int)SPREAD, (int)(2 * SPREAD), (int)(3 * SPREAD)));
}
#define INTEGER(x) wasm_i32x4_const_splat((int)(x))
#define DROPPED4(HOLD, spread, seed, limit)                                                            \
  ({                                                                                                   \
    v128_t h = wasm_v128_xor(spread, seed);                                                            \
    h = wasm_i32x4_mul(wasm_v128_xor(h, wasm_u32x4_shr(h, 16)), HOLD(INTEGER(0x85ebca6bu)));           \
    h = wasm_i32x4_mul(wasm_v128_xor(h, wasm_u32x4_shr(h, 13)), HOLD(INTEGER(0xc2b2ae35u)));           \
    h = wasm_v128_xor(h, wasm_u32x4_shr(h, 16));                                                       \
    /* h <= limit; V8 has one instruction for the least, and three for a comparison without a sign */  \
    wasm_i32x4_eq(wasm_u32x4_min(h, limit), h);                                                        \
  })
/* x / (1 - rate), 0 where it is dropped. */
#define DROPOUT4(HOLD, x, spread, seed, limit, scale) \
  wasm_v128_andnot(wasm_f32x4_mul(x, scale), DROPPED4(HOLD, spread, seed, limit))
static NOINLINE void dropout_chunk(int n, int first, const float *x, u32 seed, u32 limit, float scale, float *y) {
  const v128_t s = wasm_i32x4_splat((int)seed), l = wasm_i32x4_splat((int)limit), f = wasm_f32x4_splat(scale);
  v128_t spread = spread_indices(first);
  int i = 0;
  for (; i + 4 <= n; i += 4, spread = wasm_i32x4_add(spread, HELD_AS(INTEGER(4 * SPREAD)))) {
    wasm_v128_store(y + i, DROPOUT4(HELD_AS, wasm_v128_load(x + i), spread, s, l, f));
  }
  if (i < n) store_some(y + i, DROPOUT4(HELD_AS, load_some(x + i, n - i), spread, s, l, f), n - i);
}
EXPORT(dropout)
void dropout(const float *x, u32 seed, u32 limit, float scale, float *y, int first, int count) {
  const int end = first + count;
  for (int i = first; i < end; i += CHUNK) dropout_chunk(min_int(CHUNK, end - i), i, x + i, seed, limit, scale, y + i);
}

/*
 * One step of AdamW (see kernels/adamw/api.ts): keep = beta and add = 1 - beta of each moment (given, as 1 - 0.999 in float32 is
 * off by 5e-5), size = learning rate / bias correction 1, root = sqrt(bias correction 2).
 */
static NOINLINE void adamw_chunk(int n, const float *param, const float *grad, const float *m, const float *v,
                                 float keep1, float add1, float keep2, float add2, float epsilon, float decay,
                                 float size, float root, float *new_param, float *new_m, float *new_v) {
  for (int i = 0; i < n; i++) {
    const float g = grad[i], mi = m[i] * keep1 + g * add1, vi = v[i] * keep2 + g * g * add2;
    new_m[i] = mi;
    new_v[i] = vi;
    new_param[i] = param[i] * decay - size * (mi / (__builtin_sqrtf(vi) / root + epsilon));
  }
}
EXPORT(adamw)
void adamw(const float *param, const float *grad, const float *m, const float *v, float keep1, float add1, float keep2,
           float add2, float epsilon, float decay, float size, float root, float *new_param, float *new_m, float *new_v,
           int first, int count) {
  const int end = first + count;
  for (int i = first; i < end; i += CHUNK) {
    adamw_chunk(min_int(CHUNK, end - i), param + i, grad + i, m + i, v + i, keep1, add1, keep2, add2, epsilon, decay, size,
                root, new_param + i, new_m + i, new_v + i);
  }
}
