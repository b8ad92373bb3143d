#include "formats/torchscript/printer.h"

namespace godwit::formats::torchscript {
namespace {

class Printer {
 public:
  void expr(const Expr& e) {
    switch (e.kind) {
      case Expr::Kind::name:
      case Expr::Kind::number:
      case Expr::Kind::text: out_ += e.text; return;
      case Expr::Kind::attribute:
        expr(e.items[0]);
        out_ += "." + e.text;
        return;
      case Expr::Kind::subscript:
        expr(e.items[0]);
        items(e, 1, "[", "]");
        return;
      case Expr::Kind::paren:
      case Expr::Kind::tuple: items(e, 0, "(", ")"); return;
      case Expr::Kind::list: items(e, 0, "[", "]"); return;
      case Expr::Kind::bare_tuple: items(e, 0, "", ""); return;
      case Expr::Kind::dict: dict(e); return;
      case Expr::Kind::call:
        expr(e.items[0]);
        items(e, 1, "(", ")");
        return;
    }
  }

  void file(const File& f) {
    for (const auto& item : f.items) {
      if (item.type)
        class_definition(*item.type);
      else
        function(*item.function);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  void items(const Expr& e, size_t from, const char* open, const char* close) {
    out_ += open;
    for (size_t i = from; i < e.items.size(); ++i) {
      if (i > from) out_ += ", ";
      if (i < e.names.size() && !e.names[i].empty()) out_ += e.names[i] + "=";
      expr(e.items[i]);
    }
    // `f(x, )` and `["a", ]`, but `(x,)` and `a, b,`.
    if (e.trailing_comma) {
      const bool tight = e.kind == Expr::Kind::tuple || e.kind == Expr::Kind::bare_tuple;
      out_ += tight ? "," : ", ";
    }
    out_ += close;
  }
  void dict(const Expr& e) {
    out_ += "{";
    for (size_t i = 0; i + 1 < e.items.size(); i += 2) {
      if (i) out_ += ", ";
      expr(e.items[i]);
      out_ += ": ";
      expr(e.items[i + 1]);
    }
    if (e.trailing_comma) out_ += ", ";
    out_ += "}";
  }

  void indent() { out_.append(2 * level_, ' '); }
  void block(const std::vector<Stmt>& body) {
    ++level_;
    for (const Stmt& s : body) statement(s);
    --level_;
  }
  void statement(const Stmt& s) {
    indent();
    switch (s.kind) {
      case Stmt::Kind::pass: out_ += "pass\n"; return;
      case Stmt::Kind::return_value:
        out_ += "return";
        if (s.value) {
          out_ += " ";
          expr(*s.value);
        }
        out_ += "\n";
        return;
      case Stmt::Kind::expression:
        expr(*s.value);
        out_ += "\n";
        return;
      case Stmt::Kind::annotated:
      case Stmt::Kind::assign: assignment(s); return;
      case Stmt::Kind::if_else:
        head("if ", s);
        block(s.body);
        indent();
        out_ += "else:\n";
        block(s.orelse);
        return;
      case Stmt::Kind::for_range:
        out_ += "for " + s.targets[0].text + " in range(";
        expr(*s.value);
        out_ += "):\n";
        block(s.body);
        return;
      case Stmt::Kind::while_loop:
        head("while ", s);
        block(s.body);
        return;
      case Stmt::Kind::with:
        out_ += "with ";
        expr(*s.value);
        if (!s.targets.empty()) out_ += " as " + s.targets[0].text;
        out_ += ":\n";
        block(s.body);
        return;
      case Stmt::Kind::function: {
        out_.resize(out_.size() - 2 * level_);
        function(*s.function);
        return;
      }
    }
  }
  void head(const char* word, const Stmt& s) {
    out_ += word;
    expr(*s.value);
    out_ += ":\n";
  }
  void assignment(const Stmt& s) {
    for (size_t i = 0; i < s.targets.size(); ++i) {
      if (i) out_ += ", ";
      expr(s.targets[i]);
    }
    if (s.trailing_comma) out_ += ",";
    if (s.type) {
      out_ += " : ";
      expr(*s.type);
    }
    out_ += " = ";
    expr(*s.value);
    out_ += "\n";
  }
  void function(const Function& f) {
    indent();
    out_ += "def " + f.name + "(";
    for (size_t i = 0; i < f.parameters.size(); ++i) {
      const Parameter& p = f.parameters[i];
      if (i) {
        out_ += ",\n";
        out_ += "    ";
      }
      out_ += p.name;
      if (p.type) {
        out_ += ": ";
        expr(*p.type);
      }
      if (p.fallback) {
        out_ += "=";
        expr(*p.fallback);
      }
    }
    out_ += ")";
    if (f.returns) {
      out_ += " -> ";
      expr(*f.returns);
    }
    out_ += ":\n";
    block(f.body);
  }
  void class_definition(const Class& c) {
    out_ += "class " + c.name + (c.base.empty() ? "" : "(" + c.base + ")") + ":\n";
    ++level_;
    for (const Member& m : c.members) member(m);
    --level_;
  }
  void member(const Member& m) {
    if (m.kind == Member::Kind::method) return function(*m.method);
    indent();
    if (m.is_annotation) {
      out_ += "__annotations__[" + m.name + "] = ";
      expr(*m.type);
    } else {
      out_ += m.name;
      if (m.type) {
        out_ += " : ";
        expr(*m.type);
      }
      if (m.value) {
        out_ += " = ";
        expr(*m.value);
      }
    }
    out_ += "\n";
  }

  std::string out_;
  size_t level_ = 0;
};

}  // namespace

std::string print(const Expr& e) {
  Printer printer;
  printer.expr(e);
  return printer.take();
}

std::string print(const File& file) {
  Printer printer;
  printer.file(file);
  return printer.take();
}

}  // namespace godwit::formats::torchscript
