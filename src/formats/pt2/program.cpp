// models/<name>.json: the program.
#include <functional>

#include "formats/pt2/json.h"
#include "formats/pt2/pt2.h"

namespace godwit::formats::pt2 {
TensorMeta read_tensor_meta(const Place& at);
std::vector<std::string> read_output_names(const Place& module, const std::vector<bool>& is_none);

namespace {

constexpr int max_nested_graphs = 50;

class Reader {
 public:
  Graph graph(const Place& at) {
    if (++depth_ > max_nested_graphs) at.fail("graphs are nested too deeply");
    Graph g;
    at["inputs"].each([&](const Place& p) { g.inputs.push_back(argument(p)); });
    at["outputs"].each([&](const Place& p) { g.outputs.push_back(argument(p)); });
    at["nodes"].each([&](const Place& p) { g.nodes.push_back(node(p)); });
    Place tensors = at["tensor_values"];
    for (const auto& [name, value] : tensors.object())
      g.tensor_values[name] = read_tensor_meta(Place(value, tensors, name));
    Place ints = at["sym_int_values"];
    if (!ints.is_null())
      for (const auto& [name, value] : ints.object()) g.sym_int_values[name] = sym_int(Place(value, ints, name));
    --depth_;
    return g;
  }

  static SymInt sym_int(const Place& at) {
    if (at.has("as_int")) return {at["as_int"].integer(), ""};
    if (!at.has("as_expr")) at.fail("neither as_int nor as_expr");
    Place expression = at["as_expr"];
    SymInt s;
    s.expression = expression["expr_str"].text();
    if (s.expression.empty() || s.expression.size() > 20000)
      expression.fail("an expression of {} characters", s.expression.size());
    return s;
  }

  Argument argument(const Place& at) {
    const Json::object_t& object = at.object();
    if (object.size() != 1) at.fail("an argument has {} variants, one is expected", object.size());
    return variant(object.begin()->first, Place(object.begin()->second, at, object.begin()->first));
  }

  size_t node_count = 0;

 private:
  using Kind = Argument::Kind;

  static Argument named(Kind kind, std::string name) {
    Argument a;
    a.kind = kind;
    a.name = std::move(name);
    return a;
  }
  static Argument coded(Kind kind, int64_t value) {
    Argument a;
    a.kind = kind;
    a.integer = value;
    return a;
  }
  static Argument real(const Place& at) {
    Argument a;
    a.kind = Kind::real;
    a.real = at.real();
    return a;
  }
  static Argument flag(const Place& at) {
    Argument a;
    a.kind = Kind::flag;
    a.flag = at.flag();
    return a;
  }
  static Argument integer(const Place& at) { return coded(Kind::integer, at.integer()); }
  static Argument text(const Place& at) { return named(Kind::text, at.text()); }
  static Argument tensor(const Place& at) { return named(Kind::tensor, at["name"].text()); }

  static Argument optional_tensor(const Place& at) {
    if (at.has("as_none")) return {};
    return tensor(at["as_tensor"]);
  }

  static Argument symbol(const Place& at) {
    if (at.has("as_name")) return named(Kind::symbol, at["as_name"].text());
    if (at.has("as_int")) return integer(at["as_int"]);
    if (at.has("as_float")) return real(at["as_float"]);
    if (at.has("as_bool")) return flag(at["as_bool"]);
    at.fail("a symbolic value of no known variant");
  }

  template <class F>
  static Argument list(const Place& at, const F& item) {
    Argument a;
    a.kind = Kind::list;
    at.each([&](const Place& p) { a.items.push_back(item(p)); });
    return a;
  }

