// The fusions that exporters make necessary.
#include <algorithm>
#include <set>

#include "passes/pass.h"
#include "passes/pattern.h"

namespace godwit::passes {
namespace {

// The axes of a mean are the last ones; binds $count to their number.
bool trailing_axes(const ir::Module&, Match& m) {
  const ir::Dims& axes = std::get<ir::Dims>(m.attrs.at("$axes"));
  const int64_t rank = m.value("%x")->rank(), count = static_cast<int64_t>(axes.size());
  std::set<int64_t> seen;
  for (const ir::Dim& a : axes) seen.insert(a.value() < 0 ? a.value() + rank : a.value());
  if (count == 0 || static_cast<int64_t>(seen.size()) != count || *seen.begin() != rank - count) return false;
  m.attrs["$count"] = ir::Dim(count);
  return true;
}

// %w (and %b) are constants over the `count` last axes of %x.
bool fits_norm(const ir::Module& module, Match& m, const std::string& name) {
  const ir::Value* w = m.value(name);
  const int64_t count = std::get<ir::Dim>(m.attrs.at("$count")).value();
  const ir::Shape& x = m.value("%x")->shape();
  if (!constant(module, w) || w->rank() != count) return false;
  return std::equal(w->shape().begin(), w->shape().end(), x.end() - count);
}
bool weight_fits(const ir::Module& module, Match& m) { return fits_norm(module, m, "%w"); }
bool bias_fits(const ir::Module& module, Match& m) { return fits_norm(module, m, "%b"); }

// exp(x - max) / sum over one and the same axis; binds $axis.
bool one_axis(const ir::Module&, Match& m) {
  const ir::Dims &a = std::get<ir::Dims>(m.attrs.at("$axes")), &b = std::get<ir::Dims>(m.attrs.at("$axes2"));
  const int64_t rank = m.value("%x")->rank();
  auto wrap = [&](const ir::Dim& d) { return d.value() < 0 ? d.value() + rank : d.value(); };
  if (a.size() != 1 || b.size() != 1 || wrap(a[0]) != wrap(b[0])) return false;
  m.attrs["$axis"] = a[0];
  return true;
}

// Halves of the last axis, the second one first and negated: the rotation of `rope`.
bool rotates_halves(const ir::Module&, Match& m) {
  const ir::Value* x = m.value("%x");
  const ir::Dim width = x->shape().back();
  const auto is_half = [&](const char* name, const ir::Dim& start, const ir::Dim& stop) {
    const ir::Node& slice = *m.value(name)->producer;
    const ir::Dims &axes = attr<ir::Dims>(slice, "axes"), &starts = attr<ir::Dims>(slice, "starts"),
                   &stops = attr<ir::Dims>(slice, "stops");
    if (axes.size() != 1 || (!axes[0].is(-1) && !axes[0].is(x->rank() - 1))) return false;
    const bool to_end = stops[0].is_known() && width.is_known() && stops[0].value() >= width.value();
    return starts[0] == start && (stops[0] == stop || (stop == width && to_end));
  };
  const ir::Dim half = floordiv(width, 2);
  return is_half("%first", 0, half) && is_half("%second", half, width) && m.value("%cos")->shape().back() == width &&
         m.value("%sin")->shape().back() == width;
}

const std::vector<Pattern> simple{
    {"silu", R"(
      %s = sigmoid %x
      %y = multiply %x %s
      -> silu %x)"},
    {"mish", R"(
      %p = softplus %x beta=1.0 threshold=20.0
      %t = tanh %p
      %y = multiply %x %t
      -> mish %x)"},
    {"gelu_erf_divide", R"(
      %d = divide %x 1.41421356
      %e = erf %d
      %a = add %e 1
      %m = multiply %x %a
      %y = multiply %m 0.5
      -> gelu %x approximate="none")"},
    {"gelu_erf_multiply", R"(
      %d = multiply %x 0.70710678
      %e = erf %d
      %a = add %e 1
      %m = multiply %x %a
      %y = multiply %m 0.5
      -> gelu %x approximate="none")"},
    {"gelu_erf_half_first", R"(
      %d = divide %x 1.41421356
      %e = erf %d
      %a = add %e 1
      %h = multiply %x 0.5
      %y = multiply %h %a
      -> gelu %x approximate="none")"},
    {"gelu_erf_half_first_multiply", R"(
      %d = multiply %x 0.70710678
      %e = erf %d
      %a = add %e 1
      %h = multiply %x 0.5
      %y = multiply %h %a
      -> gelu %x approximate="none")"},
    {"gelu_erf_half_inside", R"(
      %d = divide %x 1.41421356
      %e = erf %d
      %a = add %e 1
      %h = multiply %a 0.5
      %y = multiply %x %h
      -> gelu %x approximate="none")"},
    {"gelu_tanh_power", R"(
      %c = power %x 3
      %k = multiply %c 0.044715
      %i = add %x %k
      %s = multiply %i 0.79788456
      %t = tanh %s
      %a = add %t 1
      %h = multiply %x 0.5
      %y = multiply %h %a
      -> gelu %x approximate="tanh")"},
    {"gelu_tanh_square", R"(
      %q = square %x
      %c = multiply %q %x
      %k = multiply %c 0.044715
      %i = add %x %k
      %s = multiply %i 0.79788456
      %t = tanh %s
      %a = add %t 1
      %h = multiply %x 0.5
      %y = multiply %h %a
      -> gelu %x approximate="tanh")"},
    {"softmax", R"(
      %m = max %x axes=$axes keepdims=true
      %d = subtract %x %m
      %e = exp %d
      %s = sum %e axes=$axes2 keepdims=true
      %y = divide %e %s
      -> softmax %x axis=$axis)",
     one_axis},
    {"rope", R"(
      %first = slice %x
      %second = slice %x
      %n = negative %second
      %r = concat %n %first axis=-1
      %c = multiply %x %cos
      %s = multiply %r %sin
      %y = add %c %s
      -> rope %x %cos %sin interleaved=false)",
     rotates_halves},
};

