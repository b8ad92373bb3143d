// Runs converted packages over a clip, frame by frame, and prints the scores as one JSON object:
//
//   godwit_chain CLIP.raw MEL EMBEDDING VAD WORD=CLASSIFIER...
//
// CLIP.raw holds 16-bit little-endian samples at 16 kHz; the others are packages or model files that godwit reads.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "demo/load.h"
#include "demo/wake_word.h"
#include "executors/mlx/executor.h"

namespace godwit::demo {
namespace {

using executors::HostValue;
using executors::MlxExecutor;

struct Loaded {
  ir::Module module;
  std::unique_ptr<MlxExecutor> executor;
};

std::shared_ptr<Loaded> load(const std::string& path) {
  auto loaded = std::make_shared<Loaded>();
  loaded->module = load_model(path);
  loaded->executor = std::make_unique<MlxExecutor>(loaded->module);
  return loaded;
}

Model single(const std::string& path) {
  auto loaded = load(path);
  const ir::Graph& graph = loaded->executor->graph();
  require<UsageError>(graph.inputs.size() == 1 && graph.outputs.size() == 1, "{} has {} inputs and {} outputs", path,
                      graph.inputs.size(), graph.outputs.size());
  return [loaded](const Tensor& x) {
    const ir::Graph& g = loaded->executor->graph();
    auto results = loaded->executor->run({{g.inputs[0]->name, HostValue{{x}, false}}});
    return results.begin()->second.items.at(0);
  };
}

// How many features a classifier looks at: the second dimension of its input.
int64_t frames_of(const std::string& path) {
  const ir::Dim frames = load(path)->executor->graph().inputs.at(0)->shape().at(1);
  return frames.is_known() ? frames.value() : Classifier{}.frames;
}

// Speech probability of 32 ms of audio; context and state carry over.
class SpeechDetector {
 public:
  static constexpr size_t kStep = 512, kContext = 64;

  explicit SpeechDetector(const std::string& path) : loaded_(load(path)), context_(kContext, 0.0f) {}

  float push(std::span<const int16_t> samples) {
    std::vector<float> chunk = context_;
    for (int16_t s : samples) chunk.push_back(static_cast<float>(s) / 32768);
    context_.assign(chunk.end() - kContext, chunk.end());
    std::map<std::string, HostValue> inputs;
    inputs["input"] = {{Tensor::of(DType::f32, {1, static_cast<int64_t>(chunk.size())}, chunk)}, false};
    inputs["state"] = {{state_}, false};
    for (const ir::Value* input : loaded_->executor->graph().inputs) {  // where conversion has not settled it
      if (input->name == "sr") inputs["sr"] = {{Tensor::scalar(DType::i64, 16000)}, false};
    }
    auto results = loaded_->executor->run(inputs);
    state_ = results.at("stateN").items.at(0);
    return results.at("output").items.at(0).values<float>()[0];
  }

 private:
  std::shared_ptr<Loaded> loaded_;
  std::vector<float> context_;
  Tensor state_ = Tensor::zeros(DType::f32, {2, 1, 128});
};

std::vector<int16_t> read_samples(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  require<FileError>(file.good() || file.eof(), "cannot read {}", path);
  std::vector<int16_t> samples(bytes.size() / 2);
  std::memcpy(samples.data(), bytes.data(), samples.size() * 2);
  return samples;
}

int run(const std::vector<std::string>& arguments) {
  require<UsageError>(arguments.size() >= 5, "usage: godwit_chain CLIP.raw MEL EMBEDDING VAD WORD=CLASSIFIER...");
  std::vector<int16_t> samples = read_samples(arguments[0]);
  std::map<std::string, Classifier> classifiers;
  for (size_t i = 4; i < arguments.size(); ++i) {
    size_t split = arguments[i].find('=');
    require<UsageError>(split != std::string::npos, "{} is not WORD=CLASSIFIER", arguments[i]);
    std::string path = arguments[i].substr(split + 1);
    classifiers[arguments[i].substr(0, split)] = {single(path), frames_of(path)};
  }
  WakeWordStream wake_words(single(arguments[1]), single(arguments[2]), classifiers);
  SpeechDetector speech(arguments[3]);

  auto start = std::chrono::steady_clock::now();
  nlohmann::json scores, probabilities = nlohmann::json::array();
  std::span<const int16_t> all(samples);
  for (size_t i = 0; i + WakeWordStream::kStep < all.size(); i += WakeWordStream::kStep) {
    for (const auto& [word, score] : wake_words.push(all.subspan(i, WakeWordStream::kStep)))
      scores[word].push_back(score);
  }
  for (size_t i = 0; i + SpeechDetector::kStep <= all.size(); i += SpeechDetector::kStep) {
    probabilities.push_back(speech.push(all.subspan(i, SpeechDetector::kStep)));
  }
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  nlohmann::json report = {{"scores", scores}, {"speech", probabilities}, {"seconds", seconds}};
  std::puts(report.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace godwit::demo

int main(int argc, char** argv) {
  try {
    return godwit::demo::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "godwit_chain: %s\n", error.what());
    return 2;
  }
}
