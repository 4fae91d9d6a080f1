# Build options, compiler settings and dependencies shared by every folder. All options begin with KLEPTO_; developer
# targets (tests, examples, warnings) are on only where kleptometrics is the top-level project.

include(CheckCXXSourceCompiles)

option(KLEPTO_BUILD_AGGREGATOR "Build kleptometricsd" ON)
option(KLEPTO_BUILD_EXAMPLES "Build the example programs" ${PROJECT_IS_TOP_LEVEL})
option(KLEPTO_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(KLEPTO_POSTGRES "Build the PostgreSQL back end of the store, where libpq is found" ON)
option(KLEPTO_REDIS "Build the Redis back end of the store, where hiredis is found" ON)
option(KLEPTO_INSTALL "Make the install target and the CMake package" ON)
option(KLEPTO_WERROR "Treat warnings as errors" OFF)
set(KLEPTO_SANITIZE "" CACHE STRING "Sanitizers to build everything with: empty, address (with undefined) or thread")
set_property(CACHE KLEPTO_SANITIZE PROPERTY STRINGS "" address thread)

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)  # the client library goes into shared objects too
set(CMAKE_EXPORT_COMPILE_COMMANDS ${PROJECT_IS_TOP_LEVEL})

find_program(KLEPTO_CCACHE ccache)
if(KLEPTO_CCACHE AND PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${KLEPTO_CCACHE}")
endif()

# Warnings are ours alone: linked PRIVATE, never exported.
add_library(klepto_warnings INTERFACE)
target_compile_options(klepto_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  # GCC 12 sees an overlap in every `"text" + std::string()` (its bug 105651, mended in 13).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
  $<$<BOOL:${KLEPTO_WERROR}>:-Werror>)

if(KLEPTO_SANITIZE STREQUAL "address")
  # Not vptr: it opens a pipe to look at memory, and takes every object for damaged in tests that use up all descriptors.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
  # Clang may bring libFuzzer, which is steered by what it sees of every branch: so everything is built to tell it.
  set(CMAKE_REQUIRED_FLAGS -fsanitize=fuzzer)
  check_cxx_source_compiles("extern \"C\" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }"
    KLEPTO_LIBFUZZER)
  unset(CMAKE_REQUIRED_FLAGS)
  if(KLEPTO_LIBFUZZER)
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
elseif(KLEPTO_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(NOT KLEPTO_SANITIZE STREQUAL "")
  message(FATAL_ERROR "KLEPTO_SANITIZE is '${KLEPTO_SANITIZE}'; expected empty, address or thread")
endif()

find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
# protobuf 22 and newer find themselves by their own package, which brings Abseil along; older ones by CMake's module.
find_package(Protobuf CONFIG QUIET)
if(NOT TARGET protobuf::libprotobuf-lite)
  find_package(Protobuf REQUIRED)
endif()
if(KLEPTO_BUILD_AGGREGATOR OR KLEPTO_BUILD_EXAMPLES OR KLEPTO_BUILD_TESTS)
  find_package(PkgConfig REQUIRED)
  # Its compile flags decide the layout of its classes: always link the target, never the bare library.
  pkg_check_modules(httplib REQUIRED IMPORTED_TARGET GLOBAL cpp-httplib)
endif()
if(KLEPTO_BUILD_AGGREGATOR)
  find_package(absl REQUIRED)
  find_package(nlohmann_json REQUIRED)
  find_package(SQLite3 REQUIRED)
  if(KLEPTO_POSTGRES)
    pkg_check_modules(libpq IMPORTED_TARGET GLOBAL libpq)
    if(NOT libpq_FOUND)
      message(STATUS "No libpq (libpq-dev): the store is built without PostgreSQL")
      set(KLEPTO_POSTGRES OFF)
    endif()
  endif()
  if(KLEPTO_REDIS)
    pkg_check_modules(hiredis IMPORTED_TARGET GLOBAL hiredis)
    if(NOT hiredis_FOUND)
      message(STATUS "No hiredis (libhiredis-dev): the store is built without Redis")
      set(KLEPTO_REDIS OFF)
    endif()
  endif()
  # The aggregator's heap (aggregator/base/heap.h); sanitizers bring their own.
  if(NOT KLEPTO_SANITIZE)
    pkg_check_modules(jemalloc IMPORTED_TARGET GLOBAL jemalloc)
  endif()
endif()

# klepto_library(NAME [SOURCES …] [PUBLIC …] [PRIVATE …]): a static library of one folder, alias kleptometrics::NAME.
# Includes start at the project's root.
function(klepto_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(klepto_${name} STATIC ${arg_SOURCES})
  add_library(kleptometrics::${name} ALIAS klepto_${name})
  set_target_properties(klepto_${name} PROPERTIES EXPORT_NAME ${name} OUTPUT_NAME kleptometrics_${name})
  target_include_directories(klepto_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  target_link_libraries(klepto_${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE} $<BUILD_INTERFACE:klepto_warnings>)
endfunction()
