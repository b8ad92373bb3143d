// torch's own files: pickles, both layouts of checkpoints, TorchScript archives, .pt2 archives.
#include "base/zip.h"
#include "formats/pickle.h"
#include "formats/pt2/pt2.h"
#include "formats/torch_zip.h"
#include "formats/torchscript/archive.h"
#include "formats/torchscript/parser.h"
#include "formats/torchscript/printer.h"
#include "support/zip_writer.h"
#include "targets.h"

namespace godwit::fuzz {
namespace {

using testing::bytes_of;

void touch(const formats::TorchCheckpoint& checkpoint) {
  for (const auto& [name, t] : checkpoint.tensors)
    if (t.size() < 1'000'000) t.contiguous();
}

std::string entry_of(const std::string& archive, std::string_view name) {
  const ZipArchive zip = ZipArchive::of(bytes_of(archive), nullptr, "a sample");
  return std::string(zip.read(name).text());
}

std::vector<Sample> pickle_samples() {
  const auto read = [](const std::string& text) {
    formats::pickle::read(
        bytes_of(text), [](std::string_view) { return true; }, "x.pkl");
  };
  const std::string archive = content("torch_checkpoints/nested.pt");
  const std::string root = ZipArchive::of(bytes_of(archive), nullptr, "a sample").root();
  // Also what torch does not write: protocol 0 and 4 of Python.
  return samples_of(
      {entry_of(archive, root + "/data.pkl"), std::string("(dp0\nVa\np1\nI5\nsVb\np2\n(lp3\nF1.5\naI01\nas."),
       std::string("\x80\x04\x95\x18\0\0\0\0\0\0\0}\x94(\x8c\1a\x94K\1\x8c\1b\x94]\x94(K\2M\xe8\3eu.", 35)},
      read);
}

std::vector<Sample> torch_zip_samples() {
  const auto read = [](const std::string& text) {
    touch(formats::read_torch_zip(ZipArchive::of(bytes_of(text), nullptr, "m.pt")));
  };
  std::vector<Sample> samples;
  for (const char* name : {"torch_checkpoints/zip.pt", "torch_checkpoints/nested.pt"}) {
    const std::string whole = content(name);
    samples.push_back({whole, read});
    // Damage to the pickle alone, which the archive around it does not see.
    std::vector<testing::ZipItem> items;
    size_t pickle = 0;
    const ZipArchive zip = ZipArchive::of(bytes_of(whole), nullptr, "a sample");
    for (const auto& entry : zip.entries()) {
      if (entry.name.ends_with("/data.pkl")) pickle = items.size();
      items.push_back({entry.name, std::string(zip.read(entry.name).text())});
    }
    samples.push_back({items[pickle].data, [items, pickle, read](const std::string& text) {
                         auto changed = items;
                         changed[pickle].data = text;
                         read(testing::zip_of(changed));
                       }});
  }
  return samples;
}

std::vector<Sample> torch_legacy_samples() {
  return samples_of({content("torch_checkpoints/legacy.pt")}, [](const std::string& text) {
    touch(formats::read_torch_legacy(bytes_of(text), nullptr, "m.pth"));
  });
}

std::vector<Sample> torchscript_samples() {
  const auto read = [](const std::string& text) {
    auto archive = formats::torchscript::Archive::of(ZipArchive::of(bytes_of(text), nullptr, "m.pt"));
    for (const std::string& path : archive->code_files()) archive->file(path);
  };
  return samples_of({content("torchscript/branching.pt"), content("torchscript/writes.pt")}, read);
}

std::vector<Sample> torchscript_text_samples() {
  std::vector<std::string> sources;
  for (const char* name : {"control", "branching", "writes"}) {
    auto archive = formats::torchscript::Archive::open(std::string("tests/data/torchscript/") + name + ".pt");
    sources.push_back(std::string(archive->source("__torch__.py")).substr(0, 3000));
    while (!sources.back().empty() && sources.back().back() != '\n') sources.back().pop_back();
  }
  return samples_of(std::move(sources), [](const std::string& text) {
    formats::torchscript::print(formats::torchscript::parse(text, "t.py"));
  });
}

std::vector<Sample> pt2_samples() {
  const auto read = [](const std::string& text) {
    const auto owner = std::make_shared<const std::string>(text);
    const auto archive = formats::pt2::read(bytes_of(*owner), owner, "m.pt2");
    for (const auto& [name, t] : archive.weights)
      if (t.size() < 1'000'000) t.contiguous();
  };
  return samples_of({content("pt2/counter.pt2"), content("pt2/mixed.pt2")}, read);
}

}  // namespace

std::vector<Target> torch_targets() {
  return {{"pickle", pickle_samples},
          {"torch_zip", torch_zip_samples},
          {"torch_legacy", torch_legacy_samples},
          {"torchscript", torchscript_samples},
          {"torchscript_text", torchscript_text_samples},
          {"pt2", pt2_samples}};
}

}  // namespace godwit::fuzz