// Ways to divide by a root; remove_identities has written squares as such.
const std::vector<Pattern> norms{
    {"layer_norm_mean", R"(
      %m = mean %x axes=$axes keepdims=true
      %d = subtract %x %m
      %q = square %d
      %v = mean %q axes=$axes keepdims=true
      %e = add %v $eps
      %r = sqrt %e
      %y = divide %d %r
      -> layer_norm %x _ _ axes_count=$count eps=$eps)",
     trailing_axes},
    {"layer_norm_variance", R"(
      %m = mean %x axes=$axes keepdims=true
      %d = subtract %x %m
      %v = variance %x axes=$axes keepdims=true correction=0.0
      %e = add %v $eps
      %r = rsqrt %e
      %y = multiply %d %r
      -> layer_norm %x _ _ axes_count=$count eps=$eps)",
     trailing_axes},
    {"rms_norm_rsqrt", R"(
      %q = square %x
      %v = mean %q axes=$axes keepdims=true
      %e = add %v $eps
      %r = rsqrt %e
      %y = multiply %x %r
      -> rms_norm %x _ axes_count=$count eps=$eps)",
     trailing_axes},
    {"rms_norm_reciprocal", R"(
      %q = square %x
      %v = mean %q axes=$axes keepdims=true
      %e = add %v $eps
      %s = sqrt %e
      %r = reciprocal %s
      %y = multiply %x %r
      -> rms_norm %x _ axes_count=$count eps=$eps)",
     trailing_axes},
};

// What comes after a bare norm.
const std::vector<Pattern> affine{
    {"layer_norm_weight", R"(
      %n = layer_norm %x axes_count=$count eps=$eps
      %y = multiply %n %w
      -> layer_norm %x %w _ axes_count=$count eps=$eps)",
     weight_fits},
    {"rms_norm_weight", R"(
      %n = rms_norm %x axes_count=$count eps=$eps
      %y = multiply %n %w
      -> rms_norm %x %w axes_count=$count eps=$eps)",
     weight_fits},
    {"layer_norm_bias", R"(
      %n = layer_norm %x %w axes_count=$count eps=$eps
      %y = add %n %b
      -> layer_norm %x %w %b axes_count=$count eps=$eps)",
     bias_fits},
};

}  // namespace

bool fuse_patterns(ir::Module& module, ir::Graph& root) {
  return for_each_graph(root, [&](ir::Graph& graph) {
    bool changed = false;
    for (const auto* group : {&simple, &norms, &affine}) changed |= apply_patterns(*group, module, root, graph);
    return changed;
  });
}

}  // namespace godwit::passes
