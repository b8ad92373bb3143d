// The three kinds of error: the caller's fault, the file's fault, ours.
#pragma once

#include <stdexcept>

namespace godwit {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The caller asked for something that cannot be: wrong flag, wrong shape, unknown input name.
class UsageError : public Error {
 public:
  using Error::Error;
};

// The file is damaged, hostile or holds something that is not supported. The command line exits with 2.
class FileError : public Error {
 public:
  using Error::Error;
};

// A broken promise inside godwit.
class InternalError : public Error {
 public:
  using Error::Error;
};

}  // namespace godwit
