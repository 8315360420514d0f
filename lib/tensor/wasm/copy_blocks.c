/* Copies blocks of n words between arrays in which they lie apart: a slice, or a padding, along one dimension. */
EXPORT(copy_blocks) void copy_blocks(int blocks, int n, const float *from, int from_stride, float *to, int to_stride) {
  for (int b = 0; b < blocks; b++, from += from_stride, to += to_stride) copy_words(n, from, to);
}
