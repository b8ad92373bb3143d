#include "executors/profile.h"

#include <fmt/format.h>

#include <algorithm>

namespace godwit::executors {
namespace {

double us_between(std::chrono::steady_clock::time_point a, std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double, std::micro>(b - a).count();
}

std::string name_of(const ir::Node& node) {
  if (!node.outputs.empty() && !node.output()->name.empty()) return node.output()->name;
  return node.scope;
}

struct OpCost {
  std::string op;
  int64_t calls = 0;
  double us = 0;
};

std::vector<OpCost> by_op(const Profile& profile) {
  std::vector<OpCost> ops;
  for (const NodeCost& node : profile.nodes) {
    auto same = std::find_if(ops.begin(), ops.end(), [&](const OpCost& o) { return o.op == node.op; });
    if (same == ops.end()) same = ops.insert(ops.end(), {node.op, 0, 0});
    same->calls += node.calls;
    same->us += node.us;
  }
  std::stable_sort(ops.begin(), ops.end(), [](const OpCost& a, const OpCost& b) { return a.us > b.us; });
  return ops;
}

double total_us(const Profile& profile) {
  double total = 0;
  for (const NodeCost& node : profile.nodes) total += node.us;
  return total;
}

// Of one run.
double ms(double us, const Profile& profile) { return us / 1e3 / std::max(profile.runs, 1); }
double share(double us, const Profile& profile) {
  const double total = total_us(profile);
  return total > 0 ? us / total : 0;
}

}  // namespace

void ProfileRecorder::begin_run() {
  profile_.last_run.clear();
  start_ = last_ = Clock::now();
}

void ProfileRecorder::begin_nodes() { last_ = Clock::now(); }

void ProfileRecorder::node_done(const ir::Node& node, std::string_view executor, std::string result,
                                std::string_view kernel) {
  const auto now = Clock::now();
  const auto [place, is_new] = places_.emplace(&node, profile_.nodes.size());
  if (is_new)
    profile_.nodes.push_back(
        {node.op, name_of(node), node.place, std::string(executor), std::string(kernel), "", 0, 0});
  NodeCost& cost = profile_.nodes[place->second];
  const double us = us_between(last_, now);
  cost.us += us;
  ++cost.calls;
  cost.result = std::move(result);
  profile_.last_run.push_back({place->second, us_between(start_, last_), us});
  last_ = Clock::now();  // what the recording took belongs to nobody
}

void ProfileRecorder::end_run() {
  const double us = us_between(start_, Clock::now());
  ++profile_.runs;
  profile_.run_us += (us - profile_.run_us) / profile_.runs;
}

Profile profile(Executor& executor, const HostValues& inputs, int runs) {
  executor.run(inputs);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < runs; ++i) executor.run(inputs);
  const double plain = us_between(start, std::chrono::steady_clock::now());
  ProfileRecorder recorder;
  executor.record(&recorder);
  for (int i = 0; i < runs; ++i) {
    recorder.begin_run();
    executor.run(inputs);
    recorder.end_run();
  }
  executor.record(nullptr);
  executor.reset();
  Profile out = recorder.take();
  out.plain_us = plain / runs;
  return out;
}

Json to_json(const Profile& profile) {
  Json ops = Json::array(), nodes = Json::array();
  for (const OpCost& o : by_op(profile))
    ops.push_back(
        {{"op", o.op}, {"calls", o.calls / profile.runs}, {"ms", ms(o.us, profile)}, {"share", share(o.us, profile)}});
  for (const NodeCost& n : profile.nodes)
    nodes.push_back({{"op", n.op},
                     {"name", n.name},
                     {"place", n.place},
                     {"executor", n.executor},
                     {"kernel", n.kernel},
                     {"result", n.result},
                     {"calls", n.calls / profile.runs},
                     {"ms", ms(n.us, profile)}});
  return {{"runs", profile.runs},
          {"ms", profile.run_us / 1e3},
          {"plain_ms", profile.plain_us / 1e3},
          {"ops", std::move(ops)},
          {"nodes", std::move(nodes)}};
}

std::string to_text(const Profile& profile, size_t most) {
  std::string out =
      fmt::format("{:.3f} ms a run when each node is waited for (mean of {} runs)", profile.run_us / 1e3, profile.runs);
  if (profile.plain_us > 0) out += fmt::format("; {:.3f} ms as it is run otherwise", profile.plain_us / 1e3);
  out += "\n\n   share        ms  calls  op\n";
  for (const OpCost& o : by_op(profile))
    out += fmt::format("  {:5.1f}%  {:8.3f}  {:5}  {}\n", 100 * share(o.us, profile), ms(o.us, profile),
                       o.calls / profile.runs, o.op);
  std::vector<const NodeCost*> slowest;
  for (const NodeCost& n : profile.nodes) slowest.push_back(&n);
  std::stable_sort(slowest.begin(), slowest.end(), [](auto* a, auto* b) { return a->us > b->us; });
  if (slowest.size() > most) slowest.resize(most);
  out += "\n   share        ms  slowest nodes\n";
  for (const NodeCost* n : slowest)
    out += fmt::format("  {:5.1f}%  {:8.3f}  {}{} -> {}  {}{}\n", 100 * share(n->us, profile), ms(n->us, profile),
                       n->op, n->kernel.empty() || n->kernel == n->op ? "" : " [" + n->kernel + "]", n->result, n->name,
                       n->place.empty() || n->place == n->name ? "" : " (" + n->place + ")");
  return out;
}

Json to_trace(const Profile& profile) {
  Json events = Json::array();
  for (const Profile::Event& e : profile.last_run) {
    const NodeCost& n = profile.nodes[e.node];
    events.push_back({{"ph", "X"},
                      {"pid", 1},
                      {"tid", 1},
                      {"ts", e.start_us},
                      {"dur", e.us},
                      {"cat", n.executor},
                      {"name", n.op},
                      {"args", {{"name", n.name}, {"place", n.place}, {"kernel", n.kernel}, {"result", n.result}}}});
  }
  return {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
}

}  // namespace godwit::executors
