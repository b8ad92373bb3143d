// Writes godwit/ops.h: `ops_header FILE`. Part of the build.
#include <fstream>
#include <iostream>

#include "emit/cpp/ops_header.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: ops_header FILE\n";
    return 2;
  }
  std::ofstream file(arguments[1]);
  file << godwit::emit::ops_header();
  file.close();
  return file ? 0 : 1;
}
