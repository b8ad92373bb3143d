#include "formats/onnx/reader.h"

#include "base/error.h"

namespace godwit::onnx {

void Reader::count(int64_t n) {
  used_ += n;
  require<FileError>(used_ <= Limits::messages, "[onnx] more than {} nodes, names and tensors", Limits::messages);
}

void Reader::check_depth(int depth, std::string_view what) const {
  require<FileError>(depth < Limits::depth, "[onnx] {} are nested more than {} deep", what, Limits::depth);
}

std::pair<std::string, std::string> read_entry(Bytes bytes) {
  std::pair<std::string, std::string> out;
  for (Wire w(bytes, "StringStringEntryProto"); w.next();) {
    if (w.field() == 1)
      out.first = w.string();
    else if (w.field() == 2)
      out.second = w.string();
  }
  return out;
}

namespace {

std::string domain_name(std::string_view domain) { return domain == "ai.onnx" ? "" : std::string(domain); }

Dimension read_dimension(Bytes bytes) {
  Dimension out;
  for (Wire w(bytes, "Dimension"); w.next();) {
    if (w.field() == 1)
      out.value = w.integer();
    else if (w.field() == 2)
      out.param = w.string();
  }
  return out;
}

}  // namespace

ValueType Reader::type(Bytes bytes, int depth) {
  check_depth(depth, "types");
  count();
  ValueType out;
  using Kind = ValueType::Kind;
  auto tensor_like = [&](Bytes b, Kind kind) {
    out.kind = kind;
    for (Wire w(b, "TypeProto.Tensor"); w.next();) {
      if (w.field() == 1) out.dtype = dtype_of(w.integer());
      if (w.field() != 2) continue;
      out.shape.emplace();
      for (Wire s(w.bytes(), "TensorShapeProto"); s.next();) {
        if (s.field() != 1) continue;
        if (out.shape->size() >= Limits::rank) s.fail("too many dimensions");
        out.shape->push_back(read_dimension(s.bytes()));
      }
    }
  };
  auto wrapper = [&](Bytes b, Kind kind) {
    out.kind = kind;
    for (Wire w(b, "TypeProto"); w.next();)
      if (w.field() == 1) out.element = std::make_shared<ValueType>(type(w.bytes(), depth + 1));
  };
  for (Wire w(bytes, "TypeProto"); w.next();) {
    switch (w.field()) {
      case 1: tensor_like(w.bytes(), Kind::tensor); break;
      case 4: wrapper(w.bytes(), Kind::sequence); break;
      case 5: out.kind = Kind::map; break;
      case 7: out.kind = Kind::opaque; break;
      case 8: tensor_like(w.bytes(), Kind::sparse); break;
      case 9: wrapper(w.bytes(), Kind::optional); break;
      default: break;
    }
  }
  return out;
}

ValueInfo Reader::value_info(Bytes bytes) {
  count();
  ValueInfo out;
  for (Wire w(bytes, "ValueInfoProto"); w.next();) {
    if (w.field() == 1)
      out.name = w.string();
    else if (w.field() == 2)
      out.type = type(w.bytes(), 0);
  }
  return out;
}

Attribute Reader::attribute(Bytes bytes, int depth) {
  count();
  Attribute a;
  using Type = Attribute::Type;
  Type seen = Type::undefined;  // older files carry no type field
  auto note = [&](Type type) { seen = type; };
  for (Wire w(bytes, "AttributeProto"); w.next();) {
    switch (w.field()) {
      case 1: a.name = w.string(); break;
      case 2: a.f = w.real(), note(Type::real); break;
      case 3: a.i = w.integer(), note(Type::integer); break;
      case 4: a.s = w.string(), note(Type::text); break;
      case 5: a.tensor = std::make_shared<NamedTensor>(tensor(w.bytes())), note(Type::tensor); break;
      case 6: a.graph = std::make_shared<Graph>(graph(w.bytes(), depth + 1)), note(Type::graph); break;
      case 7: w.append_reals(a.floats), note(Type::reals); break;
      case 8: w.append_integers(a.ints), note(Type::integers); break;
      case 9: count(), a.strings.push_back(w.string()), note(Type::texts); break;
      case 14: a.value_type = std::make_shared<ValueType>(type(w.bytes(), 0)), note(Type::type_proto); break;
      case 20: a.type = static_cast<Type>(w.varint()); break;
      case 21: a.reference = w.string(); break;
      case 22: a.tensor = std::make_shared<NamedTensor>(sparse_tensor(w.bytes())), note(Type::sparse_tensor); break;
      default: break;
    }
  }
  if (a.type == Type::undefined) a.type = seen;
  return a;
}

Node Reader::node(Bytes bytes, int depth) {
  count();
  Node n;
  for (Wire w(bytes, "NodeProto"); w.next();) {
    switch (w.field()) {
      case 1: count(), n.inputs.push_back(w.string()); break;
      case 2: count(), n.outputs.push_back(w.string()); break;
      case 3: n.name = w.string(); break;
      case 4: n.op = w.string(); break;
      case 5: n.attributes.push_back(attribute(w.bytes(), depth)); break;
      case 7: n.domain = domain_name(w.text()); break;
      case 8: n.overload = w.string(); break;
      default: break;
    }
  }
  return n;
}

Graph Reader::graph(Bytes bytes, int depth) {
  check_depth(depth, "graphs");
  count();
  Graph g;
  for (Wire w(bytes, "GraphProto"); w.next();) {
    switch (w.field()) {
      case 1: g.nodes.push_back(node(w.bytes(), depth)); break;
      case 2: g.name = w.string(); break;
      case 5: g.initializers.push_back(tensor(w.bytes())); break;
      case 11: g.inputs.push_back(value_info(w.bytes())); break;
      case 12: g.outputs.push_back(value_info(w.bytes())); break;
      case 13: g.value_info.push_back(value_info(w.bytes())); break;
      case 15: g.initializers.push_back(sparse_tensor(w.bytes())); break;
      default: break;
    }
  }
  return g;
}

void Reader::opset(Bytes bytes, Opsets& opsets) {
  count();
  std::string domain;
  int64_t version = 0;
  for (Wire w(bytes, "OperatorSetIdProto"); w.next();) {
    if (w.field() == 1)
      domain = domain_name(w.text());
    else if (w.field() == 2)
      version = w.integer();
  }
  opsets[domain] = version;
}

Function Reader::function(Bytes bytes) {
  count();
  Function f;
  for (Wire w(bytes, "FunctionProto"); w.next();) {
    switch (w.field()) {
      case 1: f.name = w.string(); break;
      case 4: count(), f.inputs.push_back(w.string()); break;
      case 5: count(), f.outputs.push_back(w.string()); break;
      case 6: count(), f.attributes.push_back(w.string()); break;
      case 7: f.nodes.push_back(node(w.bytes(), 0)); break;
      case 9: opset(w.bytes(), f.opsets); break;
      case 10: f.domain = domain_name(w.text()); break;
      case 11: f.defaults.push_back(attribute(w.bytes(), 0)); break;
      case 13: f.overload = w.string(); break;
      default: break;
    }
  }
  return f;
}

Model Reader::model(Bytes bytes) {
  Model m;
  bool has_graph = false;
  for (Wire w(bytes, "ModelProto"); w.next();) {
    switch (w.field()) {
      case 1: m.ir_version = w.integer(); break;
      case 2: m.producer = w.string(); break;
      case 3: m.producer_version = w.string(); break;
      case 7: m.graph = graph(w.bytes(), 0), has_graph = true; break;
      case 8: opset(w.bytes(), m.opsets); break;
      case 14: count(), m.metadata.insert(read_entry(w.bytes())); break;
      case 25: m.functions.push_back(function(w.bytes())); break;
      default: break;
    }
  }
  require<FileError>(has_graph, "[onnx] the file holds no graph");
  if (m.opsets.empty() && m.ir_version < 3) m.opsets[""] = 1;
  return m;
}

Model read_model(Bytes bytes, std::shared_ptr<const void> owner, const std::filesystem::path& folder) {
  return Reader(std::move(owner), folder).model(bytes);
}

Model read_model(const std::filesystem::path& path) {
  std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  std::filesystem::path folder = path.parent_path();
  try {
    return read_model(file->bytes(), file, folder.empty() ? "." : folder);
  } catch (const FileError& e) {
    raise<FileError>("{}: {}", path.string(), e.what());
  }
}

NamedTensor read_tensor(Bytes bytes) { return Reader(nullptr, {}).tensor(bytes); }

std::vector<NamedTensor> read_sequence(Bytes bytes) {
  Reader reader(nullptr, {});
  std::vector<NamedTensor> out;
  for (Wire w(bytes, "SequenceProto"); w.next();) {
    if (w.field() == 3)
      out.push_back(reader.tensor(w.bytes()));
    else if (w.field() == 4)
      out.push_back(reader.sparse_tensor(w.bytes()));
    else if (w.field() > 4)
      w.fail("sequences of sequences are not supported");
  }
  return out;
}

std::optional<std::vector<NamedTensor>> read_optional(Bytes bytes, bool of_sequence) {
  std::optional<std::vector<NamedTensor>> out;
  Reader reader(nullptr, {});
  for (Wire w(bytes, "OptionalProto"); w.next();) {
    if (w.field() == 3 && !of_sequence) out = {reader.tensor(w.bytes())};
    if (w.field() == 5 && of_sequence) out = read_sequence(w.bytes());
  }
  return out;
}

bool looks_like_onnx(Bytes bytes) {
  // ModelProto opens with a small field number and, in every writer, ir_version first.
  return bytes.size() > 2 && bytes[0] == std::byte{0x08} && static_cast<uint8_t>(bytes[1]) <= 32;
}

const Attribute* Node::find(std::string_view attribute) const {
  for (const Attribute& a : attributes)
    if (a.name == attribute) return &a;
  return nullptr;
}

namespace {

size_t count_nodes(const std::vector<Node>& nodes) {
  size_t n = nodes.size();
  for (const Node& node : nodes)
    for (const Attribute& a : node.attributes)
      if (a.graph) n += count_nodes(a.graph->nodes);
  return n;
}

}  // namespace

size_t node_count(const Model& model) {
  size_t n = count_nodes(model.graph.nodes);
  for (const Function& f : model.functions) n += count_nodes(f.nodes);
  return n;
}

}  // namespace godwit::onnx
