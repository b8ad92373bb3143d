#include "formats/pickle.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <unordered_map>

#include "base/error.h"

namespace godwit::formats::pickle {
namespace {

using Kind = Node::Kind;
constexpr size_t kMaxNodes = 4'000'000;
constexpr size_t kMaxBytes = size_t{256} << 20;

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, const Allowed& allowed, const std::string& what)
      : text_(reinterpret_cast<const char*>(bytes.data()), bytes.size()), allowed_(allowed), what_(what) {}

  Tree run() {
    require<FileError>(text_.size() <= kMaxBytes, "{}: pickle of {} bytes, at most {} are read", what_, text_.size(),
                       kMaxBytes);
    while (true) {
      const auto op = static_cast<unsigned char>(take(1)[0]);
      if (op == '.') break;
      if (!step_constant(op) && !step_container(op) && !step_memo(op)) step_object(op);
    }
    tree_.root = pop();
    tree_.size = at_;
    return std::move(tree_);
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    raise<FileError>("{}: damaged pickle: {} at byte {}", what_, why, at_);
  }
  std::string_view take(uint64_t n) {
    if (n > text_.size() - at_) fail("it ends early");
    auto part = text_.substr(at_, n);
    at_ += n;
    return part;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view line() {
    const size_t end = text_.find('\n', at_);
    if (end == text_.npos) fail("a line has no end");
    auto part = text_.substr(at_, end - at_);
    at_ = end + 1;
    return part;
  }

  Node* make(Kind kind) {
    if (tree_.nodes.size() >= kMaxNodes) fail("more objects than the limit of 4,000,000");
    tree_.nodes.emplace_back().kind = kind;
    return &tree_.nodes.back();
  }
  void push(Node* node) { stack_.push_back(node); }
  Node* push(Kind kind) {
    push(make(kind));
    return stack_.back();
  }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Node* pop() {
    if (stack_.size() <= floor()) fail("the stack is empty");
    Node* node = stack_.back();
    stack_.pop_back();
    return node;
  }
  Node* top() {
    if (stack_.size() <= floor()) fail("the stack is empty");
    return stack_.back();
  }
  std::vector<Node*> pop_mark() {
    if (marks_.empty()) fail("no mark");
    const size_t from = marks_.back();
    marks_.pop_back();
    std::vector<Node*> items(stack_.begin() + static_cast<ptrdiff_t>(from), stack_.end());
    stack_.resize(from);
    return items;
  }
  void append(Node* to, const std::vector<Node*>& items) {
    to->items.insert(to->items.end(), items.begin(), items.end());
  }

  void push_integer(int64_t value) { push(Kind::integer)->integer = value; }
  void push_long(std::string_view bytes) {
    if (bytes.size() > 8) {
      push(Kind::long_integer)->text = bytes;
      return;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size(); ++i) value |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    const bool negative = !bytes.empty() && (bytes.back() & 0x80);
    if (negative && bytes.size() < 8) value |= ~uint64_t{0} << (8 * bytes.size());
    push_integer(static_cast<int64_t>(value));
  }
  void push_decimal(std::string_view digits) {
    if (digits.ends_with('L')) digits.remove_suffix(1);
    int64_t value = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) fail("bad integer");
    push_integer(value);
  }
  void push_text(Kind kind, std::string_view text) { push(kind)->text = text; }

