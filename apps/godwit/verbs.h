// The verbs of the command line. Each adds itself to the parser and returns what runs it.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace godwit::app {

// Returns the exit code: 0 all that was asked passed, 1 a comparison failed.
using Run = std::function<int()>;

struct Verb {
  CLI::App* parser;
  Run run;
};

// What stands below a verb's options: examples, then the exit codes.
std::string footer(const std::string& examples);

Verb add_inspect(CLI::App& app);
Verb add_convert(CLI::App& app);
Verb add_validate(CLI::App& app);
Verb add_bench(CLI::App& app);
Verb add_run(CLI::App& app);
Verb add_quantize(CLI::App& app);
Verb add_doctor(CLI::App& app);
Verb add_ops(CLI::App& app);

}  // namespace godwit::app
