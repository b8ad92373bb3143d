// The openWakeWord chain over a stream of audio: mel spectrogram, speech embedding, one classifier for each wake word.
//
//   every 1280 samples (80 ms)   mel of the last 1280 + 480 samples    8 frames of 32 bands
//                                embedding of the last 76 frames       96 features
//                                classifier of the last 16 features    a score
//
// The buffers start as openWakeWord 0.4.0 starts them, so that scores can be compared frame by frame.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/tensor.h"

namespace godwit::demo {

// One input, one output.
using Model = std::function<Tensor(const Tensor&)>;

struct Classifier {
  Model model;
  int64_t frames = 16;  // features it looks at
};

class WakeWordStream {
 public:
  static constexpr int64_t kStep = 1280;  // samples in a frame of the stream, at 16 kHz

  WakeWordStream(Model mel, Model embedding, std::map<std::string, Classifier> classifiers);

  // `samples` are kStep 16-bit values. Scores by name; the first five frames give zero.
  std::map<std::string, float> push(std::span<const int16_t> samples);

 private:
  static constexpr int64_t kBands = 32, kWindow = 76, kHop = 8, kFeatures = 96;

  std::vector<float> mel_of(std::span<const float> samples);
  Tensor latest(int64_t frames) const;

  Model mel_, embedding_;
  std::map<std::string, Classifier> classifiers_;
  std::deque<float> samples_;    // ten seconds
  std::vector<float> mel_rows_;  // (frames, 32)
  std::vector<float> features_;  // (frames, 96)
  int64_t pushed_ = 0;
};

}  // namespace godwit::demo
