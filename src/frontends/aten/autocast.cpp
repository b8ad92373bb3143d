#include "frontends/aten/autocast.h"

#include <functional>
#include <set>

#include "frontends/aten/promote.h"

namespace godwit::frontends::aten {
namespace {

// clang-format off
const std::set<std::string_view> lower_precision = {
    "conv1d", "conv2d", "conv3d", "bmm", "mm", "linalg_vecdot", "baddbmm", "addmm", "addbmm", "linear",
    "_convolution", "matmul", "conv_tbc", "mkldnn_rnn_layer", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "prelu", "scaled_dot_product_attention", "_native_multi_head_attention", "einsum",
};

const std::set<std::string_view> full_precision = {
    "avg_pool3d", "binary_cross_entropy", "grid_sampler", "polar", "prod", "quantile", "nanquantile", "stft", "cdist",
    "trace", "view_as_complex", "cholesky", "cholesky_inverse", "cholesky_solve", "inverse", "lu_solve",
    "orgqr", "ormqr", "pinverse", "max_pool3d", "max_unpool2d", "max_unpool3d", "adaptive_avg_pool3d",
    "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d", "replication_pad3d", "mse_loss",
    "cosine_embedding_loss", "nll_loss", "nll_loss2d", "hinge_embedding_loss", "poisson_nll_loss",
    "cross_entropy_loss", "l1_loss", "huber_loss", "margin_ranking_loss", "soft_margin_loss", "triplet_margin_loss",
    "multi_margin_loss", "ctc_loss", "kl_div", "multilabel_margin_loss", "binary_cross_entropy_with_logits",
    "fft_fft", "fft_ifft", "fft_fft2", "fft_ifft2", "fft_fftn", "fft_ifftn", "fft_rfft", "fft_irfft", "fft_rfft2",
    "fft_irfft2", "fft_rfftn", "fft_irfftn", "fft_hfft", "fft_ihfft", "linalg_cond", "linalg_matrix_rank",
    "linalg_solve", "linalg_cholesky", "linalg_svdvals", "linalg_eigvals", "linalg_eigvalsh", "linalg_inv",
    "linalg_householder_product", "linalg_tensorinv", "linalg_tensorsolve", "fake_quantize_per_tensor_affine",
    "upsample_nearest3d", "upsample_trilinear3d", "upsample_linear1d", "replication_pad3d",
};

// clang-format on

const std::set<std::string_view> widest = {"stack", "cat", "index_copy"};

void for_each_tensor(Values& arguments, const std::function<void(Value&)>& visit) {
  for (Value& v : arguments) {
    if (v.is_tensor()) visit(v);
    if (v.items()) {
      Values items = *v.items();
      bool any = false;
      for (Value& item : items)
        if (item.is_tensor()) visit(item), any = true;
      if (any) v = Value::list(std::move(items));
    }
  }
}

}  // namespace

void autocast_arguments(Session& session, const Schema& schema, Values& arguments) {
  if (!schema.name.starts_with("aten::")) return;
  const std::string_view name = std::string_view(schema.name).substr(6);
  std::optional<DType> to;
  if (lower_precision.count(name)) to = session.autocast;
  if (full_precision.count(name)) to = DType::f32;
  if (widest.count(name)) {
    DType wide = *session.autocast;
    for_each_tensor(arguments, [&](Value& v) {
      const DType d = v.get<TensorRef>()->dtype();
      if (is_float(d) && d != DType::f64) wide = promote_types(wide, d);
    });
    to = wide;
  }
  if (!to) return;
  for_each_tensor(arguments, [&](Value& v) {
    TensorRef t = *v.get<TensorRef>();
    if (is_float(t.dtype()) && t.dtype() != DType::f64 && t.dtype() != *to)
      v = session.tensor(session.builder.cast(t.read(), *to));
  });
}

}  // namespace godwit::frontends::aten
