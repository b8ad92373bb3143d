// godwit: one binary, one verb a file.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <iostream>
#include <vector>

#include "base/error.h"
#include "verbs.h"

namespace {

constexpr int bad_input = 2, our_fault = 3;

int complain(const char* kind, const std::exception& error, int code) {
  std::cerr << "godwit: " << kind << error.what() << "\n";
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace godwit;
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
  app.footer(
      "Exit codes: 0 all that was asked passed, 1 a comparison failed, 2 the request or the file is at fault,\n"
      "3 a fault of godwit itself.");
  std::vector<app::Verb> verbs;
  for (auto add : {app::add_inspect, app::add_convert, app::add_validate, app::add_bench, app::add_run, app::add_doctor,
                   app::add_ops})
    verbs.push_back(add(app));
  try {
    app.parse(argc, argv);
    for (const app::Verb& verb : verbs)
      if (verb.parser->parsed()) return verb.run();
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : bad_input;
  } catch (const UsageError& e) {
    return complain("", e, bad_input);
  } catch (const FileError& e) {
    return complain("", e, bad_input);
  } catch (const std::exception& e) {
    return complain("internal error: ", e, our_fault);
  }
  return our_fault;
}
