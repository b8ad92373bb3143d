// What a run spends its time on, node by node. Every executor fills the same record.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "executors/executor.h"
#include "ir/graph.h"

namespace godwit::executors {

struct NodeCost {
  std::string op, name, place;  // the name of the first result, or the node's scope
  std::string executor;         // "mlx", "cpu"; in a plan mlx ran what has no kernel
  std::string kernel;           // of a plan
  std::string result;           // "f32[1, 64, 80]", of the last call
  int64_t calls = 0;            // of all runs together; several a run in a loop
  double us = 0;                // of all calls; without the nodes of its regions
};

struct Profile {
  // One call of one node in the last run.
  struct Event {
    size_t node;
    double start_us, us;
  };
  int runs = 0;
  double run_us = 0;            // mean of the profiled runs
  double plain_us = 0;          // mean of runs that are not profiled; 0 where nobody measured it
  std::vector<NodeCost> nodes;  // in the order of their first call
  std::vector<Event> last_run;
};

// Collects a profile. An executor says when a run begins and ends and when a node is done; what passed since the last
// of these belongs to that node.
class ProfileRecorder {
 public:
  void begin_run();
  void begin_nodes();  // what the run did so far belongs to no node
  void node_done(const ir::Node& node, std::string_view executor, std::string result, std::string_view kernel = {});
  void end_run();
  Profile take() { return std::move(profile_); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_, last_;
  std::unordered_map<const ir::Node*, size_t> places_;
  Profile profile_;
};

// One run to warm up, `runs` plain ones, `runs` profiled ones. State goes on from run to run and is reset at the end.
// MLX is lazy: here each node's results are computed before the next node starts, so that a profiled run is slower than
// a plain one.
Profile profile(Executor& executor, const HostValues& inputs, int runs);

// What scripts read: `runs`, `ms`, `plain_ms`, `ops[]` (`op`, `calls`, `ms`, `share`), `nodes[]`; times are of one run.
Json to_json(const Profile& profile);
// A table of ops, then the `most` slowest nodes.
std::string to_text(const Profile& profile, size_t most = 15);
// The last run in the format of chrome://tracing and Perfetto.
Json to_trace(const Profile& profile);

}  // namespace godwit::executors
