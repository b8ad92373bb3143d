// Damage to a valid file, made from a seed: bits, bytes, lengths, digits, pieces that move.
#pragma once

#include <cctype>
#include <cstdint>
#include <random>
#include <string>

namespace godwit::fuzz {

// Another number where a number stands in a text; false where the text holds no digits behind `at`.
inline bool change_number(std::string& text, size_t at, std::mt19937& random) {
  static constexpr const char* numbers[] = {
      "0", "-1", "1", "2", "7", "64", "2147483648", "4294967295", "9223372036854775807", "-9223372036854775808"};
  while (at < text.size() && !std::isdigit(static_cast<unsigned char>(text[at]))) ++at;
  size_t end = at;
  while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) ++end;
  if (at == end) return false;
  text.replace(at, end - at, numbers[random() % std::size(numbers)]);
  return true;
}

inline std::string mutated(const std::string& valid, uint32_t seed, uint32_t index) {
  std::seed_seq sequence{seed, index};
  std::mt19937 random(sequence);
  std::string text = valid;
  auto pick = [&](size_t n) { return n == 0 ? size_t{0} : static_cast<size_t>(random() % n); };
  const size_t edits = 1 + pick(4);
  for (size_t i = 0; i < edits && !text.empty(); ++i) {
    const size_t at = pick(text.size());
    switch (random() % 9) {
      case 0: text[at] = static_cast<char>(text[at] ^ (1 << pick(8))); break;
      case 1: text[at] = static_cast<char>(random()); break;
      case 2:
        if (pick(4) == 0) text.resize(at);
        break;
      case 3: text.erase(at, 1 + pick(8)); break;
      case 4: text.insert(at, text.substr(pick(text.size()), 1 + pick(16))); break;
      case 5: text[at] = static_cast<char>(random() % 2 ? 0xff : 0); break;
      case 6:  // a count or an offset at its limits
        for (size_t k = at; k < at + 4 && k < text.size(); ++k) text[k] = static_cast<char>(0xff);
        break;
      case 7: change_number(text, at, random); break;
      case 8: {  // one piece in the place of another
        const size_t length = 1 + pick(64);
        text.replace(at, length, text.substr(pick(text.size()), length));
        break;
      }
    }
  }
  return text;
}

}  // namespace godwit::fuzz
