// Text to graphs. The grammar stands in ir/text.h; one line is one statement.
#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "ir/text.h"

namespace godwit::ir {
namespace {

constexpr size_t max_depth = 64;  // of regions

bool is_word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }

// Reads one line from left to right.
class Line {
 public:
  explicit Line(std::string_view text) : text_(text) {}

  bool done() {
    skip();
    return at_ >= text_.size();
  }
  bool accept(std::string_view token) {
    skip();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  // A word that is not the beginning of a longer one.
  bool accept_word(std::string_view word) {
    skip();
    size_t end = at_ + word.size();
    if (text_.substr(at_, word.size()) != word || (end < text_.size() && is_word_char(text_[end]))) return false;
    at_ = end;
    return true;
  }
  void expect(std::string_view token) {
    require<FileError>(accept(token), "'{}' expected at '{}'", token, text_.substr(at_, 40));
  }
  char peek() {
    skip();
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  // A word or a quoted text; `more` are further characters that a word may have.
  std::string name(std::string_view more = "") {
    skip();
    size_t start = at_;
    if (peek() == '"') {
      skip_quoted();
      return std::get<std::string>(parse_attr(text_.substr(start, at_ - start)));
    }
    while (at_ < text_.size() && (is_word_char(text_[at_]) || more.find(text_[at_]) != more.npos)) ++at_;
    require<FileError>(at_ > start, "a name is expected at '{}'", text_.substr(start, 40));
    return std::string(text_.substr(start, at_ - start));
  }

  // `%name`, `%"name"`, `%12`, `@name`, `$name`: in its canonical spelling, so that it serves as a key.
  std::string reference() {
    char sigil = peek();
    require<FileError>(sigil == '%' || sigil == '@' || sigil == '$', "a value is expected at '{}'",
                       text_.substr(at_, 40));
    ++at_;
    bool quoted = at_ < text_.size() && text_[at_] == '"';
    std::string word = name();
    bool number = sigil == '%' && !quoted && std::isdigit(static_cast<unsigned char>(word[0]));
    return (number ? std::string("%#") : std::string(1, sigil)) + word;
  }

  // Up to one of the stops, none of which counts inside brackets or quotes.
  std::string_view until(std::string_view stops) {
    skip();
    size_t start = at_;
    for (int depth = 0; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (depth == 0 && stops.find(c) != stops.npos) break;
      if (c == '"') {
        skip_quoted();
        --at_;
      }
      if (c == '(' || c == '[' || c == '{') ++depth;
      if (c == ')' || c == ']' || c == '}') --depth;
    }
    size_t end = at_;
    while (end > start && text_[end - 1] == ' ') --end;
    return text_.substr(start, end - start);
  }

  // The text of an attribute: up to the next `name=`, the types, the region or the comment.
  std::string_view attribute() {
    size_t start = at_;
    until(" ");
    for (;;) {
      size_t end = at_;
      skip();
      if (at_ >= text_.size() || peek() == ':' || peek() == '{' || peek() == '#' || starts_attribute()) {
        at_ = end;
        return text_.substr(start, end - start);
      }
      until(" ");
    }
  }

  bool starts_attribute() {
    skip();
    size_t i = at_;
    if (i < text_.size() && text_[i] == '"') return true;
    while (i < text_.size() && is_word_char(text_[i])) ++i;
    return i > at_ && i < text_.size() && text_[i] == '=';
  }

  // One part of the comment: up to `|`, or a quoted text.
  std::string comment_part() {
    if (peek() == '"') return name();
    size_t start = at_;
    while (at_ < text_.size() && text_[at_] != '|') ++at_;
    size_t end = at_;
    while (end > start && text_[end - 1] == ' ') --end;
    return std::string(text_.substr(start, end - start));
  }

 private:
  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  void skip_quoted() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
      if (text_[at_] == '\\') ++at_;
    require<FileError>(at_ < text_.size(), "a quote is not closed");
    ++at_;
  }

  std::string_view text_;
  size_t at_ = 0;
};

class GraphParser {
 public:
  explicit GraphParser(std::string_view text) : text_(text) {}

  Graph run() {
    try {
      parse();
    } catch (const Error& e) {
      raise<FileError>("graph text, line {}: {}", line_number_, e.what());
    }
    return std::move(graph_);
  }

 private:
  // Where statements go: the outermost graph, or one region of a node.
  struct Level {
    Graph* graph;
    Node* node;                     // whose region this is; null outermost
    std::vector<std::string> keys;  // defined here, gone when it closes
    bool is_closed = false;         // `yield` has been read
  };

