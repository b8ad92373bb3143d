#include "formats/torch_state_dict.h"

#include <algorithm>

#include "base/error.h"

namespace godwit::formats {
namespace {

using pickle::Node;
using Kind = Node::Kind;

constexpr int kMaxDepth = 64;
constexpr size_t kMaxTensors = 1'000'000, kMaxVisits = 4'000'000;

// Keys that trainers wrap state dicts in, the preferred first.
constexpr std::string_view kWrappers[] = {"ema_model_state_dict",
                                          "model_ema",
                                          "state_dict_ema",
                                          "state_dict",
                                          "model_state_dict",
                                          "model",
                                          "params_ema",
                                          "params",
                                          "net",
                                          "module"};

bool is_mapping(const Node& node) {
  return node.is(Kind::dict) || node.is_call_of("collections OrderedDict") ||
         node.is_call_of("collections defaultdict");
}

class Reader {
 public:
  Reader(const FindStorage& find, const std::string& what) : find_(find), what_(what) {}

  TorchCheckpoint read(const Node& root) {
    const Node* dict = &root;
    require<FileError>(is_mapping(root) || root.is(Kind::list) || root.is(Kind::tuple) || is_tensor_call(root),
                       "{}: the pickled object is no state dict", what_);
    if (is_mapping(root) && !has_tensors(root)) {
      for (std::string_view key : kWrappers) {
        const Node* inner = root.find(key);
        if (!inner || !is_mapping(*inner) || !(has_tensors(*inner) || has_mappings(*inner))) continue;
        dict = inner;
        out_.wrapped_in = key;
        break;
      }
    }
    if (dict != &root)
      for (size_t i = 0; i + 1 < root.items.size(); i += 2)
        if (root.items[i + 1] != dict) out_.ignored.push_back(key_text(*root.items[i]));
    visit(*dict, "", 0);
    require<FileError>(!out_.tensors.empty(), "{}: no tensors in this file", what_);
    return std::move(out_);
  }

 private:
  static bool has_tensors(const Node& dict) {
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2)
      if (is_tensor_call(*dict.items[i + 1])) return true;
    return false;
  }
  static bool has_mappings(const Node& dict) {
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2)
      if (is_mapping(*dict.items[i + 1])) return true;
    return false;
  }
  static std::string key_text(const Node& key) {
    if (key.is(Kind::text)) return key.text;
    if (key.is(Kind::integer)) return std::to_string(key.integer);
    return "?";
  }
  // DataParallel puts `module.` in front of every key.
  static bool all_in_module(const Node& dict) {
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2)
      if (!dict.items[i]->is(Kind::text) || !dict.items[i]->text.starts_with("module.")) return false;
    return !dict.items.empty();
  }

  void visit(const Node& node, const std::string& path, int depth) {
    require<FileError>(depth < kMaxDepth && ++visits_ < kMaxVisits, "{}: the pickled object is nested too deep", what_);
    if (is_tensor_call(node)) return add(node, path);
    auto child = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
    if (is_mapping(node)) {
      const bool strip = all_in_module(node);
      for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
        std::string key = key_text(*node.items[i]);
        if (strip) key.erase(0, 7);
        visit(*node.items[i + 1], child(key), depth + 1);
      }
    } else if (node.is(Kind::list) || node.is(Kind::tuple)) {
      for (size_t i = 0; i < node.items.size(); ++i) visit(*node.items[i], child(std::to_string(i)), depth + 1);
    } else if (out_.ignored.size() < kMaxTensors) {
      out_.ignored.push_back(path);
    }
  }
  void add(const Node& call, const std::string& path) {
    require<FileError>(out_.tensors.size() < kMaxTensors, "{}: more than {} tensors", what_, kMaxTensors);
    const bool is_new = out_.tensors.emplace(path, read_tensor(call, find_, what_).tensor).second;
    require<FileError>(is_new, "{}: two tensors named {}", what_, path);
  }

  const FindStorage& find_;
  const std::string& what_;
  TorchCheckpoint out_;
  size_t visits_ = 0;
};

}  // namespace

bool is_checkpoint_global(std::string_view name) {
  static constexpr std::string_view plain[] = {"collections defaultdict",
                                               "collections Counter",
                                               "builtins set",
                                               "__builtin__ set",
                                               "builtins dict",
                                               "builtins list",
                                               "builtins int",
                                               "builtins float",
                                               "_codecs encode",
                                               "numpy dtype",
                                               "numpy ndarray",
                                               "numpy.core.multiarray scalar",
                                               "numpy._core.multiarray scalar",
                                               "numpy.core.multiarray _reconstruct",
                                               "numpy._core.multiarray _reconstruct",
                                               "torch Tensor",
                                               "torch.nn.parameter Parameter"};
  return is_tensor_global(name) || std::find(std::begin(plain), std::end(plain), name) != std::end(plain);
}

TorchCheckpoint state_dict_of(const Node& root, const FindStorage& find, const std::string& what) {
  return Reader(find, what).read(root);
}

}  // namespace godwit::formats
