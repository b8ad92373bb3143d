#include "demo/wake_word.h"

#include "base/error.h"

namespace godwit::demo {
namespace {

constexpr size_t kSamplesKept = 160'000;
constexpr int64_t kMelContext = 480;  // samples before the new ones that the first window needs
constexpr int64_t kMelRowsKept = 970, kFeatureRowsKept = 120;
constexpr int64_t kSilentFrames = 5;

// Drops rows from the front.
void keep_last(std::vector<float>& rows, int64_t width, int64_t count) {
  int64_t extra = static_cast<int64_t>(rows.size()) / width - count;
  if (extra > 0) rows.erase(rows.begin(), rows.begin() + extra * width);
}

void append(std::vector<float>& rows, const Tensor& values) {
  auto more = values.values<float>();
  rows.insert(rows.end(), more.begin(), more.end());
}

}  // namespace

WakeWordStream::WakeWordStream(Model mel, Model embedding, std::map<std::string, Classifier> classifiers)
    : mel_(std::move(mel)), embedding_(std::move(embedding)), classifiers_(std::move(classifiers)) {
  mel_rows_.assign(kWindow * kBands, 1.0f);
  // The feature buffer starts with the embeddings of ten seconds of silence.
  std::vector<float> rows = mel_of(std::vector<float>(kSamplesKept, 0.0f));
  int64_t frames = static_cast<int64_t>(rows.size()) / kBands, windows = 0;
  std::vector<float> batch;
  for (int64_t first = 0; first + kWindow <= frames; first += kHop, ++windows) {
    batch.insert(batch.end(), rows.begin() + first * kBands, rows.begin() + (first + kWindow) * kBands);
  }
  append(features_, embedding_(Tensor::of(DType::f32, {windows, kWindow, kBands, 1}, batch)));
}

std::vector<float> WakeWordStream::mel_of(std::span<const float> samples) {
  std::vector<float> row(samples.begin(), samples.end());
  Tensor spectrum = mel_(Tensor::of(DType::f32, {1, static_cast<int64_t>(row.size())}, row));
  std::vector<float> out;
  for (float v : spectrum.values<float>())
    out.push_back(v / 10 + 2);  // towards the scale that the embedding was trained on
  return out;
}

Tensor WakeWordStream::latest(int64_t frames) const {
  require<InternalError>(static_cast<int64_t>(features_.size()) >= frames * kFeatures, "only {} features",
                         features_.size());
  std::vector<float> rows(features_.end() - frames * kFeatures, features_.end());
  return Tensor::of(DType::f32, {1, frames, kFeatures}, rows);
}

std::map<std::string, float> WakeWordStream::push(std::span<const int16_t> samples) {
  require<UsageError>(samples.size() == kStep, "a frame has {} samples, given {}", kStep, samples.size());
  for (int16_t s : samples) samples_.push_back(static_cast<float>(s));
  while (samples_.size() > kSamplesKept) samples_.pop_front();

  int64_t wanted = std::min<int64_t>(static_cast<int64_t>(samples_.size()), kStep + kMelContext);
  std::vector<float> recent(samples_.end() - wanted, samples_.end());
  std::vector<float> rows = mel_of(recent);
  mel_rows_.insert(mel_rows_.end(), rows.begin(), rows.end());
  keep_last(mel_rows_, kBands, kMelRowsKept);

  std::vector<float> window(mel_rows_.end() - kWindow * kBands, mel_rows_.end());
  append(features_, embedding_(Tensor::of(DType::f32, {1, kWindow, kBands, 1}, window)));
  keep_last(features_, kFeatures, kFeatureRowsKept);

  std::map<std::string, float> scores;
  for (const auto& [name, classifier] : classifiers_) {
    float score = classifier.model(latest(classifier.frames)).values<float>()[0];
    scores[name] = pushed_ < kSilentFrames ? 0.0f : score;
  }
  ++pushed_;
  return scores;
}

}  // namespace godwit::demo
