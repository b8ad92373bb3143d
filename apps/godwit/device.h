// Where arrays live and are computed.
#pragma once

#include <mlx/device.h>

#include <string>

#include "base/error.h"

namespace godwit::app {

// "cpu" or "gpu". Throws UsageError for another name, or where MLX sees no GPU.
inline void use_device(const std::string& name) {
  namespace mx = mlx::core;
  require<UsageError>(name == "cpu" || name == "gpu", "there is no device called {}; choose cpu or gpu", name);
  const mx::Device device = name == "gpu" ? mx::Device::gpu : mx::Device::cpu;
  require<UsageError>(mx::is_available(device), "MLX sees no {} here", name);
  mx::set_default_device(device);
}

// The executor that was asked for; else the CPU plan, and MLX on a GPU. Throws UsageError for the plan on a GPU.
inline std::string executor_for(const std::string& device, const std::string& given) {
  require<UsageError>(given != "cpu" || device == "cpu", "the cpu executor runs on --device cpu, not on {}", device);
  if (!given.empty()) return given;
  return device == "cpu" ? "cpu" : "mlx";
}

inline constexpr const char* executor_help = "cpu (planned kernels) or mlx; default: cpu, and mlx on a GPU";

}  // namespace godwit::app
