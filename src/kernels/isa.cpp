#include "kernels/isa.h"

#include <hwy/targets.h>

#include <cstdlib>
#include <mutex>
#include <utility>

#include "base/error.h"

namespace godwit::kernels {
namespace {

constexpr std::pair<const char*, int64_t> known[] = {
    {"avx512", HWY_AVX3}, {"avx2", HWY_AVX2}, {"neon", HWY_NEON}, {"baseline", HWY_STATIC_TARGET}};

}  // namespace

std::vector<std::string> available_isas() {
  const int64_t supported = hwy::SupportedTargets() | HWY_STATIC_TARGET;
  std::vector<std::string> names;
  for (auto [name, target] : known)
    if ((supported & target) && (target != HWY_STATIC_TARGET || std::string(name) == "baseline")) names.push_back(name);
  return names;
}

void set_isa(const std::string& wanted) {
  hwy::SetSupportedTargetsForTest(0);
  for (auto [name, target] : known) {
    if (wanted != name) continue;
    require<UsageError>((hwy::SupportedTargets() | HWY_STATIC_TARGET) & target, "this machine has no {}", wanted);
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    return;
  }
  raise<UsageError>("no instruction set is called {} (avx512, avx2, neon, baseline)", wanted);
}

std::string isa() {
  choose_isa();
  const int64_t best = hwy::SupportedTargets();
  for (auto [name, target] : known)
    if (best & target) return name;
  return "baseline";
}

void choose_isa() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (const char* given = std::getenv("GODWIT_ISA"); given && *given) set_isa(given);
  });
}

}  // namespace godwit::kernels
