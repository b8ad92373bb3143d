#include "formats/torchscript/parser.h"

#include "base/error.h"
#include "formats/torchscript/lexer.h"

namespace godwit::formats::torchscript {
namespace {

constexpr int kMaxDepth = 300;

class Parser {
 public:
  Parser(std::string_view source, const std::string& path)
      : source_(source), path_(path), tokens_(tokenize(source, path)) {}

  File file() {
    File out;
    out.path = path_;
    while (peek().kind != Token::Kind::end) {
      if (peek().text == "class")
        out.items.push_back({std::make_unique<Class>(class_definition()), nullptr});
      else if (peek().text == "def")
        out.items.push_back({nullptr, std::make_unique<Function>(function())});
      else
        fail("expected a class or a function");
    }
    return out;
  }

 private:
  // --- tokens -------------------------------------------------------------------------------------------------------
  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  [[noreturn]] void fail(const std::string& why) const {
    raise<FileError>("{}:{}: {}, found \"{}\"", path_, line_of(source_, peek().offset), why, peek().text.substr(0, 40));
  }
  const Token& take() {
    const Token& token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool is(std::string_view symbol) const {
    return (peek().kind == Token::Kind::symbol || peek().kind == Token::Kind::name) && peek().text == symbol;
  }
  bool accept(std::string_view symbol) {
    if (!is(symbol)) return false;
    take();
    return true;
  }
  void expect(std::string_view symbol) {
    if (!accept(symbol)) fail(fmt::format("expected \"{}\"", symbol));
  }
  void expect(Token::Kind kind, const char* what) {
    if (peek().kind != kind) fail(fmt::format("expected {}", what));
    take();
  }
  std::string name() {
    if (peek().kind != Token::Kind::name) fail("expected a name");
    return std::string(take().text);
  }
  void newline() { expect(Token::Kind::newline, "the end of the line"); }

  struct Depth {
    explicit Depth(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kMaxDepth) parser_.fail("nested too deep");
    }
    ~Depth() { --parser_.depth_; }
    Parser& parser_;
  };

  // --- expressions --------------------------------------------------------------------------------------------------
  Expr leaf(Expr::Kind kind) {
    Expr e;
    e.kind = kind;
    e.offset = peek().offset;
    e.text = take().text;
    return e;
  }
  Expr expression() {
    Depth depth(*this);
    Expr e = primary();
    for (int height = 0; is(".") || is("[") || is("("); ++height) {
      if (height > kMaxDepth) fail("nested too deep");
      e = postfix(std::move(e));
    }
    return e;
  }
  std::unique_ptr<Expr> boxed_expression() { return std::make_unique<Expr>(expression()); }

