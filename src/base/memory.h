// What the process takes from the machine.
#pragma once

#include <cstddef>
#include <memory>

namespace godwit {

size_t peak_memory_bytes();      // largest resident size so far, mapped files included
size_t resident_memory_bytes();  // now; 0 where the system does not tell
// The peak starts anew; false where the system cannot.
bool reset_peak_memory();

// Zeroed memory on a cache line at least; large blocks lie on large pages where the system has them: a walk through the
// weights of a network meets a page every few hundred nanoseconds otherwise. Throws std::bad_alloc.
std::shared_ptr<std::byte> zeroed_memory(size_t bytes);

}  // namespace godwit