  bool next_line() {
    while (at_ < text_.size()) {
      size_t end = std::min(text_.find('\n', at_), text_.size());
      std::string_view line = text_.substr(at_, end - at_);
      at_ = end + 1;
      ++line_number_;
      size_t first = line.find_first_not_of(' ');
      if (first == line.npos || line[first] == '#') continue;
      line_ = Line(line);
      return true;
    }
    return false;
  }

  void parse() {
    require<FileError>(next_line(), "the text is empty");
    levels_.push_back({&graph_, nullptr, {}, false});
    header();
    while (next_line()) {
      if (levels_.size() == 1 && line_.accept_word("end")) {
        require<FileError>(line_.done(), "text after 'end'");
        return finish();
      }
      statement();
    }
    raise<FileError>("'end' is missing");
  }

  void header() {
    line_.expect("graph ");
    graph_.name = line_.name();
    line_.expect("(");
    for (bool first = true; !line_.accept(")"); first = false) {
      if (!first) line_.expect(",");
      std::string name = line_.name();
      line_.expect(":");
      Value* v = graph_.add_input(name, parse_type(line_.until(",)")));
      define("%" + name, v);
    }
    line_.expect("->");
    line_.expect("(");
    for (bool first = true; !line_.accept(")"); first = false) {
      if (!first) line_.expect(",");
      graph_.output_names.push_back(line_.name());
      line_.expect("=");
      outputs_.push_back(line_.reference());
    }
    require<FileError>(line_.done(), "text after the graph's outputs");
  }

  void statement() {
    Level& level = levels_.back();
    if (line_.accept("}")) return close_region();
    require<FileError>(!level.is_closed, "a statement behind 'yield'");
    if (level.node && line_.accept_word("yield")) return yield();
    if (level.node && line_.peek() == '(') return parameters();
    if (!level.node && line_.accept_word("state")) return state();
    if (!level.node && line_.accept_word("weight")) return weight();
    node();
  }

  void state() {
    std::string name = line_.name();
    line_.expect(":");
    Type type = parse_type(line_.until(" "));
    line_.expect("->");
    states_after_.push_back(line_.reference());
    std::optional<Tensor> initial;
    if (line_.accept("=")) {
      Attr attr = parse_attr(line_.attribute());
      require<FileError>(std::holds_alternative<Tensor>(attr), "the initial value of a state is a tensor");
      initial = std::get<Tensor>(attr);
    }
    require<FileError>(line_.done(), "text after a state");
    define("$" + name, graph_.add_state(name, std::move(type), std::move(initial)));
  }

  void weight() {
    std::string key = line_.reference();
    require<FileError>(key[0] == '@', "a weight's name begins with '@'");
    line_.expect(":");
    Type type = parse_type(line_.until(""));
    define(key, graph_.weight(key.substr(1), type));
  }

  // Results, op, operands, attributes, types, then `{` where regions follow, then the comment.
  void node() {
    auto owned = std::make_unique<Node>();
    Node& node = *owned;
    std::vector<std::string> keys, hints;
    while (line_.peek() == '%') {
      keys.push_back(line_.reference());
      hints.push_back(line_.accept_word("as") ? line_.name() : "");
      if (!line_.accept(",")) {
        line_.expect("=");
        break;
      }
    }
    node.op = line_.name(":-/");
    operands(node.inputs);
    while (line_.starts_attribute()) {
      std::string name = line_.name();
      line_.expect("=");
      require<FileError>(node.attrs.emplace(name, parse_attr(line_.attribute())).second, "attribute {} stands twice",
                         name);
    }
    std::vector<Type> types;
    if (line_.accept(":")) {
      do types.push_back(parse_type(line_.until(", {#")));
      while (line_.accept(","));
    }
    require<FileError>(types.size() == keys.size(), "{} results, {} types", keys.size(), types.size());
    bool has_regions = line_.accept("{");
    comment(node);
    require<FileError>(line_.done(), "text after a node");
    levels_.back().graph->nodes.push_back(std::move(owned));
    if (has_regions) return open_region(node, keys, hints, types);
    add_outputs(node, keys, hints, types);
  }

  void operands(std::vector<Value*>& inputs) {
    auto is_operand = [&] { return line_.peek() == '%' || line_.peek() == '@' || line_.peek() == '$'; };
    if (!is_operand() && line_.peek() != '_') return;
    do {
      if (is_operand())
        inputs.push_back(value(line_.reference()));
      else if (line_.accept_word("_"))
        inputs.push_back(nullptr);
      else if (line_.starts_attribute() && inputs.empty())
        return;  // an attribute whose name begins with '_'
      else
        raise<FileError>("an operand is expected");
    } while (line_.accept(","));
  }

  void comment(Node& node) {
    if (!line_.accept("#")) return;
    node.place = line_.comment_part();
    if (line_.accept("|")) node.scope = line_.comment_part();
  }

