// Groups of elementwise nodes as programs.
#include <algorithm>
#include <set>

#include "executors/cpu_plan/lowering.h"

namespace godwit::executors::plan {
namespace {

bool is_value(DType d) { return computes_in_float(d) || d == DType::boolean; }

// Ops that are one instruction of the same name, without attributes.
const std::set<std::string_view> plain = {
    "negative",    "abs",        "sign",         "floor",    "ceil",       "round",      "trunc",
    "sqrt",        "rsqrt",      "reciprocal",   "square",   "exp",        "log",        "tanh",
    "erf",         "relu",       "sigmoid",      "silu",     "softsign",   "hard_swish", "logical_not",
    "is_nan",      "is_finite",  "add",          "subtract", "multiply",   "divide",     "minimum",
    "maximum",     "equal",      "not_equal",    "less",     "less_equal", "greater",    "greater_equal",
    "logical_and", "logical_or", "logical_xor",  "where",    "expm1",      "log2",       "log10",
    "log1p",       "sin",        "cos",          "tan",      "asin",       "acos",       "atan",
    "sinh",        "cosh",       "asinh",        "acosh",    "atanh",      "mish",       "log_sigmoid",
    "atan2",       "fmod",       "floor_divide", "copy",     "power"};
const std::set<std::string_view> special = {"cast",     "gelu", "leaky_relu", "hard_sigmoid",
                                            "softplus", "clip", "prelu",      "elu"};

class Compiler {
 public:
  Compiler(Lowering& lowering, const Group& group, const Layout& result)
      : lowering_(lowering), group_(group), result_(result), program_(std::make_shared<kernels::Program>()) {
    for (const ir::Node* node : group.nodes) made_.insert(node->output());
  }

  std::optional<GroupProgram> run() {
    // Leaves come first among the registers, so they are counted before any instruction is written.
    for (const ir::Node* node : group_.nodes)
      for (const ir::Value* v : operands(*node))
        if (!made_.contains(v) && !registers_.contains(v)) {
          registers_[v] = static_cast<int>(leaves_.size());
          leaves_.push_back(v);
        }
    program_->registers = static_cast<int>(leaves_.size());
    for (const ir::Node* node : group_.nodes)
      if (!append(*node)) return std::nullopt;
    program_->result = registers_.at(group_.result());
    program_->out = result_.dtype;
    if (const DType type = group_.result()->dtype(); kernels::is_half(type) && result_.dtype == DType::f32)
      program_->result = emit(rounding(type), {program_->result});
    merge_axes();
    program_->prepare();
    return GroupProgram{program_, leaves_};
  }

 private:
  // The operands that are read at run time: bounds of clip are numbers where they are known.
  std::vector<const ir::Value*> operands(const ir::Node& node) {
    std::vector<const ir::Value*> out;
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (node.inputs[i] && !(node.op == "clip" && i > 0 && lowering_.scalar(node.inputs[i])) &&
          !(node.op == "power" && i == 1 && known_power(node)))
        out.push_back(node.inputs[i]);
    return out;
  }
  const char* known_power(const ir::Node& node) {
    const std::optional<double> exponent = lowering_.scalar(node.inputs[1]);
    if (!exponent || !lowering_.shape(node.inputs[1]).empty()) return nullptr;
    if (*exponent == 2) return "square";
    if (*exponent == 0.5) return "sqrt";
    if (*exponent == -0.5) return "rsqrt";
    if (*exponent == -1) return "reciprocal";
    return nullptr;
  }

  int emit(std::string_view function, std::vector<int> in, double p = 0, double q = 0) {
    return emit(kernels::tile_function(function), std::move(in), p, q);
  }
  int emit(kernels::TileFunction f, std::vector<int> in, double p = 0, double q = 0) {
    if (!f) return -1;
    in.resize(3, -1);
    const int out = program_->registers++;
    program_->instructions.push_back({f, out, in[0], in[1], in[2], static_cast<float>(p), static_cast<float>(q)});
    return out;
  }

  bool append(const ir::Node& node) {
    std::vector<int> in;
    for (const ir::Value* v : operands(node)) in.push_back(registers_.at(v));
    const int out = plain.contains(node.op) ? append_plain(node, in) : append_special(node, in);
    registers_[node.output()] = out;
    return out >= 0;
  }

  int append_plain(const ir::Node& node, const std::vector<int>& in) {
    if (node.op == "power" && in.size() == 1) return emit(known_power(node), in);
    return emit(node.op, in);
  }

