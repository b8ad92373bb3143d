#include "demo/wake_word.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace godwit::demo {
namespace {

// Stand-ins that let a test see what reaches each model.
struct Chain {
  std::vector<int64_t> mel_lengths, embedding_batches;
  std::vector<float> newest;  // the classifier's last feature row, first element

  Model mel() {
    return [this](const Tensor& x) {
      mel_lengths.push_back(x.shape[1]);
      int64_t frames = (x.shape[1] - 480) / 160;
      std::vector<float> rows(frames * 32, x.values<float>().back());
      return Tensor::of(DType::f32, {1, 1, frames, 32}, rows);
    };
  }
  Model embedding() {
    return [this](const Tensor& x) {
      EXPECT_EQ(x.shape, (std::vector<int64_t>{x.shape[0], 76, 32, 1}));
      embedding_batches.push_back(x.shape[0]);
      return Tensor::of(DType::f32, {x.shape[0], 1, 1, 96},
                        std::vector<float>(x.shape[0] * 96, x.values<float>().back()));
    };
  }
  Classifier classifier() {
    return {[this](const Tensor& x) {
              EXPECT_EQ(x.shape, (std::vector<int64_t>{1, 16, 96}));
              newest.push_back(x.values<float>().back());
              return Tensor::scalar(DType::f32, 0.75);
            },
            16};
  }
};

std::vector<int16_t> frame(int16_t value) { return std::vector<int16_t>(WakeWordStream::kStep, value); }

TEST(WakeWordStream, StartsWithTenSecondsOfSilence) {
  Chain chain;
  WakeWordStream stream(chain.mel(), chain.embedding(), {});
  EXPECT_EQ(chain.mel_lengths, std::vector<int64_t>{160'000});
  // 997 frames give windows of 76 that start at every 8th.
  EXPECT_EQ(chain.embedding_batches, std::vector<int64_t>{(997 - 76) / 8 + 1});
}

TEST(WakeWordStream, LooksAtTheNewSamplesAndTheirContext) {
  Chain chain;
  WakeWordStream stream(chain.mel(), chain.embedding(), {{"word", chain.classifier()}});
  stream.push(frame(100));
  stream.push(frame(200));
  EXPECT_EQ(chain.mel_lengths, (std::vector<int64_t>{160'000, 1280, 1760}));
  EXPECT_EQ(chain.newest, (std::vector<float>{12, 22}));  // v / 10 + 2
}

TEST(WakeWordStream, TheFirstFiveFramesAreSilent) {
  Chain chain;
  WakeWordStream stream(chain.mel(), chain.embedding(), {{"word", chain.classifier()}});
  for (int i = 0; i < 8; ++i) EXPECT_EQ(stream.push(frame(1)).at("word"), i < 5 ? 0.0f : 0.75f);
}

TEST(WakeWordStream, RefusesAnotherFrameLength) {
  Chain chain;
  WakeWordStream stream(chain.mel(), chain.embedding(), {});
  std::vector<int16_t> shorter(100);
  EXPECT_THROW(stream.push(shorter), UsageError);
}

}  // namespace
}  // namespace godwit::demo
