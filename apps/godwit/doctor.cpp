// godwit doctor: what this machine and this build offer. godwit ops: the op table.
#include <fmt/format.h>
#include <mlx/device.h>
#include <mlx/ops.h>
#include <mlx/random.h>
#include <mlx/transforms.h>
#include <mlx/version.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "ir/text.h"
#include "ops/op.h"
#include "parity/process.h"
#include "parity/reference.h"
#include "verbs.h"

namespace godwit::app {
namespace {

namespace mx = mlx::core;

// GFLOP/s of a 512 x 512 float32 product on the CPU: tells OpenBLAS from the wheel's reference BLAS.
double matmul_speed() {
  auto a = mx::random::normal({512, 512}), b = mx::random::normal({512, 512});
  mx::eval(a, b);
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    auto c = mx::matmul(a, b, mx::Device::cpu);
    mx::eval(c);
    best = std::max(best,
                    2 * 0.134217728 / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

struct Package {
  const char *name, *use;
};

constexpr Package packages[] = {
    {"torch", "exports .py files and transformers folders; the original of .pt2 and TorchScript files"},
    {"onnxruntime", "the original of ONNX files"},
    {"onnx", "the layers of ONNX files (validate --layers), their graphs in float64"},
    {"transformers", "exports transformers folders"},
    {"mlx", "runs generated Python code and .mlxfn files"},
};

constexpr const char* versions_code = R"(
import importlib.metadata, json, sys
versions = {}
for name in sys.argv[1:]:
    for distribution in (name, name + "-cpu", name + "-gpu"):
        try:
            versions[name] = importlib.metadata.version(distribution)
            break
        except importlib.metadata.PackageNotFoundError:
            pass
print(json.dumps({"ok": True, "path": sys.executable, "version": sys.version.split()[0], "packages": versions}))
)";

// The Python that runs originals and exports, and what it has. Nothing is imported: torch alone would take seconds.
nlohmann::json python_report() {
  nlohmann::json out{{"program", parity::python_program()}};
  try {
    std::vector<std::string> command{parity::python_program(), "-c", versions_code};
    for (const Package& p : packages) command.emplace_back(p.name);
    parity::Process process(command, "the search for Python packages");
    out.update(process.read(60));
    out.erase("ok");
  } catch (const UsageError& e) {
    out["error"] = e.what();
  }
  return out;
}

void print_python(const nlohmann::json& python) {
  if (python.contains("error")) {
    fmt::print("Python       {}: not usable: {}\n  set GODWIT_PYTHON to one that is\n",
               python["program"].get<std::string>(), python["error"].get<std::string>());
    return;
  }
  fmt::print("Python       {} ({}{})\n", python["version"].get<std::string>(), python["path"].get<std::string>(),
             std::getenv("GODWIT_PYTHON") ? ", as GODWIT_PYTHON says" : "; GODWIT_PYTHON names another");
  for (const Package& p : packages)
    fmt::print("  {:12} {:12} {}\n", p.name, python["packages"].value(p.name, "missing"), p.use);
}

nlohmann::json doctor_report() {
  const bool gpu = mx::is_available(mx::Device::gpu);
  return {{"version", GODWIT_VERSION},
          {"mlx", mx::version()},
          {"threads", std::thread::hardware_concurrency()},
          {"gpu", gpu},
          {"cpu_matmul_gflops", matmul_speed()},
          {"python", python_report()},
          {"ops", ops::all().size()}};
}

const char* kind_name(ops::Param::Kind kind) {
  using Kind = ops::Param::Kind;
  switch (kind) {
    case Kind::operand: return "operand";
    case Kind::optional_operand: return "operand?";
    case Kind::operands: return "operands...";
    case Kind::sequence: return "sequence";
    case Kind::integer: return "integer";
    case Kind::integers: return "integers";
    case Kind::real: return "real";
    case Kind::reals: return "reals";
    case Kind::flag: return "flag";
    case Kind::text: return "text";
    case Kind::texts: return "texts";
    case Kind::dtype: return "dtype";
    default: return "tensor";
  }
}

}  // namespace

Verb add_doctor(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  CLI::App* verb = app.add_subcommand("doctor", "What this machine and this build offer");
  verb->add_flag("--json", *json, "One JSON object on stdout");
  return {verb, [json] {
            const nlohmann::json r = doctor_report();
            if (*json) {
              std::cout << r.dump(2) << "\n";
              return 0;
            }
            const double speed = r["cpu_matmul_gflops"];
            fmt::print(
                "godwit {}, MLX {}, {} ops\nthreads      {}\nGPU          {}\nCPU matmul   {:.0f} GFLOP/s (float32, "
                "512 x 512){}\n",
                GODWIT_VERSION, mx::version(), ops::all().size(), r["threads"].get<unsigned>(),
                r["gpu"].get<bool>() ? "yes" : "no", speed,
                speed < 10 ? "\n  slow: MLX uses its reference BLAS; install OpenBLAS and build again" : "");
            print_python(r["python"]);
            return 0;
          }};
}

Verb add_ops(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  CLI::App* verb = app.add_subcommand("ops", "The op table: every op with its parameters");
  verb->add_flag("--json", *json, "One JSON array on stdout");
  return {
      verb, [json] {
        auto list = nlohmann::json::array();
        for (const ops::Op* op : ops::all()) {
          auto params = nlohmann::json::array();
          std::string line;
          for (const ops::Param& p : op->params) {
            params.push_back(
                {{"name", p.name}, {"kind", kind_name(p.kind)}, {"default", p.fallback ? ir::str(*p.fallback) : ""}});
            line +=
                fmt::format("  {}: {}{}", p.name, kind_name(p.kind), p.fallback ? " = " + ir::str(*p.fallback) : "");
          }
          list.push_back({{"name", op->name}, {"params", params}});
          if (!*json) fmt::print("{:22}{}\n", op->name, line);
        }
        if (*json) std::cout << list.dump(1) << "\n";
        return 0;
      }};
}

}  // namespace godwit::app