  void add_outputs(Node& node, const std::vector<std::string>& keys, const std::vector<std::string>& hints,
                   std::vector<Type>& types) {
    for (size_t i = 0; i < keys.size(); ++i) {
      Value v;
      v.producer = &node;
      v.name = hints[i];
      v.type = std::move(types[i]);
      node.outputs.push_back(levels_.back().graph->add_value(std::move(v)));
      define(keys[i], node.outputs.back());
    }
  }

  // The results of a node with regions are defined once its last region has closed.
  struct Pending {
    std::vector<std::string> keys, hints;
    std::vector<Type> types;
  };

  void open_region(Node& node, std::vector<std::string> keys, std::vector<std::string> hints, std::vector<Type> types) {
    require<FileError>(levels_.size() < max_depth, "regions are nested deeper than {}", max_depth);
    pending_.push_back({std::move(keys), std::move(hints), std::move(types)});
    push_region(node);
  }

  void push_region(Node& node) {
    node.regions.push_back(std::make_unique<Graph>());
    levels_.push_back({node.regions.back().get(), &node, {}, false});
  }

  void parameters() {
    Graph& region = *levels_.back().graph;
    require<FileError>(region.inputs.empty() && region.nodes.empty(), "parameters stand at the head of a region");
    line_.expect("(");
    for (bool first = true; !line_.accept(")"); first = false) {
      if (!first) line_.expect(",");
      std::string key = line_.reference();
      std::string hint = line_.accept_word("as") ? line_.name() : "";
      line_.expect(":");
      define(key, region.add_input(hint, parse_type(line_.until(",)"))));
    }
    require<FileError>(line_.done(), "text after a region's parameters");
  }

  void yield() {
    Level& level = levels_.back();
    while (!line_.done()) {
      if (!level.graph->outputs.empty()) line_.expect(",");
      level.graph->outputs.push_back(value(line_.reference()));
    }
    level.is_closed = true;
  }

  void close_region() {
    Level level = std::move(levels_.back());
    require<FileError>(level.node, "'}}' without '{{'");
    require<FileError>(level.is_closed, "a region ends without 'yield'");
    levels_.pop_back();
    for (const std::string& key : level.keys) values_.erase(key);
    if (line_.accept("{")) {
      push_region(*level.node);
    } else {
      Pending pending = std::move(pending_.back());
      pending_.pop_back();
      add_outputs(*level.node, pending.keys, pending.hints, pending.types);
    }
    require<FileError>(line_.done(), "text after '}}'");
  }

  void finish() {
    for (const std::string& key : outputs_) graph_.outputs.push_back(value(key));
    for (size_t i = 0; i < graph_.states.size(); ++i) graph_.states[i].after = value(states_after_[i]);
    require<FileError>(!next_line(), "text after the graph");
  }

  static std::string shown(const std::string& key) { return key.starts_with("%#") ? "%" + key.substr(2) : key; }

  void define(const std::string& key, Value* v) {
    require<FileError>(values_.emplace(key, v).second, "'{}' is defined twice", shown(key));
    levels_.back().keys.push_back(key);
  }

  Value* value(const std::string& key) const {
    auto found = values_.find(key);
    require<FileError>(found != values_.end(), "'{}' is used before it is defined", shown(key));
    return found->second;
  }

  std::string_view text_;
  size_t at_ = 0, line_number_ = 0;
  Line line_{""};
  Graph graph_;
  std::vector<Level> levels_;
  std::map<std::string, Value*, std::less<>> values_;
  std::vector<Pending> pending_;
  std::vector<std::string> outputs_, states_after_;
};

}  // namespace

Type parse_type(std::string_view text) {
  Type type;
  if (text.starts_with("seq(") && text.ends_with(')')) {
    type.sequence = true;
    text = text.substr(4, text.size() - 5);
  }
  size_t open = text.find('[');
  require<FileError>(open != text.npos && text.ends_with(']'), "'{}' is no type", text);
  auto dtype = parse_dtype(text.substr(0, open));
  require<FileError>(dtype.has_value(), "'{}' is no element type", text.substr(0, open));
  type.dtype = *dtype;
  if (text.substr(open) == "[?]") return type;
  Attr shape = parse_attr(text.substr(open));
  require<FileError>(std::holds_alternative<Dims>(shape), "'{}' is no shape", text.substr(open));
  type.shape = std::get<Dims>(std::move(shape));
  for (const Dim& d : *type.shape)
    require<FileError>(!d.is_known() || d.value() >= 0, "'{}' has a negative dimension", text);
  return type;
}

Graph parse_graph(std::string_view text) { return GraphParser(text).run(); }

}  // namespace godwit::ir
