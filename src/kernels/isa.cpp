#include "kernels/isa.h"

#include <hwy/targets.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#if HWY_ARCH_X86
#include <cpuid.h>
#endif
#if HWY_ARCH_X86 && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "base/error.h"

namespace godwit::kernels {
namespace {

enum Extension : int { none, int8_dots, tiles };  // each holds those before

struct Isa {
  const char* name;
  int64_t target;
  Extension extension;
};
constexpr Isa known[] = {{"amx", HWY_AVX3, tiles},   {"avx512_vnni", HWY_AVX3, int8_dots},
                         {"avx512", HWY_AVX3, none}, {"avx2", HWY_AVX2, none},
                         {"neon", HWY_NEON, none},   {"baseline", HWY_STATIC_TARGET, none}};

#if HWY_ARCH_X86
bool cpuid_bit(unsigned leaf, unsigned subleaf, unsigned bit, unsigned which) {
  unsigned r[4] = {};
  return __get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]) && (r[which] >> bit & 1);
}
#endif

// The kernel gives a process the registers of tiles on demand only, because they enlarge every signal frame.
bool tiles_granted() {
#if HWY_ARCH_X86 && defined(__linux__)
  constexpr int request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

Extension machine_extension() {
#if HWY_ARCH_X86
  static const Extension found = [] {
    constexpr unsigned ecx = 2, edx = 3;
    if (!cpuid_bit(7, 0, 11, ecx)) return none;
    const bool has_tiles = cpuid_bit(7, 0, 24, edx) && cpuid_bit(7, 0, 22, edx) && cpuid_bit(7, 0, 25, edx);
    return has_tiles && tiles_granted() ? tiles : int8_dots;
  }();
  return found;
#else
  return none;
#endif
}

// What set_isa() or choose_isa() allows of what the machine has. Kept, because asking the processor takes tens of
// microseconds in a virtual machine.
std::atomic<int> allowed{none};
void allow(Extension most) {
  allowed = hwy::SupportedTargets() & HWY_AVX3 ? std::min(machine_extension(), most) : none;
}

bool has(const Isa& wanted, int64_t supported) {
  return (supported & wanted.target) && machine_extension() >= wanted.extension &&
         (wanted.target != HWY_STATIC_TARGET || std::string(wanted.name) == "baseline");
}

Extension extension() {
  choose_isa();
  return static_cast<Extension>(allowed.load(std::memory_order_relaxed));
}

}  // namespace

std::vector<std::string> available_isas() {
  const int64_t supported = hwy::SupportedTargets() | HWY_STATIC_TARGET;
  std::vector<std::string> names;
  for (const Isa& each : known)
    if (has(each, supported)) names.push_back(each.name);
  return names;
}

namespace {

void use(const std::string& wanted) {
  hwy::SetSupportedTargetsForTest(0);
  allow(tiles);
  for (const Isa& each : known) {
    if (wanted != each.name) continue;
    require<UsageError>(has(each, hwy::SupportedTargets() | HWY_STATIC_TARGET), "this machine has no {}", wanted);
    hwy::SetSupportedTargetsForTest(each.target);
    hwy::GetChosenTarget().Update(each.target);
    allow(each.extension);
    return;
  }
  raise<UsageError>("no instruction set is called {} (amx, avx512_vnni, avx512, avx2, neon, baseline)", wanted);
}

}  // namespace

void set_isa(const std::string& wanted) {
  choose_isa();  // does nothing later
  use(wanted);
}

std::string isa() {
  const Extension best = extension();
  const int64_t targets = hwy::SupportedTargets();
  for (const Isa& each : known)
    if ((targets & each.target) && best >= each.extension) return each.name;
  return "baseline";
}

void choose_isa() {
  static std::once_flag once;
  std::call_once(once, [] {
    const char* given = std::getenv("GODWIT_ISA");
    if (given && *given)
      use(given);
    else
      allow(tiles);
  });
}

bool uses_int8_dots() { return extension() >= int8_dots; }
bool uses_tiles() { return extension() >= tiles; }

}  // namespace godwit::kernels