  Expr primary() {
    switch (peek().kind) {
      case Token::Kind::name: return leaf(Expr::Kind::name);
      case Token::Kind::text: return leaf(Expr::Kind::text);
      case Token::Kind::number: return number("");
      default: break;
    }
    if (is("-")) {
      take();
      if (peek().kind == Token::Kind::number) return number("-");
      if (is("inf") || is("nan")) {
        Expr e = leaf(Expr::Kind::number);
        e.text = "-" + e.text;
        return e;
      }
      fail("expected a number");
    }
    if (is("(")) return parenthesized();
    if (is("[")) return sequence(Expr::Kind::list, "[", "]");
    if (is("{")) return dict();
    fail("expected an expression");
  }
  // A complex number is "real+imaginary.j".
  Expr number(const std::string& sign) {
    Expr e = leaf(Expr::Kind::number);
    e.text = sign + e.text;
    if ((is("+") || is("-")) && peek(1).kind == Token::Kind::number) {
      e.text += take().text;
      e.text += take().text;
    }
    return e;
  }
  Expr sequence(Expr::Kind kind, std::string_view open, std::string_view close) {
    Expr e;
    e.kind = kind;
    e.offset = peek().offset;
    expect(open);
    while (!is(close)) {
      e.items.push_back(expression());
      e.trailing_comma = accept(",");
      if (!e.trailing_comma) break;
    }
    expect(close);
    return e;
  }
  Expr parenthesized() {
    Expr e = sequence(Expr::Kind::tuple, "(", ")");
    if (e.items.size() == 1 && !e.trailing_comma) e.kind = Expr::Kind::paren;
    return e;
  }
  Expr dict() {
    Expr e;
    e.kind = Expr::Kind::dict;
    e.offset = peek().offset;
    expect("{");
    while (!is("}")) {
      e.items.push_back(expression());
      expect(":");
      e.items.push_back(expression());
      e.trailing_comma = accept(",");
      if (!e.trailing_comma) break;
    }
    expect("}");
    return e;
  }
  Expr postfix(Expr base) {
    Expr e;
    e.offset = peek().offset;
    if (accept(".")) {
      e.kind = Expr::Kind::attribute;
      e.offset = base.offset;
      e.items.push_back(std::move(base));
      e.text = name();
      return e;
    }
    if (is("[")) {
      Expr indices = sequence(Expr::Kind::subscript, "[", "]");
      if (indices.items.empty()) fail("expected an index");
      indices.offset = base.offset;
      indices.items.insert(indices.items.begin(), std::move(base));
      return indices;
    }
    return call(std::move(base));
  }
  Expr call(Expr callee) {
    Expr e;
    e.kind = Expr::Kind::call;
    e.offset = callee.offset;
    e.items.push_back(std::move(callee));
    e.names.emplace_back();
    expect("(");
    while (!is(")")) {
      const bool keyword =
          peek().kind == Token::Kind::name && peek(1).kind == Token::Kind::symbol && peek(1).text == "=";
      e.names.emplace_back();
      if (keyword) {
        e.names.back() = name();
        expect("=");
      } else if (e.names.size() > 2 && !e.names[e.names.size() - 2].empty()) {
        fail("a positional argument after a keyword");
      }
      e.items.push_back(expression());
      e.trailing_comma = accept(",");
      if (!e.trailing_comma) break;
    }
    expect(")");
    return e;
  }

  // --- statements ---------------------------------------------------------------------------------------------------
  std::vector<Stmt> block() {
    newline();
    std::vector<Stmt> out;
    if (peek().kind != Token::Kind::indent) return out;  // a function without a body: an interface
    Depth depth(*this);
    take();
    while (peek().kind != Token::Kind::dedent && peek().kind != Token::Kind::end) out.push_back(statement());
    expect(Token::Kind::dedent, "the end of the block");
    return out;
  }
  Stmt statement() {
    Stmt s;
    s.offset = peek().offset;
    const bool is_word =
        peek().kind == Token::Kind::name && !(peek(1).kind == Token::Kind::symbol && peek(1).text == "=");
    if (is_word) {
      const auto word = peek().text;
      if (word == "return") return returned(std::move(s));
      if (word == "pass") {
        take();
        newline();
        return s;
      }
      if (word == "if") return branch(std::move(s));
      if (word == "for") return for_loop(std::move(s));
      if (word == "while" || word == "with") return headed(std::move(s));
      if (word == "def") {
        s.kind = Stmt::Kind::function;
        s.function = std::make_unique<Function>(function());
        return s;
      }
    }
    return assignment(std::move(s));
  }
  Stmt returned(Stmt s) {
    take();
    s.kind = Stmt::Kind::return_value;
    if (peek().kind != Token::Kind::newline) s.value = std::make_unique<Expr>(expressions());
    newline();
    return s;
  }
  Stmt branch(Stmt s) {
    take();
    s.kind = Stmt::Kind::if_else;
    s.value = boxed_expression();
    expect(":");
    s.body = block();
    if (accept("else")) {
      expect(":");
      s.orelse = block();
    }
    return s;
  }
  Stmt for_loop(Stmt s) {
    take();
    s.kind = Stmt::Kind::for_range;
    s.targets.push_back(leaf_name());
    expect("in");
    expect("range");
    expect("(");
    s.value = boxed_expression();
    expect(")");
    expect(":");
    s.body = block();
    return s;
  }
  Stmt headed(Stmt s) {
    s.kind = take().text == "while" ? Stmt::Kind::while_loop : Stmt::Kind::with;
    s.value = boxed_expression();
    if (s.kind == Stmt::Kind::with && accept("as")) s.targets.push_back(leaf_name());
    expect(":");
    s.body = block();
    return s;
  }
  Expr leaf_name() {
    if (peek().kind != Token::Kind::name) fail("expected a name");
    return leaf(Expr::Kind::name);
  }
  Expr expressions() {
    Expr e = expression();
    if (!is(",")) return e;
    Expr tuple;
    tuple.kind = Expr::Kind::bare_tuple;
    tuple.offset = e.offset;
    tuple.items.push_back(std::move(e));
    while (accept(",")) {
      if (peek().kind == Token::Kind::newline || is("=")) {
        tuple.trailing_comma = true;
        break;
      }
      tuple.items.push_back(expression());
    }
    return tuple;
  }
  Stmt assignment(Stmt s) {
    Expr first = expressions();
    if (accept(":")) {
      s.kind = Stmt::Kind::annotated;
      s.type = boxed_expression();
      expect("=");
      s.targets.push_back(std::move(first));
      s.value = boxed_expression();
    } else if (accept("=")) {
      s.kind = Stmt::Kind::assign;
      s.value = std::make_unique<Expr>(expressions());
      if (first.kind == Expr::Kind::bare_tuple) {
        s.trailing_comma = first.trailing_comma;
        s.targets = std::move(first.items);
      } else {
        s.targets.push_back(std::move(first));
      }
    } else {
      s.kind = Stmt::Kind::expression;
      s.value = std::make_unique<Expr>(std::move(first));
    }
    newline();
    return s;
  }

