// Seeded mutations of a small valid file: a reader must answer each with success or an error of the caller's or the
// file's fault.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>

#include "base/error.h"

namespace godwit::testing {

inline std::string mutated(const std::string& valid, std::mt19937& random) {
  std::string text = valid;
  auto pick = [&](size_t n) { return n == 0 ? size_t{0} : static_cast<size_t>(random() % n); };
  const size_t edits = 1 + pick(4);
  for (size_t i = 0; i < edits && !text.empty(); ++i) {
    const size_t at = pick(text.size());
    switch (random() % 7) {
      case 0: text[at] = static_cast<char>(text[at] ^ (1 << pick(8))); break;
      case 1: text[at] = static_cast<char>(random()); break;
      case 2: text.resize(at); break;
      case 3: text.erase(at, 1 + pick(8)); break;
      case 4: text.insert(at, text.substr(pick(text.size()), 1 + pick(16))); break;
      case 5: text[at] = static_cast<char>(random() % 2 ? 0xff : 0); break;
      case 6:  // a count or an offset at its limits
        for (size_t k = at; k < at + 4 && k < text.size(); ++k) text[k] = static_cast<char>(0xff);
        break;
    }
  }
  return text;
}

// Returns how many mutations were refused, so that a test can see that the reader looks at all.
inline int fuzz(const std::string& valid, int count, uint32_t seed,
                const std::function<void(const std::string&)>& read) {
  std::mt19937 random(seed);
  int refused = 0;
  for (int i = 0; i < count; ++i) {
    const std::string text = mutated(valid, random);
    try {
      read(text);
    } catch (const FileError&) {
      ++refused;
    } catch (const UsageError&) {
      ++refused;
    } catch (const std::exception& error) {
      ADD_FAILURE() << "mutation " << i << " of seed " << seed << ": " << error.what();
      return refused;
    }
  }
  return refused;
}

}  // namespace godwit::testing