  Argument variant(std::string_view name, const Place& at) {
    if (name == "as_none") return {};
    if (name == "as_tensor") return tensor(at);
    if (name == "as_tensors") return list(at, tensor);
    if (name == "as_optional_tensors") return list(at, optional_tensor);
    if (name == "as_optional_tensor") return optional_tensor(at);
    if (name == "as_nested_tensors") return list(at, [](const Place& p) { return list(p, tensor); });
    if (name == "as_int") return integer(at);
    if (name == "as_ints") return list(at, integer);
    if (name == "as_int_lists") return list(at, [](const Place& p) { return list(p, integer); });
    if (name == "as_float") return real(at);
    if (name == "as_floats") return list(at, real);
    if (name == "as_float_lists") return list(at, [](const Place& p) { return list(p, real); });
    if (name == "as_bool") return flag(at);
    if (name == "as_bools") return list(at, flag);
    if (name == "as_string") return text(at);
    if (name == "as_strings") return list(at, text);
    if (name == "as_sym_int" || name == "as_sym_float" || name == "as_sym_bool") return symbol(at);
    if (name == "as_sym_ints" || name == "as_sym_floats" || name == "as_sym_bools") return list(at, symbol);
    if (name == "as_scalar_type") return coded(Kind::scalar_type, at.integer());
    if (name == "as_memory_format") return coded(Kind::memory_format, at.integer());
    if (name == "as_layout") return coded(Kind::layout, at.integer());
    if (name == "as_device") return named(Kind::device, at["type"].text());
    if (name == "as_operator") return named(Kind::op, at.text());
    if (name == "as_custom_obj") return named(Kind::custom_object, at["name"].text());
    if (name == "as_complex") {
      Argument a = real(at["real"]);
      a.kind = Kind::complex;
      a.imag = at["imag"].real();
      return a;
    }
    if (name == "as_graph") {
      Argument a = named(Kind::graph, at["name"].text());
      a.graph = std::make_shared<const Graph>(graph(at["graph"]));
      return a;
    }
    at.fail("argument variant '{}' is not supported", name);
  }

  Node node(const Place& at) {
    ++node_count;
    Node n;
    n.target = at["target"].text();
    n.name = at["name"].text_or("");
    at["inputs"].each([&](const Place& p) { n.inputs.push_back({p["name"].text_or(""), argument(p["arg"])}); });
    at["outputs"].each([&](const Place& p) { n.outputs.push_back(argument(p)); });
    Place metadata = at["metadata"];
    if (!metadata.is_null()) {
      n.place = source_place(metadata["stack_trace"].text_or(""));
      n.scope = module_path(metadata["nn_module_stack"].text_or(""));
    }
    return n;
  }

  // The innermost frame of a stack trace: `  File "/a/b/model.py", line 41, in forward` gives model.py:41.
  static std::string source_place(const std::string& trace) {
    size_t file = trace.rfind("File \"");
    if (file == std::string::npos) return "";
    size_t start = file + 6, end = trace.find('"', start);
    size_t line = trace.find(", line ", start);
    if (end == std::string::npos || line == std::string::npos) return "";
    std::string path = trace.substr(start, end - start);
    size_t digits = line + 7, stop = trace.find_first_not_of("0123456789", digits);
    size_t slash = path.find_last_of("/\\");
    return path.substr(slash == std::string::npos ? 0 : slash + 1) + ":" +
           trace.substr(digits, stop == std::string::npos ? stop : stop - digits);
  }

  // "key,path,class" joined by ';': the path of the last entry.
  static std::string module_path(const std::string& stack) {
    size_t last = stack.rfind(';');
    std::string entry = stack.substr(last == std::string::npos ? 0 : last + 1);
    size_t a = entry.find(','), b = a == std::string::npos ? a : entry.find(',', a + 1);
    return b == std::string::npos ? "" : entry.substr(a + 1, b - a - 1);
  }

