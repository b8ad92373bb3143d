#include "frontends/torchscript/evaluator.h"

#include "frontends/torchscript/depth.h"

namespace godwit::frontends::torchscript {
namespace {

using script::Expr;
using script::Stmt;

constexpr int64_t kMaxIterations = 50'000;

}  // namespace

Evaluator::Evaluator(std::shared_ptr<script::Archive> archive, ops::Builder& builder)
    : archive_(std::move(archive)), builder_(builder), session_(builder) {
  frames_.push_back(std::make_unique<Frame>());
  root_ = as<ObjectBox>(bind(archive_->root_object(), "", false, 0));
  require<FileError>(root_ && root_->type, "{}: the root of the archive is no module", archive_->name());
}

void Evaluator::fail(const std::string& why) const {
  throw FileError(place_.empty() ? fmt::format("{}: {}", archive_->name(), why)
                                 : fmt::format("{}: {} ({})", archive_->name(), why, place_));
}

void Evaluator::set_place(uint32_t offset) {
  if (!frame().file) return;
  place_ = archive_->place(*frame().file, offset);
  builder_.set_place(place_, frame().path);
}

const script::Function* Evaluator::find_method(const ObjectBox& object, const std::string& method) const {
  if (!object.type) return nullptr;
  for (const auto& m : object.type->members)
    if (m.method && m.method->name == method) return m.method.get();
  return nullptr;
}

Value Evaluator::call_method(const std::shared_ptr<ObjectBox>& object, const std::string& method, Values arguments,
                             const Keywords& keywords) {
  const script::Function* function = find_method(*object, method);
  if (!function) fail(fmt::format("{} has no method {}", object->class_name, method));
  arguments.insert(arguments.begin(), Value(std::shared_ptr<aten::Opaque>(object)));
  return call_function(*object->file, *function, std::move(arguments), keywords, object->path);
}

Value Evaluator::call_function(const script::File& file, const script::Function& function, Values arguments,
                               const Keywords& keywords, const std::string& path) {
  Deeper deeper(*this);
  auto next = std::make_unique<Frame>();
  next->file = &file;
  next->path = path;
  if (arguments.size() > function.parameters.size())
    fail(fmt::format("{} takes {} arguments, {} are given", function.name, function.parameters.size(),
                     arguments.size()));
  for (size_t i = 0; i < arguments.size(); ++i) next->scope[function.parameters[i].name] = std::move(arguments[i]);
  for (const auto& [name, value] : keywords) next->scope[name] = value;
  for (const auto& p : function.parameters) {
    if (next->scope.contains(p.name)) continue;
    if (!p.fallback) fail(fmt::format("{} is called without {}", function.name, p.name));
    next->scope[p.name] = evaluate_default(file, *p.fallback);
  }
  const std::string place_before = place_;
  frames_.push_back(std::move(next));
  std::optional<Value> result;
  try {
    result = run_block(function.body);
  } catch (...) {
    frames_.pop_back();
    throw;
  }
  frames_.pop_back();
  place_ = place_before;
  builder_.set_place(place_, frame().path);
  return result ? *result : Value();
}

Value Evaluator::evaluate_default(const script::File& file, const Expr& expr) {
  auto next = std::make_unique<Frame>();
  next->file = &file;
  frames_.push_back(std::move(next));
  try {
    Value v = evaluate(expr);
    frames_.pop_back();
    return v;
  } catch (...) {
    frames_.pop_back();
    throw;
  }
}

std::optional<Value> Evaluator::run_block(const std::vector<Stmt>& block) {
  for (const Stmt& s : block)
    if (auto returned = run_statement(s)) return returned;
  return std::nullopt;
}

std::optional<Value> Evaluator::run_statement(const Stmt& s) {
  Deeper deeper(*this);
  set_place(s.offset);
  ++source_nodes_;
  switch (s.kind) {
    case Stmt::Kind::pass: return std::nullopt;
    case Stmt::Kind::return_value: return s.value ? evaluate(*s.value) : Value();
    case Stmt::Kind::expression: evaluate(*s.value); return std::nullopt;
    case Stmt::Kind::assign: assign(s); return std::nullopt;
    case Stmt::Kind::annotated: assign_to(s.targets[0], evaluate(*s.value)); return std::nullopt;
    case Stmt::Kind::if_else: return run_if(s);
    case Stmt::Kind::for_range: run_for(s); return std::nullopt;
    case Stmt::Kind::while_loop: run_while(s); return std::nullopt;
    case Stmt::Kind::with:
      // Contexts of inference code only switch gradients and profiling, which the graph does not have.
      return run_block(s.body);
    case Stmt::Kind::function: {
      auto box = std::make_shared<FunctionBox>();
      box->file = frame().file;
      box->function = s.function.get();
      box->is_forked = true;
      frame().scope[s.function->name] = Value(std::shared_ptr<aten::Opaque>(box));
      return std::nullopt;
    }
  }
  return std::nullopt;
}

void Evaluator::assign(const Stmt& s) {
  if (s.targets.size() == 1 && !s.trailing_comma) return assign_to(s.targets[0], evaluate(*s.value));
  Values values;
  if (s.value->kind == Expr::Kind::bare_tuple) {
    for (const Expr& e : s.value->items) values.push_back(evaluate(e));  // all before the first is assigned
  } else {
    const Value value = evaluate(*s.value);
    if (as<Uninitialized>(value))
      values.assign(s.targets.size(), value);
    else if (const Values* items = items_of(value))
      values = *items;
    else if (auto* t = value.get<aten::TensorRef>(); t && !t->read()->type.shape)
      throw Blocked("the results of an unsupported operator are unpacked");
    else
      fail(fmt::format("{} cannot be unpacked", describe(value)));
  }
  if (values.size() != s.targets.size())
    fail(fmt::format("{} values are unpacked into {} names", values.size(), s.targets.size()));
  for (size_t i = 0; i < values.size(); ++i) assign_to(s.targets[i], std::move(values[i]));
}

void Evaluator::assign_to(const Expr& target, Value value) {
  if (target.kind == Expr::Kind::name) {
    frame().scope[target.text] = std::move(value);
    return;
  }
  if (target.kind != Expr::Kind::attribute) fail("an assignment to something that is no name");
  auto object = as<ObjectBox>(evaluate(target.items[0]));
  if (!object) fail(fmt::format("attribute {} of something that is no object", target.text));
  set_attribute(object, target.text, std::move(value));
}

Value Evaluator::get_attribute(const std::shared_ptr<ObjectBox>& object, const std::string& name) {
  const std::string path = object->path.empty() ? name : object->path + "." + name;
  if (!written_.contains(path)) read_.insert(path);
  auto found = object->attributes.find(name);
  if (found != object->attributes.end()) return found->second;
  Value value;
  if (name == "training") {
    value = false;
  } else if (auto override = overrides_.find(path); override != overrides_.end()) {
    value = override->second;
    // Other attributes that hold the same tensor hold this one too.
    if (auto node = object->pickled.find(name); node != object->pickled.end()) bound_[node->second] = value;
  } else if (auto node = object->pickled.find(name); node != object->pickled.end()) {
    value = bind(*node->second, path, false, 0);
  } else {
    bool is_constant = false;
    value = class_constant(*object, name, &is_constant);
    if (!is_constant) fail(fmt::format("{} has no attribute {}", object->class_name, name));
  }
  object->attributes[name] = value;
  return value;
}

void Evaluator::override_attribute(const std::string& path, Value value) {
  if (auto* t = value.get<aten::TensorRef>()) held_.push_back({path, *t, t->read(), {}});
  overrides_[path] = std::move(value);
}

void Evaluator::set_attribute(const std::shared_ptr<ObjectBox>& object, const std::string& name, Value value) {
  const std::string path = object->path.empty() ? name : object->path + "." + name;
  Value before;
  const bool is_pickled = object->pickled.contains(name);
  // A write in a branch may not happen: then the old value stays.
  const bool was_read = read_.contains(path) || open_regions_ > 0;
  if (is_pickled) before = get_attribute(object, name);
  if (open_regions_ > 0)
    changes_.push_back({object, name, is_pickled ? before : object->attributes[name], {}, {}, {}, {}});
  object->attributes[name] = std::move(value);
  if (is_pickled) written_.try_emplace(path, Written{object, name, before, was_read});
}

void Evaluator::remember(const aten::List& list) {
  if (open_regions_ > 0) changes_.push_back({nullptr, "", {}, list, *list, nullptr, {}});
}

void Evaluator::remember(const std::shared_ptr<DictBox>& dict) {
  if (open_regions_ > 0) changes_.push_back({nullptr, "", {}, nullptr, {}, dict, dict->items});
}

std::optional<Value> Evaluator::run_if(const Stmt& s) {
  const Value condition = evaluate(*s.value);
  if (auto known = known_truth(condition)) return run_block(*known ? s.body : s.orelse);
  run_time_if(s, run_truth(condition));
  return std::nullopt;
}

void Evaluator::count_iteration(const Stmt& s) {
  if (++iterations_ <= kMaxIterations) return;
  set_place(s.offset);
  fail(fmt::format("loops unroll to more than {} rounds", kMaxIterations));
}

void Evaluator::run_for(const Stmt& s) {
  const Value count = evaluate(*s.value);
  auto* n = count.get<ir::Dim>();
  if (!n) fail(fmt::format("a loop over range({})", describe(count)));
  if (!n->is_known()) return run_time_loop(s, count);
  for (int64_t i = 0; i < n->value(); ++i) {
    count_iteration(s);
    frame().scope[s.targets[0].text] = Value(i);
    run_block(s.body);
  }
}

void Evaluator::run_while(const Stmt& s) {
  while (true) {
    const auto known = known_truth(evaluate(*s.value));
    if (!known) return run_time_loop(s, Value());
    if (!*known) return;
    count_iteration(s);
    run_block(s.body);
  }
}

std::optional<bool> Evaluator::known_truth(const Value& value) const {
  if (auto* b = value.get<bool>()) return *b;
  if (auto* d = value.get<double>()) return *d != 0;
  if (auto* n = value.get<ir::Dim>()) {
    if (n->is_known()) return n->value() != 0;
    return std::nullopt;
  }
  const TensorConstant known = constant_tensor(builder_, value);
  if (known && known->size() == 1) return known->number(0) != 0;
  return std::nullopt;
}

ir::Value* Evaluator::run_truth(const Value& value) {
  ir::Value* v = nullptr;
  if (auto* run = value.get<aten::RunNumber>())
    v = run->value;
  else if (auto* n = value.get<ir::Dim>())
    v = builder_.dim(*n);
  else if (auto* t = value.get<aten::TensorRef>())
    v = t->read();
  if (!v) fail(fmt::format("{} is no condition", describe(value)));
  if (!v->type.shape) throw Blocked("a condition behind an unsupported operator");
  if (v->dtype() != DType::boolean) v = builder_.op("not_equal", {v, builder_.scalar(v->dtype(), 0)});
  return v->rank() == 0 ? v : builder_.reshape(v, {});
}

}  // namespace godwit::frontends::torchscript
