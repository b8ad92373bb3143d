// godwit: one binary, one verb a file.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "load.h"
#include "verbs.h"

namespace {

constexpr int bad_input = 2, our_fault = 3;

// Names out of files may hold anything: a terminal gets printable text, everything else as \xNN.
std::string printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    size_t length = c < 0x80                ? 1
                    : c >= 0xc2 && c < 0xe0 ? 2
                    : c >= 0xe0 && c < 0xf0 ? 3
                    : c >= 0xf0 && c < 0xf5 ? 4
                                            : 0;
    bool valid = length == 1 ? (c >= ' ' && c != 0x7f) || c == '\n' : length > 0 && i + length <= text.size();
    for (size_t k = 1; valid && k < length; ++k) valid = (static_cast<unsigned char>(text[i + k]) & 0xc0) == 0x80;
    if (valid)
      out += text.substr(i, length);
    else
      out += fmt::format("\\x{:02x}", c);
    i += valid ? length : 1;
  }
  return out;
}

// For people on stderr; with --json also for scripts on stdout.
int complain(const char* kind, const std::exception& error, int code, bool json,
             const std::map<std::string, int>& unsupported = {}) {
  std::cerr << "godwit: " << kind << printable(error.what()) << "\n";
  if (json)
    std::cout << nlohmann::json{{"status", "error"},
                                {"error", error.what()},
                                {"exit_code", code},
                                {"unsupported", unsupported}}
                     .dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
              << "\n";
  return code;
}

constexpr const char* exit_codes =
    "Exit codes: 0 all that was asked passed, 1 a comparison failed, 2 the request or the file is at fault,\n"
    "3 a fault of godwit itself.";

}  // namespace

std::string godwit::app::footer(const std::string& examples) { return "Examples:\n" + examples + "\n" + exit_codes; }

int main(int argc, char** argv) {
  using namespace godwit;
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error like a full disk, not the end
  CLI::App app(
      "godwit takes a model out of PyTorch, TorchScript, ONNX or safetensors into MLX, proves that it computes the\n"
      "same, and runs it.\n\n"
      "  godwit inspect model.onnx                     what is in it, and what is not supported\n"
      "  godwit convert model.onnx -o model            a package that godwit runs\n"
      "  godwit validate model --reference model.onnx  does it compute the same?\n"
      "  godwit bench model --against onnxruntime      and how fast?\n"
      "  godwit run model --input x=random             run it\n",
      "godwit");
  app.set_version_flag("--version", GODWIT_VERSION);
  app.require_subcommand(1);
  app.footer(exit_codes);
  std::vector<app::Verb> verbs;
  for (auto add : {app::add_inspect, app::add_convert, app::add_validate, app::add_bench, app::add_run,
                   app::add_quantize, app::add_doctor, app::add_ops})
    verbs.push_back(add(app));
  const bool json = std::any_of(argv, argv + argc, [](const char* a) { return std::string_view(a) == "--json"; });
  Progress::silence(json);
  const bool is_verb =
      std::ranges::any_of(verbs, [&](const auto& v) { return argc < 2 || v.parser->check_name(argv[1]); });
  if (!is_verb && argv[1][0] != '-') {
    std::cerr << "godwit: there is no verb '" << argv[1] << "'; godwit --help lists them\n";
    return bad_input;
  }
  try {
    app.parse(argc, argv);
    for (const app::Verb& verb : verbs)
      if (verb.parser->parsed()) return verb.run();
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : bad_input;
  } catch (const app::UnsupportedOps& e) {
    return complain("", e, bad_input, json, e.ops);
  } catch (const UsageError& e) {
    return complain("", e, bad_input, json);
  } catch (const FileError& e) {
    return complain("", e, bad_input, json);
  } catch (const std::exception& e) {
    return complain("internal error: ", e, our_fault, json);
  }
  return our_fault;
}