  // --- definitions --------------------------------------------------------------------------------------------------
  Function function() {
    Function f;
    f.offset = peek().offset;
    expect("def");
    f.name = name();
    expect("(");
    while (!is(")")) {
      Parameter p;
      p.name = name();
      if (accept(":")) p.type = boxed_expression();
      if (accept("=")) p.fallback = boxed_expression();
      f.parameters.push_back(std::move(p));
      if (!accept(",")) break;
    }
    expect(")");
    if (accept("->")) f.returns = boxed_expression();
    expect(":");
    f.body = block();
    return f;
  }
  Class class_definition() {
    Class c;
    c.offset = peek().offset;
    expect("class");
    c.name = name();
    if (accept("(")) {
      c.base = name();
      expect(")");
    }
    expect(":");
    newline();
    if (peek().kind != Token::Kind::indent) return c;
    take();
    while (peek().kind != Token::Kind::dedent && peek().kind != Token::Kind::end) {
      if (is("pass")) {
        fail("an empty class body");
      }
      c.members.push_back(member());
    }
    expect(Token::Kind::dedent, "the end of the class");
    return c;
  }
  Member member() {
    Member m;
    if (is("def")) {
      m.kind = Member::Kind::method;
      m.method = std::make_unique<Function>(function());
      m.name = m.method->name;
      return m;
    }
    m.name = name();
    if (m.name == "__annotations__" && accept("[")) {
      m.is_annotation = true;
      if (peek().kind != Token::Kind::text) fail("expected a text");
      m.name = take().text;
      expect("]");
      expect("=");
      m.type = boxed_expression();
    } else if (accept(":")) {
      m.type = boxed_expression();
      if (accept("=")) {
        m.kind = Member::Kind::constant;
        m.value = boxed_expression();
      }
    } else {
      expect("=");
      m.kind = m.name.starts_with("__") ? Member::Kind::names : Member::Kind::enumerator;
      m.value = boxed_expression();
    }
    newline();
    return m;
  }

  std::string_view source_;
  const std::string& path_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

File parse(std::string_view source, const std::string& path) { return Parser(source, path).file(); }

}  // namespace godwit::formats::torchscript
