// What the process takes from the machine.
#pragma once

#include <cstddef>
#include <memory>

namespace godwit {

size_t peak_memory_bytes();      // largest resident size so far, mapped files included
size_t resident_memory_bytes();  // now; 0 where the system does not tell
// What one plan or one result may take: GODWIT_MEMORY_LIMIT ("512M", "8G", or bytes), else what the machine or the
// process's group has left; the largest number where nobody tells. Throws UsageError for a limit that is no size.
size_t memory_limit_bytes();
// The peak starts anew; false where the system cannot.
bool reset_peak_memory();

// Zeroed memory on a cache line at least; large blocks lie on large pages where the system has them: a walk through the
// weights of a network meets a page every few hundred nanoseconds otherwise. Throws std::bad_alloc.
std::shared_ptr<std::byte> zeroed_memory(size_t bytes);

}  // namespace godwit
