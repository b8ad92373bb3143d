# Finds MLX, or fetches the pinned wheel into the build folder.
#
# Sets the target godwit_mlx: headers, libmlx and, ahead of it on the link line, OpenBLAS, so that
# libmlx's own BLAS calls resolve to it (its bundled reference BLAS is about 60 times slower).

set(GODWIT_MLX_VERSION 0.32.4)
set(GODWIT_MLX_BACKEND mlx-cpu)
if(GODWIT_ENABLE_CUDA)
  set(GODWIT_MLX_BACKEND mlx-cuda-13)
endif()

set(wheel_dir "${CMAKE_BINARY_DIR}/mlx-wheel")
if(GODWIT_MLX_ROOT)
  set(mlx_root "${GODWIT_MLX_ROOT}")
else()
  set(mlx_root "${wheel_dir}/${GODWIT_MLX_BACKEND}-${GODWIT_MLX_VERSION}/mlx")
endif()

if(NOT EXISTS "${mlx_root}/include/mlx/mlx.h")
  message(STATUS "Fetching ${GODWIT_MLX_BACKEND} ${GODWIT_MLX_VERSION} (wheel)")
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  file(MAKE_DIRECTORY "${wheel_dir}")
  execute_process(
    COMMAND ${Python3_EXECUTABLE} -m pip download --quiet --disable-pip-version-check --no-deps
            --only-binary=:all: -d "${wheel_dir}" ${GODWIT_MLX_BACKEND}==${GODWIT_MLX_VERSION}
    RESULT_VARIABLE failed ERROR_VARIABLE pip_error)
  if(failed)
    message(FATAL_ERROR "MLX ${GODWIT_MLX_VERSION} is not installed and pip could not fetch it. "
                        "Set GODWIT_MLX_ROOT to a folder with include/ and lib/.\n${pip_error}")
  endif()
  string(REPLACE "-" "_" wheel_name ${GODWIT_MLX_BACKEND})
  file(GLOB wheel "${wheel_dir}/${wheel_name}-${GODWIT_MLX_VERSION}-*.whl")
  set(unpack_dir "${wheel_dir}/${GODWIT_MLX_BACKEND}-${GODWIT_MLX_VERSION}")
  file(ARCHIVE_EXTRACT INPUT ${wheel} DESTINATION "${unpack_dir}")
endif()

find_library(GODWIT_OPENBLAS openblas)
add_library(godwit_mlx INTERFACE)
target_include_directories(godwit_mlx SYSTEM INTERFACE
  $<BUILD_INTERFACE:${mlx_root}/include>)
if(GODWIT_OPENBLAS)
  target_link_libraries(godwit_mlx INTERFACE -Wl,--no-as-needed ${GODWIT_OPENBLAS})
else()
  message(WARNING "OpenBLAS not found: MLX's CPU matmul and convolution will be about 60 times slower")
endif()
target_link_libraries(godwit_mlx INTERFACE "${mlx_root}/lib/libmlx.so" -Wl,--as-needed)
set(GODWIT_MLX_LIB_DIR "${mlx_root}/lib")
set(GODWIT_MLX_INCLUDE_DIR "${mlx_root}/include")
