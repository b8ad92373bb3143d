// The library side of godwit/op.h.
#include "godwit/op.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "ops/op.h"

namespace godwit {

void (*op::row_function(std::string_view name, const std::type_info& signature))() {
  const ops::Op& op = ops::get(name);
  require<InternalError>(*op.signature == signature, "[{}] godwit/ops.h and the library disagree about the signature", name);
  return op.function;
}

Weights::Weights(const std::filesystem::path& file, std::map<std::string, std::string> aliases)
    : file_(file.string()), aliases_(std::move(aliases)) {
  try {
    for (auto& [name, value] : mx::load_safetensors(file_).first) arrays_.emplace(name, std::move(value));
  } catch (const std::exception& e) {
    raise<FileError>("{}: {}", file_, e.what());
  }
}

const array& Weights::operator()(const std::string& name) const {
  auto alias = aliases_.find(name);
  auto found = arrays_.find(alias == aliases_.end() ? name : alias->second);
  require<FileError>(found != arrays_.end(), "{}: weight {} is missing", file_, name);
  return found->second;
}

bool read_bool(const array& value) { return mx::astype(mx::reshape(value, {}), mx::bool_).item<bool>(); }

std::vector<int> read_ints(const array& value) {
  array flat = mx::contiguous(mx::flatten(mx::astype(value, mx::int64)));
  flat.eval();
  std::vector<int> out;
  for (size_t i = 0; i < flat.size(); ++i)
    out.push_back(static_cast<int>(std::clamp<int64_t>(flat.data<int64_t>()[i], std::numeric_limits<int>::min(),
                                                       std::numeric_limits<int>::max())));
  return out;
}

int read_int(const array& value) {
  std::vector<int> all = read_ints(value);
  require<UsageError>(all.size() == 1, "one integer expected, the array has {}", all.size());
  return all[0];
}

}  // namespace godwit
