#include "frontends/aten/schema.h"

#include <charconv>
#include <cmath>
#include <deque>
#include <map>
#include <memory>

#include "base/error.h"

namespace godwit::frontends::aten {
namespace {

constexpr std::string_view texts[] = {
#include "frontends/aten/schemas.inc"
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Schema schema() {
    Schema s;
    s.text = text_;
    std::string full = until("(");
    // The overload stands after a dot behind the namespace.
    size_t colons = full.find("::"), dot = full.find('.', colons == std::string::npos ? 0 : colons);
    s.name = full.substr(0, dot);
    if (dot != std::string::npos) s.overload = full.substr(dot + 1);
    expect("(");
    bool keyword_only = false;
    while (!accept(")")) {
      if (accept("*"))
        keyword_only = true;
      else
        s.arguments.push_back(argument(keyword_only));
      accept(", ");
    }
    expect(" -> ");
    if (accept("(")) {
      while (!accept(")")) {
        s.returns.push_back(type());
        if (accept(" ")) s.returns.back().name = until(",)");
        accept(", ");
      }
    } else {
      s.returns.push_back(type());
    }
    return s;
  }

 private:
  SchemaArgument argument(bool keyword_only) {
    SchemaArgument a = type();
    expect(" ");
    a.name = until("=,)");
    a.keyword_only = keyword_only;
    if (accept("=")) a.fallback = literal(a);
    return a;
  }

  SchemaArgument type() {
    SchemaArgument a;
    if (peek() == '(') {  // a tuple type
      a.type = bracketed('(', ')');
    } else {
      while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(peek())) || peek() == '_' || peek() == '.'))
        a.type += text_[at_++];
      if (a.type == "Dict" || a.type == "Future" || a.type == "Union" || a.type == "Tuple" || a.type == "RRef" ||
          a.type == "Await")
        a.type += bracketed('(', ')');
      if (peek() == '(') a.is_written = bracketed('(', ')').find('!') != std::string::npos;
    }
    if (a.type == "SymInt") a.type = "int";
    if (a.type == "SymFloat") a.type = "float";
    if (a.type == "SymBool") a.type = "bool";
    for (;;) {
      if (accept("?")) {
        a.optional = true;
      } else if (accept("[")) {
        a.optional_items = a.optional;
        a.optional = false;
        ++a.list_depth;
        std::string n = until("]");
        if (!n.empty()) a.fixed_size = std::stoi(n);
        expect("]");
        if (peek() == '(') bracketed('(', ')');  // alias of the list
      } else {
        return a;
      }
    }
  }

  Value literal(const SchemaArgument& a) {
    if (accept("[")) {
      Values items;
      SchemaArgument item = a;
      item.list_depth = 0;
      while (!accept("]")) {
        items.push_back(literal(item));
        accept(", ");
      }
      return Value::list(std::move(items));
    }
    if (accept("\"")) {
      std::string s = until("\"");
      expect("\"");
      return s;
    }
    std::string word = until(",)]");
    Value v = number(word, a.type);
    // "int[2] stride=1"
    if (a.list_depth > 0 && v.is_number())
      return Value::list(Values(static_cast<size_t>(std::max(1, a.fixed_size)), v));
    return v;
  }

  Value number(const std::string& word, const std::string& type) {
    if (word == "None") return None{};
    if (word == "True") return true;
    if (word == "False") return false;
    if (word == "strided") return int64_t{0};
    if (word == "inf") return INFINITY;
    int64_t i = 0;
    auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), i);
    if (error == std::errc() && end == word.data() + word.size()) {
      if (type == "float") return static_cast<double>(i);
      return i;
    }
    double d = 0;
    auto [stop, bad] = std::from_chars(word.data(), word.data() + word.size(), d);
    require<InternalError>(bad == std::errc() && stop == word.data() + word.size(), "bad default '{}' in schema {}",
                           word, text_);
    return d;
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  std::string until(std::string_view stops) {
    size_t end = text_.find_first_of(stops, at_);
    require<InternalError>(end != std::string_view::npos, "bad schema {}", text_);
    std::string out(text_.substr(at_, end - at_));
    at_ = end;
    return out;
  }
  std::string bracketed(char open, char close) {
    size_t start = at_;
    int depth = 0;
    do {
      require<InternalError>(at_ < text_.size(), "bad schema {}", text_);
      if (peek() == open) ++depth;
      if (peek() == close) --depth;
      ++at_;
    } while (depth > 0);
    return std::string(text_.substr(start, at_ - start));
  }
  bool accept(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) { require<InternalError>(accept(token), "bad schema {} at {}", text_, at_); }

  std::string_view text_;
  size_t at_ = 0;
};

// Texts by operator name; parsed schemas join as they are asked for.
struct Table {
  std::map<std::string_view, std::vector<std::string_view>> texts_of;
  std::map<std::string, std::vector<const Schema*>, std::less<>> parsed;
  std::deque<Schema> storage;

  Table() {
    for (std::string_view text : texts)
      texts_of[text.substr(0, text.find_first_of(".(", text.find("::")))].push_back(text);
  }
};

Table& table() {
  thread_local Table instance;
  return instance;
}

}  // namespace

const SchemaArgument* Schema::find(std::string_view argument) const {
  for (const SchemaArgument& a : arguments)
    if (a.name == argument) return &a;
  return nullptr;
}

Schema parse_schema(std::string_view text) { return Parser(text).schema(); }

const std::vector<const Schema*>& schemas(std::string_view name) {
  Table& t = table();
  if (auto found = t.parsed.find(name); found != t.parsed.end()) return found->second;
  auto& list = t.parsed[std::string(name)];
  if (auto found = t.texts_of.find(name); found != t.texts_of.end())
    for (std::string_view text : found->second) list.push_back(&t.storage.emplace_back(parse_schema(text)));
  return list;
}

const Schema* find_schema(std::string_view name, std::string_view overload) {
  if (overload == "default") overload = "";
  for (const Schema* s : schemas(name))
    if (s->overload == overload) return s;
  return nullptr;
}

}  // namespace godwit::frontends::aten