  int append_special(const ir::Node& node, const std::vector<int>& in) {
    const Attributes a(node, lowering_.env());
    if (node.op == "cast") return append_cast(node, in);
    if (node.op == "leaky_relu") return emit("leaky_relu", in, a.real("slope"));
    if (node.op == "hard_sigmoid") return emit("hard_sigmoid", in, a.real("alpha"), a.real("beta"));
    if (node.op == "softplus") return emit("softplus", in, a.real("beta"), a.real("threshold"));
    if (node.op == "elu") return a.real("input_scale") == 1 ? emit("elu", in, a.real("alpha"), a.real("scale")) : -1;
    if (node.op == "gelu") return emit(a.text("approximate") == "none" ? "gelu" : "gelu_" + a.text("approximate"), in);
    if (node.op == "clip") return append_clip(node, in);
    // prelu: x below zero times the slope
    const int scaled = emit("multiply", in), zero = emit("subtract", {in[0], in[0]});
    return scaled < 0 || zero < 0 ? -1 : emit("where", {emit("less", {in[0], zero}), scaled, in[0]});
  }

  // Bounds are numbers where they are known, else operands.
  int append_clip(const ir::Node& node, const std::vector<int>& in) {
    int x = in[0];
    size_t next = 1;
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      if (!node.inputs[i]) continue;
      const double infinity = std::numeric_limits<double>::infinity();
      if (const std::optional<double> known = lowering_.scalar(node.inputs[i]))
        x = i == 1 ? emit("clip", {x}, *known, infinity) : emit("clip", {x}, -infinity, *known);
      else
        x = emit(i == 1 ? "maximum" : "minimum", {x, in[next++]});
    }
    return x == in[0] ? emit("copy", {x}) : x;
  }

  int append_cast(const ir::Node& node, const std::vector<int>& in) {
    const DType from = node.inputs[0]->dtype(), to = node.output()->dtype();
    if (to == DType::boolean) return emit("to_bool", in);
    if (kernels::is_half(to)) return emit(rounding(to), in);
    if (is_integer(to) && computes_in_float(from)) return emit("trunc", in);
    return emit("copy", in);
  }

  // Broadcasting aligns axes at the end.
  void merge_axes() {
    const size_t rank = result_.shape.size();
    std::vector<Ints> strides{result_.strides};
    std::vector<DType> types;
    for (const ir::Value* v : leaves_) {
      Ints s(rank, 0);
      if (group_.anchor && v == group_.anchor->output() && !lowering_.is_made(v)) {  // the kernel finishes its own
        s = result_.strides;
        types.push_back(DType::f32);
      } else {
        const Layout& l = lowering_.stored(v).layout;
        types.push_back(l.dtype);
        for (size_t i = 0; i < l.shape.size(); ++i)
          if (l.shape[i] != 1) s[rank - l.shape.size() + i] = l.strides[i];
      }
      strides.push_back(std::move(s));
    }
    Loops loops = merged(result_.shape, std::move(strides));
    program_->shape = std::move(loops.shape);
    for (size_t i = 0; i < leaves_.size(); ++i) {
      kernels::Program::Leaf leaf;
      leaf.dtype = types[i];
      leaf.strides = std::move(loops.strides[i + 1]);
      program_->leaves.push_back(std::move(leaf));
    }
  }

  Lowering& lowering_;
  const Group& group_;
  const Layout& result_;
  std::shared_ptr<kernels::Program> program_;
  std::set<const ir::Value*> made_;
  std::vector<const ir::Value*> leaves_;
  std::unordered_map<const ir::Value*, int> registers_;
};

}  // namespace

// Integer arithmetic is exact and so has rows of its own: only casts may read or make integers here.
bool is_elementwise(const ir::Node& node) {
  if (!node.regions.empty() || node.outputs.size() != 1 || node.output()->type.sequence) return false;
  const DType out = node.output()->dtype();
  if (node.op == "cast") {
    const DType in = node.inputs.at(0)->dtype();
    if (!kernels::has_float_conversion(in) || !kernels::has_float_conversion(out)) return false;
    if (is_integer(in)) return computes_in_float(out) || out == DType::boolean;
    if (is_integer(out)) return (out == DType::i32 || out == DType::i64) && in != DType::boolean;
    return true;
  }
  if (!plain.contains(node.op) && !special.contains(node.op)) return false;
  if (node.op == "floor_divide" || node.op == "round" || node.op == "trunc") {
    if (!computes_in_float(out)) return false;
  }
  for (const ir::Value* v : node.inputs)
    if (v && (!is_value(v->dtype()) || v->type.sequence || !v->type.shape)) return false;
  return is_value(out);
}

bool can_anchor(const ir::Node& node) {
  static const std::set<std::string_view> anchors = {"matmul", "linear", "quantized_linear", "conv"};
  return anchors.contains(node.op) && computes_in_float(node.output()->dtype());
}

std::optional<GroupProgram> compile_group(Lowering& lowering, const Group& group, const Layout& result) {
  return Compiler(lowering, group, result).run();
}

}  // namespace godwit::executors::plan
