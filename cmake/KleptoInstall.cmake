# What `cmake --install` puts where, and the CMake package `kleptometrics`:
#
#   find_package(kleptometrics REQUIRED)
#   target_link_libraries(my_batch_program PRIVATE kleptometrics::client)   # times runs
#   target_link_libraries(my_batch_program PRIVATE kleptometrics::query)    # asks the aggregator about them
#
# Both libraries are static, so the package also carries the project's own libraries that they are made of. Those have no
# headers there and are of no use by themselves.
include(CMakePackageConfigHelpers)

set(klepto_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/kleptometrics")

if(TARGET klepto_client)
  install(TARGETS klepto_client klepto_query klepto_base klepto_http klepto_tls klepto_sketch klepto_journal klepto_cells klepto_proto
    EXPORT kleptometricsTargets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development)
  install(EXPORT kleptometricsTargets
    NAMESPACE kleptometrics::
    DESTINATION "${klepto_package_dir}" COMPONENT development)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/lib/include/"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development
    FILES_MATCHING PATTERN "*.h")
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/proto/"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/kleptometrics/proto" COMPONENT development
    FILES_MATCHING PATTERN "*.proto"
    # How stores keep things is their own affair.
    PATTERN "chunk.proto" EXCLUDE
    PATTERN "store.proto" EXCLUDE)

  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/kleptometricsConfig.cmake.in"
    "${PROJECT_BINARY_DIR}/kleptometricsConfig.cmake"
    INSTALL_DESTINATION "${klepto_package_dir}"
    NO_SET_AND_CHECK_MACRO)
  # While the major version is 0, a new minor version may break what is built on it.
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/kleptometricsConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
  install(FILES
    "${PROJECT_BINARY_DIR}/kleptometricsConfig.cmake"
    "${PROJECT_BINARY_DIR}/kleptometricsConfigVersion.cmake"
    DESTINATION "${klepto_package_dir}" COMPONENT development)
endif()

if(TARGET kleptometricsd)
  install(TARGETS kleptometricsd RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT aggregator)
endif()

foreach(document LICENSE README.md CHANGELOG.md)
  install(FILES "${PROJECT_SOURCE_DIR}/${document}" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
endforeach()
