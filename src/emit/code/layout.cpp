#include "emit/code/layout.h"

#include <algorithm>
#include <cctype>
#include <ranges>

#include "base/error.h"
#include "ops/op.h"

namespace godwit::emit {

const std::string& stored_name(const Program& program, const ir::Value* weight) {
  auto constant = program.large_constants.find(weight);
  return constant == program.large_constants.end() ? weight->name : constant->second;
}

namespace {

// What most weight names have before the scope of the block that reads them: "model." or nothing.
std::string common_prefix(const Program& program) {
  std::map<std::string, int> votes;
  for (const auto& block : program.blocks)
    for (const Block::Instance& instance : block->instances)
      for (const ir::Value* w : instance.weights) {
        const std::string name = stored_name(program, w), scope = join(instance.scope) + ".";
        const size_t at = name.find(scope);
        if (at == 0 || (at != std::string::npos && name[at - 1] == '.')) ++votes[name.substr(0, at)];
      }
  auto most = std::max_element(votes.begin(), votes.end(), [](auto& a, auto& b) { return a.second < b.second; });
  return most == votes.end() ? "" : most->first;
}

// "query.weight": module and parameter of the op that reads the weight first.
std::string reader_name(const std::vector<Statement>& body, const ir::Value* weight, size_t depth) {
  for (const Statement& s : body) {
    if (s.kind != Statement::Kind::node) continue;
    for (size_t i = 0; i < s.node->inputs.size(); ++i) {
      if (s.node->inputs[i] != weight) continue;
      std::vector<std::string> parts = scope_parts(s.node->scope);
      parts.erase(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(std::min(depth, parts.size())));
      const ops::Op& op = ops::get(s.node->op);
      size_t p = std::min(i, op.params.size() - 1);
      if (parts.empty()) parts.push_back(s.node->op);
      parts.push_back(op.params[p].is_operand() ? op.params[p].name : s.node->op);
      return join(parts);
    }
    for (const auto& region : s.regions)
      if (std::string name = reader_name(region, weight, depth); !name.empty()) return name;
  }
  return "";
}

// Names that exporters and folding make up say less than the reader's module and parameter.
bool is_made_up(const std::string& name) {
  return name.starts_with("folded.") || !std::isalpha(static_cast<unsigned char>(name[0]));
}

// The end of a path-like name ("If_0__stft.basis", "model/conv2d/kernel") that tells it from all others.
std::string short_name(const std::string& name, const std::vector<std::string>& all) {
  auto tells = [&](const std::string& end) {
    return !is_made_up(end) &&
           std::ranges::count_if(all, [&](const std::string& other) { return other.ends_with(end); }) == 1;
  };
  std::string best = name;
  for (const std::string_view separator : {"/", "::", "__"})
    for (size_t at = name.find(separator); at != std::string::npos; at = name.find(separator, at + 1))
      if (std::string end = name.substr(at + separator.size()); !end.empty() && end.size() < best.size() && tells(end))
        best = end;
  return best;
}

class Planner {
 public:
  Planner(const Program& program, Layouts& out) : program_(program), out_(out) {}

  void plan() {
    out_.prefix = common_prefix(program_);
    for (const auto& block : program_.blocks) plan_block(*block);
    Namer namer(Namer::Kind::members);
    for (const Root& root : program_.roots) plan_root(*root.block, namer);
  }

 private:
  void plan_block(const Block& block) {
    Layout& layout = out_.blocks[&block];
    Namer namer(Namer::Kind::members);
    for (size_t i = 0; i < block.weights.size(); ++i) {
      const std::string suffix = choose_suffix(block, i);
      layout.fields.push_back({namer.unique(identifier(suffix)), suffix, block.weights[i]});
      out_.fields[&block].push_back(layout.fields.back().name);
    }
    add_members(layout, block.body, block.scope.size(), namer);
  }

  void plan_root(const Block& root, Namer& namer) {
    std::vector<std::string>& names = out_.fields[&root];
    std::vector<std::string> all;
    for (const ir::Value* w : root.weights) all.push_back(stored_name(program_, w));
    for (const ir::Value* w : root.weights) {
      const std::string& stored = stored_name(program_, w);
      auto known = std::find_if(out_.model.fields.begin(), out_.model.fields.end(),
                                [&](const Field& f) { return f.suffix == stored; });
      if (known == out_.model.fields.end()) {
        std::string wanted = short_name(stored, all);
        if (is_made_up(wanted))
          if (std::string reader = reader_name(root.body, w, 0); !reader.empty()) wanted = reader;
        out_.model.fields.push_back({namer.unique(identifier(wanted)), stored, w});
        known = out_.model.fields.end() - 1;
      }
      names.push_back(known->name);
    }
    add_members(out_.model, root.body, 0, namer);
  }

  std::string choose_suffix(const Block& block, size_t i) {
    const std::string stored = stored_name(program_, block.weights[i]), at = out_.prefix + join(block.scope) + ".";
    std::string wanted = stored.starts_with(at) ? stored.substr(at.size())
                                                : reader_name(block.body, block.weights[i], block.scope.size());
    if (wanted.empty()) wanted = "weight";
    for (int n = 1;; ++n) {
      const std::string suffix = n == 1 ? wanted : wanted + "_" + std::to_string(n);
      if (try_suffix(block, i, suffix)) return suffix;
    }
  }

  // Whether each instance's name is free or stands for that instance's weight; notes the aliases if so.
  bool try_suffix(const Block& block, size_t i, const std::string& suffix) {
    std::map<std::string, std::string> added;
    for (const Block::Instance& instance : block.instances) {
      const std::string name = out_.prefix + join(instance.scope) + "." + suffix,
                        stored = stored_name(program_, instance.weights[i]);
      auto known = out_.aliases.find(name);
      if (known != out_.aliases.end() && known->second != stored) return false;
      if (auto twice = added.find(name); twice != added.end() && twice->second != stored) return false;
      if (name != stored && program_.module->weights.count(name)) return false;
      added[name] = stored;
    }
    out_.aliases.insert(added.begin(), added.end());
    return true;
  }

  void add_members(Layout& layout, const std::vector<Statement>& body, size_t depth, Namer& namer) {
    for (const Statement& s : body) {
      for (const auto& region : s.regions) add_members(layout, region, depth, namer);
      if (s.kind == Statement::Kind::node) continue;
      const std::vector<std::string> below(
          s.scope.begin() + static_cast<std::ptrdiff_t>(std::min(depth, s.scope.size())), s.scope.end());
      Member member{"", s.block, join(below), s.first_index, s.kind == Statement::Kind::repeat ? s.count : 0};
      auto known = std::find_if(layout.members.begin(), layout.members.end(), [&](const Member& m) {
        return m.block == member.block && m.path == member.path && m.first_index == member.first_index &&
               m.count == member.count;
      });
      if (known == layout.members.end()) {
        member.name = namer.unique(identifier(member.path.empty() ? "blocks" : member.path));
        layout.members.push_back(member);
        known = layout.members.end() - 1;
      }
      layout.member_of[&s] = known->name;
    }
  }

  const Program& program_;
  Layouts& out_;
};

}  // namespace

Layouts lay_out(const Program& program) {
  Layouts out;
  Planner(program, out).plan();
  std::erase_if(out.aliases, [](const auto& entry) { return entry.first == entry.second; });
  return out;
}

}  // namespace godwit::emit
