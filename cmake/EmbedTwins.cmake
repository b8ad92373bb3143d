# Writes a C++ source that holds the Python twins of the op table: cmake -DOUT=... -DFOLDER=... -P EmbedTwins.cmake
file(GLOB files "${FOLDER}/*.py")
list(SORT files)
set(body "")
foreach(file ${files})
  file(READ "${file}" text)
  # A literal may not be longer than 64 KiB everywhere; neighbours are joined.
  string(APPEND body "R\"twins(${text}\n)twins\"\n")
endforeach()
file(WRITE "${OUT}.new" "#include \"emit/python/support.h\"\n\nnamespace godwit::emit {\n\nconst char* const twin_sources =\n${body};\n\n}  // namespace godwit::emit\n")
file(COPY_FILE "${OUT}.new" "${OUT}" ONLY_IF_DIFFERENT)
