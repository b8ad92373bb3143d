// Elements picked, placed, ordered and counted. Indices are i64; negative ones count from the end. An index beyond its
// axis never reads or writes foreign memory: it stops at the last element.
#pragma once

#include <string>

#include "ops/op.h"

namespace godwit::ops {

// x (a..., n, b...), indices (i...) -> (a..., i..., b...)
array take(const array& x, const array& indices, int axis);
// As torch.gather: indices may be shorter than x on the other axes.
array take_along(const array& x, const array& indices, int axis);
// indices (b..., i..., k) name elements of the k axes that follow the batch_dims axes b.
array gather_nd(const array& x, const array& indices, int batch_dims);
// x[:, i, :, j] for axes {1, 3}: the indices broadcast to (i...), which stands where the axes were if those are
// neighbours, else in front.
array index(const array& x, const std::vector<array>& indices, const Ints& axes);

// reduction: none (of equal indices the last wins), add, mul, min, max, mean (of the element and its updates).
// scatter: updates[i][j] goes to x[indices[i][j]][j] for axis 0; updates may be larger than indices.
array scatter(const array& x, const array& indices, const array& updates, int axis, const std::string& reduction);
// indices (i..., k), updates (i..., rest...): whole slices behind the first k axes.
array scatter_nd(const array& x, const array& indices, const array& updates, const std::string& reduction);
// index(x, indices, axes) = values; accumulate: += with repeated places counted.
array index_put(const array& x, const array& values, const std::vector<array>& indices, const Ints& axes,
                bool accumulate);
// The elements of x where mask is true are replaced by those of source, in order.
array masked_scatter(const array& x, const array& mask, const array& source);

array nonzero(const array& x);  // i64 (count, rank)
// Values, and i64: index of the first of each, place of every element among the values, counts. flat: of all elements;
// else of the slices along axis. Not sorted: in the order of first occurrence. NaNs are all different.
std::vector<array> unique(const array& x, int axis, bool flat, bool sorted);
// Values and i64 indices; of equals the first comes first, NaN is the largest.
std::vector<array> topk(const array& x, int k, int axis, bool largest, bool sorted);
std::vector<array> sort(const array& x, int axis, bool descending);
// i64: where each value would be inserted; sequence (n) or (b..., n) with values (b..., m). right: behind equals.
array searchsorted(const array& sequence, const array& values, bool right);

}  // namespace godwit::ops
