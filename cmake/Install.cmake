# `cmake --install`: the library, its headers, godwitConfig.cmake and the binary.
#
# MLX from a wheel goes along, in the layout of the wheel, so that libmlx finds its private libraries; the binary and
# programs that link to godwit find it by an rpath. An MLX of the system (GODWIT_MLX_ROOT) is only referred to.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/godwit")
if(GODWIT_MLX_ROOT)
  set(GODWIT_INSTALLED_MLX "${GODWIT_MLX_ROOT}")
  set_target_properties(godwit_app PROPERTIES INSTALL_RPATH "${GODWIT_MLX_ROOT}/lib")
else()
  set(GODWIT_INSTALLED_MLX "${CMAKE_INSTALL_LIBDIR}/godwit/mlx")
  set_target_properties(godwit_app PROPERTIES INSTALL_RPATH "$ORIGIN/../${GODWIT_INSTALLED_MLX}/lib")
  install(DIRECTORY "${mlx_root}/lib" "${mlx_root}/include" DESTINATION "${GODWIT_INSTALLED_MLX}" USE_SOURCE_PERMISSIONS)
  file(GLOB private_libs "${mlx_root}/../*.libs")
  if(private_libs)
    install(DIRECTORY ${private_libs} DESTINATION "${CMAKE_INSTALL_LIBDIR}/godwit" USE_SOURCE_PERMISSIONS)
  endif()
endif()

install(TARGETS godwit EXPORT godwitTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(TARGETS godwit_app RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
# The name that converters are looked for under; the same binary, the same verbs.
install(CODE "file(CREATE_LINK godwit \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/pytorch_to_mlx\" SYMBOLIC)")
# What the binary starts for originals and for models that exist as Python code only.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/tools/reference" "${PROJECT_SOURCE_DIR}/tools/export"
        DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/godwit/tools" FILES_MATCHING PATTERN "*.py")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/godwit" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(FILES "${GODWIT_GENERATED_INCLUDE}/godwit/ops.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/godwit")
install(EXPORT godwitTargets NAMESPACE godwit:: DESTINATION "${package_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/godwitConfig.cmake.in" "${PROJECT_BINARY_DIR}/godwitConfig.cmake"
                              INSTALL_DESTINATION "${package_dir}" PATH_VARS GODWIT_INSTALLED_MLX)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/godwitConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/godwitConfig.cmake" "${PROJECT_BINARY_DIR}/godwitConfigVersion.cmake" DESTINATION "${package_dir}")
