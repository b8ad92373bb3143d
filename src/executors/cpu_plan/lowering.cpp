#include "executors/cpu_plan/lowering.h"
#include "executors/cpu_plan/declared.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "executors/cpu_plan/rows.h"
#include "executors/mlx/executor.h"
#include "kernels/copy.h"

namespace godwit::executors::plan {

Attributes::Attributes(const ir::Node& node, const ir::Dim::Env& env) : node_(node), env_(env) {}

const ir::Attr& Attributes::get(std::string_view name) const {
  const ops::Param* param = ops::get(node_.op).find(name);
  require<InternalError>(param, "[{}] has no attribute {}", node_.op, name);
  return ops::attribute(node_, *param);
}
int64_t Attributes::integer(std::string_view name) const { return std::get<ir::Dim>(get(name)).eval(env_); }
Ints Attributes::ints(std::string_view name) const {
  Ints out;
  for (const ir::Dim& d : std::get<ir::Dims>(get(name))) out.push_back(d.eval(env_));
  return out;
}
double Attributes::real(std::string_view name) const { return std::get<double>(get(name)); }
std::vector<double> Attributes::reals(std::string_view name) const { return std::get<std::vector<double>>(get(name)); }
bool Attributes::flag(std::string_view name) const { return std::get<bool>(get(name)); }
const std::string& Attributes::text(std::string_view name) const { return std::get<std::string>(get(name)); }
const std::vector<std::string>& Attributes::texts(std::string_view name) const {
  return std::get<std::vector<std::string>>(get(name));
}

const Tensor& WeightCache::get(const std::byte* source, const std::string& kind, const std::function<Tensor()>& pack) {
  auto [found, is_new] = packed_.try_emplace({source, kind});
  if (is_new) {
    found->second = pack();
    bytes_ += found->second.nbytes();
  }
  return found->second;
}

Finish::Bound::Bound(const Finish* finish, const Run& run, float* result) : finish_(finish), result_(result) {
  if (!finish) return;
  for (const Ref& leaf : finish->leaves) leaves_.push_back(run.at<std::byte>(leaf));
  leaves_[finish->self] = result;
}

void Finish::Bound::operator()(int64_t first, int64_t last) const {
  finish_->program->run(leaves_.data(), result_, first, last);
}

Lowering::Lowering(const ir::Module& module, const ir::Graph& graph, ir::Dim::Env env, WeightCache& weights,
                   int threads)
    : module_(module), graph_(graph), env_(std::move(env)), cache_(weights), threads_(threads) {
  ir::for_each_node(graph_, [this](const ir::Node& node, const ir::Graph&) {
    read_.insert(node.inputs.begin(), node.inputs.end());
    for (const auto& region : node.regions) read_.insert(region->outputs.begin(), region->outputs.end());
  });
  declare_ports();
  lower_graph(graph_);
  deliver_outputs();
}

Plan Lowering::finish() && {
  place_in_arena(plan_);
  check_total();
  return std::move(plan_);
}

int Lowering::add_buffer(Buffer buffer) {
  plan_.buffers.push_back(std::move(buffer));
  return static_cast<int>(plan_.buffers.size()) - 1;
}

void Lowering::touch(int id) {
  if (id < 0) return;
  Buffer& buffer = plan_.buffers[static_cast<size_t>(id)];
  if (buffer.first < 0) buffer.first = clock_;
  buffer.last = clock_;
}

Ints Lowering::shape(const ir::Value* value) const {
  if (!value->type.shape || value->type.sequence) throw CannotPlan{value->producer, "a value of unknown shape"};
  Ints shape;
  for (const ir::Dim& d : *value->type.shape) {
    std::optional<int64_t> size = d.try_eval(env_);
    if (!size) throw CannotPlan{value->producer, "the size " + d.str() + " is known at run time only"};
    if (*size < 0) throw CannotPlan{value->producer, "the size " + d.str() + " is negative"};
    shape.push_back(*size);
  }
  return shape;
}

namespace {

std::string describe(const Layout& layout) {
  ir::Type type{layout.dtype, ir::Shape(layout.shape.begin(), layout.shape.end())};
  return ir::str(type);
}

}  // namespace

size_t Lowering::bounded(const Layout& layout, const ir::Node* node) const {
  size_t bytes = item_size(layout.dtype);
  bool fits = true, empty = false;
  for (int64_t d : layout.shape) {
    empty = empty || d == 0;
    fits = fits && (d == 0 || !__builtin_mul_overflow(bytes, static_cast<size_t>(d), &bytes));
  }
  if (empty) return 0;
  if (!fits || bytes > memory_limit_)
    raise<UsageError>("[{}] {} takes {} bytes, the limit is {} (GODWIT_MEMORY_LIMIT, or what the machine has left)",
                      node ? ir::describe(*node) : "input", describe(layout),
                      fits ? std::to_string(bytes) : "more than 2^64", memory_limit_);
  return bytes;
}

// Together buffers may be too large where none of them is alone: names the step at which most is held.
void Lowering::check_total() const {
  size_t total = plan_.arena_bytes;
  for (const Layout& out : plan_.outputs) total += out.nbytes();
  if (total <= memory_limit_) return;
  std::vector<int64_t> change(node_at_.size() + 1, 0);
  for (const Buffer& b : plan_.buffers) {
    if (b.kind != Buffer::Kind::arena || b.first < 0) continue;
    change[static_cast<size_t>(b.first)] += static_cast<int64_t>(b.bytes);
    change[static_cast<size_t>(b.last) + 1] -= static_cast<int64_t>(b.bytes);
  }
  size_t peak = 0;
  int64_t held = 0, most = -1;
  for (size_t i = 0; i < node_at_.size(); ++i)
    if ((held += change[i]) > most) most = held, peak = i;
  std::string inputs;
  for (size_t i = 0; i < plan_.inputs.size(); ++i)
    inputs += (i ? ", " : "") + graph_.inputs[i]->name + " " + describe(plan_.inputs[i]);
  raise<UsageError>(
      "[{}] with inputs {} results take {} bytes in all, most of them here; the limit is {} (GODWIT_MEMORY_LIMIT, or "
      "what "
      "the machine has left)",
      node_at_.empty() ? "output" : ir::describe(*node_at_[peak]), inputs, total, memory_limit_);
}

void Lowering::declare_ports() {
  auto port = [&](const ir::Value* value, Buffer::Kind kind, int index) {
    const Layout layout = Layout::row_major(value->dtype(), shape(value));
    if (value->dtype() == DType::c128 || value->dtype() == DType::text)
      throw CannotPlan{nullptr, "a type that only MLX holds"};
    Buffer buffer;
    buffer.kind = kind, buffer.index = index, buffer.bytes = layout.nbytes();
    const int id = add_buffer(std::move(buffer));
    places_[value] = {id, layout};
    return std::pair(id, layout);
  };
  for (size_t i = 0; i < graph_.inputs.size(); ++i) {
    auto [id, layout] = port(graph_.inputs[i], Buffer::Kind::input, static_cast<int>(i));
    plan_.inputs.push_back(layout), plan_.input_buffers.push_back(id);
  }
  for (size_t i = 0; i < graph_.states.size(); ++i) {
    auto [id, layout] = port(graph_.states[i].before, Buffer::Kind::state, static_cast<int>(i));
    plan_.states.push_back(layout), plan_.state_buffers.push_back(id);
  }
}

// A result that has a buffer of its own is written to the caller's memory; others (views, inputs, results that are
// asked for twice) are copied there.
void Lowering::deliver_outputs() {
  const ir::Node* last = graph_.nodes.empty() ? nullptr : graph_.nodes.back().get();
  static const ir::Node delivery{.op = "output"};
  for (size_t i = 0; i < graph_.states.size(); ++i) {
    const Place from = row_major(last ? *last : delivery, stored(graph_.states[i].after));
    copy(delivery, from, {plan_.state_buffers[i], plan_.states[i]});
  }
  for (size_t i = 0; i < graph_.outputs.size(); ++i) {
    const ir::Value* value = graph_.outputs[i];
    const Layout layout = Layout::row_major(value->dtype(), shape(value));
    const Place from = stored(value);
    Buffer& buffer = plan_.buffers[static_cast<size_t>(from.buffer)];
    plan_.outputs.push_back(layout);
    if (buffer.kind == Buffer::Kind::arena && from.layout.offset == 0 && from.layout.is_row_major() &&
        buffer.bytes == layout.nbytes()) {
      buffer.kind = Buffer::Kind::output, buffer.index = static_cast<int>(i);
      plan_.output_buffers.push_back(from.buffer);
      continue;
    }
    Buffer out;
    out.kind = Buffer::Kind::output, out.index = static_cast<int>(i), out.bytes = layout.nbytes();
    const int id = add_buffer(std::move(out));
    plan_.output_buffers.push_back(id);
    copy(delivery, from, {id, layout});
  }
}

const Tensor* Lowering::constant(const ir::Value* value) {
  if (!value) return nullptr;
  if (auto found = constants_.find(value); found != constants_.end()) return &found->second;
  if (value->kind == ir::Value::Kind::weight) {
    auto found = module_.weights.find(value->name);
    require<FileError>(found != module_.weights.end(), "weight {} is missing", value->name);
    return &found->second;
  }
  if (value->producer && value->producer->op == "constant") return &std::get<Tensor>(*value->producer->find("value"));
  return nullptr;
}

std::optional<double> Lowering::scalar(const ir::Value* value) {
  const Tensor* tensor = constant(value);
  if (!tensor || tensor->size() != 1 || is_complex(tensor->dtype) || is_small_float(tensor->dtype)) return std::nullopt;
  return tensor->contiguous().number(0);
}

Ref Lowering::constant_ref(const Tensor& tensor) {
  Buffer buffer;
  buffer.kind = Buffer::Kind::constant, buffer.constant = tensor, buffer.bytes = tensor.nbytes();
  return {add_buffer(std::move(buffer)), 0};
}

Ref Lowering::packed(const ir::Value* value, const std::string& kind, const std::function<Tensor()>& pack) {
  const bool outlives =
      value->kind == ir::Value::Kind::weight || (value->producer && value->producer->op == "constant");
  if (!outlives) return constant_ref(pack());  // folded here: its address may serve another tensor later
  return constant_ref(cache_.get(constant(value)->data, kind, pack));
}

const Place& Lowering::stored(const ir::Value* value) {
  if (auto found = places_.find(value); found != places_.end()) return found->second;
  const Tensor* tensor = constant(value);
  require<InternalError>(tensor, "value {} is read before it is made", value->name);
  Layout layout = Layout::row_major(tensor->dtype, tensor->shape);
  if (!tensor->strides.empty()) layout.strides = tensor->strides;
  const Ref ref = constant_ref(*tensor);
  return places_[value] = {ref.buffer, std::move(layout)};
}

Place Lowering::row_major(const ir::Node& node, const Place& from) {
  if (from.layout.is_row_major()) return from;
  Buffer buffer;
  buffer.bytes = bounded(from.layout, &node);
  const Place to{add_buffer(std::move(buffer)), Layout::row_major(from.layout.dtype, from.layout.shape)};
  copy(node, from, to);
  return to;
}

Place Lowering::row_major(const ir::Value* value) {
  const Place& from = place(value);
  static const ir::Node unnamed{.op = "copy"};
  return row_major(value->producer ? *value->producer : unnamed, from);
}

Place Lowering::ordered(const ir::Value* value, const std::vector<int>& axes) {
  const Place from = place(value);
  Layout wanted = Layout::ordered(from.layout.dtype, from.layout.shape, axes);
  if (from.layout.same_strides(wanted)) return from;
  Buffer buffer;
  buffer.bytes = bounded(wanted, value->producer);
  const Place to{add_buffer(std::move(buffer)), std::move(wanted)};
  static const ir::Node unnamed{.op = "copy"};
  copy(value->producer ? *value->producer : unnamed, from, to);
  return to;
}

Place Lowering::result(const ir::Value* value) {
  const DType type = kernels::is_half(value->dtype()) ? DType::f32 : value->dtype();
  return result(value, Layout::row_major(type, shape(value)));
}

Place Lowering::result(const ir::Value* value, Layout layout) {
  if (kernels::is_half(value->dtype()) && layout.dtype == DType::f32 && !rounded_.contains(value))
    unrounded_.push_back(value);
  return moved(value, std::move(layout));
}

Place Lowering::moved(const ir::Value* value, Layout layout) {
  Buffer buffer;
  buffer.bytes = bounded(layout, value->producer);
  return places_[value] = {add_buffer(std::move(buffer)), std::move(layout)};
}

void Lowering::alias(const ir::Value* value, Place place) { places_[value] = std::move(place); }

Ref Lowering::scratch(size_t bytes) {
  Buffer buffer;
  buffer.bytes = bytes;
  return {add_buffer(std::move(buffer)), 0};
}

void Lowering::emit(const ir::Node& node, std::string kernel, std::vector<Ref> touched,
                    std::function<void(const Run&)> call, double flops) {
  double bytes = 0;
  for (const Ref& r : touched) {
    touch(r.buffer);
    if (r.buffer >= 0) bytes += static_cast<double>(plan_.buffers[static_cast<size_t>(r.buffer)].bytes);
  }
  ++clock_;
  node_at_.push_back(&node);
  block_->push_back({&node, std::move(kernel), std::move(call), flops, bytes});
}

void Lowering::copy(const ir::Node& node, const Place& from, const Place& to) {
  if (kernels::is_half(from.layout.dtype) != kernels::is_half(to.layout.dtype))
    return to.layout.is_dense() ? convert(node, from, to) : copy(node, converted(node, from, to.layout.dtype), to);
  const Loops loops = merged(to.layout.shape, {to.layout.strides, from.layout.strides});
  const size_t item = item_size(to.layout.dtype);
  emit(node, "copy", {from.ref(), to.ref()},
       [copy = kernels::Copy(loops.shape, loops.strides[1], loops.strides[0], item), from = from.ref(),
        to = to.ref()](const Run& run) { copy.run(run.at<std::byte>(from), run.at<std::byte>(to), run.pool); });
}

const ir::Value* Lowering::target(const ir::Node& node) const {
  const Group* group = fusion_.anchored(&node);
  return group && finished_.contains(group) ? group->result() : node.output();
}

std::optional<Finish> Lowering::finish(const ir::Node& node, const Layout& layout) {
  const Group* group = layout.dtype == DType::f32 ? fusion_.anchored(&node) : nullptr;
  std::optional<GroupProgram> compiled;
  if (group) compiled = compile_group(*this, *group, layout);
  if (!compiled) return rounding_finish(node, layout);
  Finish finish;
  for (size_t i = 0; i < compiled->leaves.size(); ++i) {
    const ir::Value* leaf = compiled->leaves[i];
    if (leaf == node.output()) {
      finish.self = i;
      finish.leaves.push_back({});
    } else {
      finish.leaves.push_back(stored(leaf).ref());
    }
  }
  finish.program = compiled->program;
  finished_.insert(group);
  rounded_.insert(group->result());
  return finish;
}

void Lowering::lower_graph(const ir::Graph& graph) {
  fusion_.analyse(
      graph, [this](const ir::Value* v) { return shape(v); }, is_elementwise, can_anchor);
  for (const auto& node : graph.nodes) {
    if (node->op == "constant") continue;
    check_declared(*node, env_);
    if (fold(*node)) continue;
    if (const Group* group = fusion_.ending(node.get())) {
      if (group->anchor) lower(*group->anchor);
      if (!finished_.contains(group)) lower_group(*group);
    } else if (!fusion_.is_absorbed(node.get())) {
      lower(*node);
    }
  }
}

std::shared_ptr<Block> Lowering::block(const ir::Graph& region, const std::function<void()>& after) {
  auto steps = std::make_shared<Block>();
  Block* outer = std::exchange(block_, steps.get());
  Fusion fusion = std::exchange(fusion_, {});
  const auto widened = widened_;  // what a side converts is there only if that side runs
  lower_graph(region);
  after();
  widened_ = widened;
  fusion_ = std::move(fusion);
  block_ = outer;
  return steps;
}

void Lowering::lower(const ir::Node& node) {
  // Kernels need not know of tensors without elements: as a result they are done, as an operand they are rare.
  auto empty = [this](const ir::Value* v) {
    return v && !v->type.sequence && v->type.shape && Layout::row_major(v->dtype(), shape(v)).size() == 0;
  };
  if (node.regions.empty() && node.op != "concat" && std::any_of(node.inputs.begin(), node.inputs.end(), empty))
    return fall_back(node);
  const Row* row = find_row(node.op);
  if (row && row->lower(*this, node)) return round_results(node);
  unrounded_.clear();
  fall_back(node);
}

// A result of constants is one; so is a small integer tensor whose elements are dimensions.
bool Lowering::fold(const ir::Node& node) {
  if (!node.regions.empty() || node.op == "bind" || node.op == "check") return false;
  if (node.outputs.size() == 1 && node.output()->content && !node.output()->type.sequence) {
    std::vector<int64_t> values;
    for (const ir::Dim& d : *node.output()->content)
      if (std::optional<int64_t> v = d.try_eval(env_)) values.push_back(*v);
    if (values.size() == node.output()->content->size() && node.output()->dtype() == DType::i64) {
      constants_[node.output()] = Tensor::of(DType::i64, shape(node.output()), values);
      return true;
    }
  }
  std::vector<Tensor> inputs;
  for (const ir::Value* v : node.inputs) {
    if (!v) continue;
    const Tensor* tensor = v->kind == ir::Value::Kind::weight ? nullptr : constant(v);
    if (!tensor) return false;
    inputs.push_back(*tensor);
  }
  for (const ir::Value* v : node.outputs)
    if (!v->type.sequence && v->type.shape) bounded(Layout::row_major(v->dtype(), shape(v)), &node);
  std::optional<std::vector<Tensor>> results = evaluate(node, inputs, env_);
  if (!results) return false;
  for (size_t i = 0; i < node.outputs.size(); ++i) constants_[node.outputs[i]] = (*results)[i];
  return true;
}

void Lowering::lower_group(const Group& group) {
  // The order in memory is that of the first operand that is as large as the result.
  const ir::Value* value = group.result();
  const bool stays_wide = kernels::is_half(value->dtype()) && read_.contains(value);
  Layout layout = Layout::row_major(stays_wide ? DType::f32 : value->dtype(), shape(value));
  std::unordered_set<const ir::Value*> made;
  for (const ir::Node* node : group.nodes) made.insert(node->output());
  bool found = false;
  for (const ir::Node* node : group.nodes)
    for (const ir::Value* v : node->inputs) {
      std::vector<int> axes;
      if (found || !v || made.contains(v) || shape(v) != layout.shape || !stored(v).layout.is_dense(&axes)) continue;
      layout = Layout::ordered(layout.dtype, layout.shape, axes);
      found = true;
    }
  std::optional<GroupProgram> compiled = compile_group(*this, group, layout);
  if (!compiled) {
    for (const ir::Node* node : group.nodes) fall_back(*node);
    return;
  }
  std::vector<Ref> leaves;
  for (const ir::Value* v : compiled->leaves) leaves.push_back(stored(v).ref());
  const Ref out = moved(value, layout).ref();  // the program rounds
  std::vector<Ref> touched = leaves;
  touched.push_back(out);
  emit(*group.nodes.back(),
       group.nodes.size() == 1 ? "elementwise" : "elementwise x" + std::to_string(group.nodes.size()), touched,
       [program = compiled->program, leaves, out](const Run& run) {
         const void* pointers[64];
         std::vector<const void*> more;
         const void** p = pointers;
         if (leaves.size() > 64) more.resize(leaves.size()), p = more.data();
         for (size_t i = 0; i < leaves.size(); ++i) p[i] = run.at<std::byte>(leaves[i]);
         std::byte* to = run.at<std::byte>(out);
         run.pool.parallel_for(program->size(), 1 << 14,
                               [&](int64_t first, int64_t last) { program->run(p, to, first, last); });
       });
}

}  // namespace godwit::executors::plan