  int depth_ = 0;
};

InputSpec input_spec(Reader& reader, const Place& at) {
  using Kind = InputSpec::Kind;
  const Json::object_t& object = at.object();
  if (object.size() != 1) at.fail("an input spec has {} variants", object.size());
  const std::string& name = object.begin()->first;
  Place spec(object.begin()->second, at, name);
  auto argument_name = [&] { return spec["arg"]["name"].text(); };
  InputSpec s;
  if (name == "user_input") {
    s.value = reader.argument(spec["arg"]);
    s.name = s.value.name;
  } else if (name == "parameter") {
    s.kind = Kind::parameter;
    s.name = argument_name();
    s.target = spec["parameter_name"].text();
  } else if (name == "buffer") {
    s.kind = Kind::buffer;
    s.name = argument_name();
    s.target = spec["buffer_name"].text();
    s.persistent = spec["persistent"].is_null() || spec["persistent"].flag();
  } else if (name == "tensor_constant") {
    s.kind = Kind::tensor_constant;
    s.name = argument_name();
    s.target = spec["tensor_constant_name"].text();
  } else if (name == "custom_obj") {
    s.kind = Kind::custom_object;
    s.name = argument_name();
    s.target = spec["custom_obj_name"].text();
  } else if (name == "token") {
    s.kind = Kind::token;
    s.name = argument_name();
  } else if (name == "constant_input") {
    s.kind = Kind::constant_input;
    s.name = spec["name"].text();
    s.value = reader.argument(spec["value"]);
  } else {
    at.fail("input spec '{}' is not supported", name);
  }
  return s;
}

OutputSpec output_spec(Reader& reader, const Place& at) {
  using Kind = OutputSpec::Kind;
  const Json::object_t& object = at.object();
  if (object.size() != 1) at.fail("an output spec has {} variants", object.size());
  const std::string& name = object.begin()->first;
  Place spec(object.begin()->second, at, name);
  OutputSpec s;
  if (name == "user_output") {
    s.value = reader.argument(spec["arg"]);
    return s;
  }
  s.value.kind = Argument::Kind::tensor;
  s.value.name = spec["arg"]["name"].text();
  if (name == "loss_output") {
    s.kind = Kind::loss_output;
  } else if (name == "buffer_mutation") {
    s.kind = Kind::buffer_mutation;
    s.target = spec["buffer_name"].text();
  } else if (name == "parameter_mutation") {
    s.kind = Kind::parameter_mutation;
    s.target = spec["parameter_name"].text();
  } else if (name == "user_input_mutation") {
    s.kind = Kind::user_input_mutation;
    s.target = spec["user_input_name"].text();
  } else if (name == "token") {
    s.kind = Kind::token;
  } else if (name == "gradient_to_parameter" || name == "gradient_to_user_input") {
    s.kind = Kind::gradient;
    s.target = name == "gradient_to_parameter" ? spec["parameter_name"].text() : spec["user_input_name"].text();
  } else {
    at.fail("output spec '{}' is not supported", name);
  }
  return s;
}

void check_version(const Place& root) {
  Place version = root["schema_version"];
  const int64_t major = version["major"].integer();
  if (major != 8) version.fail("schema version {} is not supported, 8 is", major);
}

}  // namespace

Program parse_program(std::string_view text, std::string name, const std::string& where) {
  const Json json = parse_json(text, where, max_json_depth);
  Place root(json, where);
  check_version(root);
  Program p;
  p.name = std::move(name);
  p.torch_version = root["torch_version"].text_or("");
  p.schema_minor = root["schema_version"]["minor"].integer_or(0);
  Place module = root["graph_module"];
  Reader reader;
  p.graph = reader.graph(module["graph"]);
  p.node_count = reader.node_count;
  Place signature = module["signature"];
  signature["input_specs"].each([&](const Place& at) { p.inputs.push_back(input_spec(reader, at)); });
  signature["output_specs"].each([&](const Place& at) { p.outputs.push_back(output_spec(reader, at)); });
  if (p.inputs.size() != p.graph.inputs.size())
    signature.fail("{} input specs for {} graph inputs", p.inputs.size(), p.graph.inputs.size());
  if (p.outputs.size() != p.graph.outputs.size())
    signature.fail("{} output specs for {} graph outputs", p.outputs.size(), p.graph.outputs.size());
  std::vector<bool> is_none;
  for (const OutputSpec& s : p.outputs)
    if (s.kind == OutputSpec::Kind::user_output || s.kind == OutputSpec::Kind::loss_output)
      is_none.push_back(s.value.kind == Argument::Kind::none);
  p.output_names = read_output_names(module, is_none);
  return p;
}

}  // namespace godwit::formats::pt2
