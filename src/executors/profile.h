// Time per node of a run, whichever executor ran it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace godwit::executors {

struct ProfileEntry {
  const ir::Node* node;
  std::string kernel;   // "mlx", or the kernel of the CPU plan
  double start_us, us;  // since the run began
  double flops = 0, bytes = 0;
};

struct Profile {
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  std::vector<ProfileEntry> entries;

  double now_us() const {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
  }
};

}  // namespace godwit::executors
