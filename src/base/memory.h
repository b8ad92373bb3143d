// What the process takes from the machine.
#pragma once

#include <cstddef>

namespace godwit {

size_t peak_memory_bytes();      // largest resident size so far, mapped files included
size_t resident_memory_bytes();  // now; 0 where the system does not tell
// The peak starts anew; false where the system cannot.
bool reset_peak_memory();

}  // namespace godwit