  bool step_constant(unsigned char op) {
    switch (op) {
      case 0x80:
        if (number<uint8_t>() > 5) fail("protocol above 5");
        return true;
      case 0x95: take(8); return true;  // a frame: only a hint for readers of streams
      case 'N': push(Kind::none); return true;
      case 0x88:
      case 0x89: push(Kind::boolean)->flag = op == 0x88; return true;
      case 'J': push_integer(number<int32_t>()); return true;
      case 'K': push_integer(number<uint8_t>()); return true;
      case 'M': push_integer(number<uint16_t>()); return true;
      case 0x8a: push_long(take(number<uint8_t>())); return true;
      case 0x8b: push_long(take(number<uint32_t>())); return true;
      case 'L': push_decimal(line()); return true;
      case 'I': {
        auto text = line();
        if (text == "00" || text == "01")
          push(Kind::boolean)->flag = text == "01";
        else
          push_decimal(text);
        return true;
      }
      case 'G': push(Kind::real)->real = std::bit_cast<double>(__builtin_bswap64(number<uint64_t>())); return true;
      case 'F': {
        auto text = line();
        double value = 0;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || end != text.data() + text.size()) fail("bad number");
        push(Kind::real)->real = value;
        return true;
      }
      case 'X': push_text(Kind::text, take(number<uint32_t>())); return true;
      case 0x8c: push_text(Kind::text, take(number<uint8_t>())); return true;
      case 0x8d: push_text(Kind::text, take(number<uint64_t>())); return true;
      case 'T': push_text(Kind::text, take(number<uint32_t>())); return true;  // Python 2 strings
      case 'U': push_text(Kind::text, take(number<uint8_t>())); return true;
      case 'V': push_text(Kind::text, line()); return true;
      case 'B': push_text(Kind::bytes, take(number<uint32_t>())); return true;
      case 'C': push_text(Kind::bytes, take(number<uint8_t>())); return true;
      case 0x8e: push_text(Kind::bytes, take(number<uint64_t>())); return true;
      default: return false;
    }
  }

  bool step_container(unsigned char op) {
    switch (op) {
      case '(': marks_.push_back(stack_.size()); return true;
      case ')': push(Kind::tuple); return true;
      case ']':
      case 0x8f: push(Kind::list); return true;
      case '}': push(Kind::dict); return true;
      case 't':
      case 'l':
      case 'd':
      case 0x91: {
        auto items = pop_mark();
        if (op == 'd' && items.size() % 2) fail("a dict with a key and no value");
        push(op == 't' ? Kind::tuple : op == 'd' ? Kind::dict : Kind::list)->items = std::move(items);
        return true;
      }
      case 0x85:
      case 0x86:
      case 0x87: {
        std::vector<Node*> items(op - 0x84u);
        for (size_t i = items.size(); i-- > 0;) items[i] = pop();
        push(Kind::tuple)->items = std::move(items);
        return true;
      }
      case 'a': {
        Node* item = pop();
        top()->items.push_back(item);
        return true;
      }
      case 's': {
        Node* value = pop();
        Node* key = pop();
        append(top(), {key, value});
        return true;
      }
      case 'e':
      case 0x90:
      case 'u': {
        auto items = pop_mark();
        if (op == 'u' && items.size() % 2) fail("a dict with a key and no value");
        append(top(), items);
        return true;
      }
      case '0': pop(); return true;
      case '1': pop_mark(); return true;
      case '2': push(top()); return true;
      default: return false;
    }
  }

  bool step_memo(unsigned char op) {
    switch (op) {
      case 'q': memo_[number<uint8_t>()] = top(); return true;
      case 'r': memo_[number<uint32_t>()] = top(); return true;
      case 'p': memo_[memo_key(line())] = top(); return true;
      case 0x94: {
        const auto next = memo_.size();
        memo_[next] = top();
        return true;
      }
      case 'h': recall(number<uint8_t>()); return true;
      case 'j': recall(number<uint32_t>()); return true;
      case 'g': recall(memo_key(line())); return true;
      default: return false;
    }
  }
  uint64_t memo_key(std::string_view digits) const {
    uint64_t key = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), key);
    if (error != std::errc() || end != digits.data() + digits.size()) fail("bad memo number");
    return key;
  }
  void recall(uint64_t key) {
    auto it = memo_.find(key);
    if (it == memo_.end()) fail(fmt::format("nothing is remembered as {}", key));
    push(it->second);
  }

  void push_global(std::string_view module, std::string_view name) {
    const std::string full = fmt::format("{} {}", module, name);
    require<FileError>(allowed_(full), "{}: the pickle names {}.{}, which is not allowed: refused", what_,
                       module.substr(0, 200), name.substr(0, 200));
    push_text(Kind::global, full);
  }

  void step_object(unsigned char op) {
    switch (op) {
      case 'c': {
        auto module = line();
        push_global(module, line());
        return;
      }
      case 0x93: {
        Node* name = pop();
        Node* module = pop();
        if (!name->is(Kind::text) || !module->is(Kind::text)) fail("a global without a name");
        push_global(module->text, name->text);
        return;
      }
      case 'R':
      case 0x81: {
        Node* args = pop();
        Node* target = pop();
        if (!target->is(Kind::global)) fail("a call of something that is no global");
        if (!args->is(Kind::tuple)) fail("a call without a tuple of arguments");
        Node* node = push(op == 'R' ? Kind::call : Kind::object);
        node->target = target;
        node->args = args;
        return;
      }
      case 'b': {
        Node* state = pop();
        if (!top()->is(Kind::object) && !top()->is(Kind::call)) fail("state of something that is no object");
        top()->state = state;
        return;
      }
      case 'Q': {
        Node* id = pop();
        push(Kind::persistent)->args = id;
        return;
      }
      default: fail(fmt::format("operation 0x{:02x} is not supported", op));
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  const Allowed& allowed_;
  const std::string& what_;
  Tree tree_;
  std::vector<Node*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, Node*> memo_;
};

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (size_t i = 0; i + 1 < items.size(); i += 2)
    if (items[i]->is(Kind::text) && items[i]->text == key) return items[i + 1];
  return nullptr;
}

Tree read(std::span<const std::byte> bytes, const Allowed& allowed, const std::string& what) {
  return Machine(bytes, allowed, what).run();
}

}  // namespace godwit::formats::pickle
