// The library side of godwit/op.h.
#include "godwit/op.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "ops/op.h"

namespace godwit {

void (*op::row_function(std::string_view name, const std::type_info& signature))() {
  const ops::Op& op = ops::get(name);
  require<InternalError>(*op.signature == signature, "[{}] godwit/ops.h and the library disagree about the signature",
                         name);
  return op.function;
}

Weights::Weights(const std::vector<std::filesystem::path>& files, std::map<std::string, std::string> aliases)
    : aliases_(std::move(aliases)) {
  for (const std::filesystem::path& file : files) {
    files_ += (files_.empty() ? "" : ", ") + file.string();
    try {
      for (auto& [name, value] : mx::load_safetensors(file.string()).first) arrays_.emplace(name, std::move(value));
    } catch (const std::exception& e) {
      raise<FileError>("{}: {}", file.string(), e.what());
    }
  }
}

const array& Weights::operator()(const std::string& name) const {
  auto alias = aliases_.find(name);
  auto found = arrays_.find(alias == aliases_.end() ? name : alias->second);
  require<FileError>(found != arrays_.end(), "{}: {} is missing", files_, name);
  return found->second;
}

std::vector<array> Weights::list(const std::string& name) const {
  std::vector<array> out;
  for (auto found = arrays_.find(name + ".0"); found != arrays_.end();
       found = arrays_.find(name + "." + std::to_string(out.size())))
    out.push_back(found->second);
  return out;
}

bool read_bool(const array& value) {
  array one = mx::astype(mx::reshape(value, {}), mx::bool_);
  return one.item<bool>();
}

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

double relative_error(const array& actual, const array& expected) {
  constexpr double smallest_scale = 1e-3;  // as in validation
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (actual.shape() != expected.shape() || actual.dtype() != expected.dtype()) return infinity;
  if (actual.size() == 0) return 0;
  if (mx::issubdtype(actual.dtype(), mx::complexfloating))
    return std::max(relative_error(mx::real(actual), mx::real(expected)),
                    relative_error(mx::imag(actual), mx::imag(expected)));
  mx::StreamContext cpu(mx::Device::cpu);  // where float64 exists
  const array a = mx::astype(actual, mx::float64), e = mx::astype(expected, mx::float64);
  const array plain = mx::isfinite(e), zero = array(0.0, mx::float64);
  array same_odd = mx::array_equal(mx::where(plain, zero, a), mx::where(plain, zero, e), true);
  if (!same_odd.item<bool>()) return infinity;
  array gap = mx::max(mx::where(plain, mx::abs(mx::subtract(a, e)), zero));
  array scale = mx::max(mx::where(plain, mx::abs(e), zero));
  const double largest = gap.item<double>(), magnitude = scale.item<double>();
  if (!(largest >= 0)) return infinity;
  return largest / std::max(magnitude, smallest_scale);
}

}  // namespace godwit
