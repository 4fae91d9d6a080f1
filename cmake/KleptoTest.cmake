# Tests: one executable a folder of tests/, its test cases discovered by ctest. Works with Catch2 2.13 and 3.

find_package(Catch2 REQUIRED)
include(Catch)

add_library(klepto_catch_main OBJECT "${PROJECT_SOURCE_DIR}/tests/support/catch_main.cc")
target_link_libraries(klepto_catch_main PUBLIC Catch2::Catch2)
target_include_directories(klepto_catch_main PUBLIC "${PROJECT_SOURCE_DIR}")

# What users of the library may compile with: the compiler of this build, and the other one where it is there. Sanitizers
# bind a program to the compiler that its libraries were made with.
set(KLEPTO_USER_COMPILERS "${CMAKE_CXX_COMPILER}")
if(NOT KLEPTO_SANITIZE)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    find_program(KLEPTO_OTHER_COMPILER clang++)
  else()
    find_program(KLEPTO_OTHER_COMPILER g++)
  endif()
  if(KLEPTO_OTHER_COMPILER)
    list(APPEND KLEPTO_USER_COMPILERS "${KLEPTO_OTHER_COMPILER}")
  endif()
endif()

# klepto_test(NAME SOURCES … LIBRARIES … [LABELS …] [TIMEOUT seconds] [STORES …])
# Once more for each of the stores (tests/support/store_under_test.h), but for test cases tagged [file] or [not-STORE].
function(klepto_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBRARIES;LABELS;STORES" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name}_test ${arg_SOURCES} $<TARGET_OBJECTS:klepto_catch_main>)
  target_link_libraries(${name}_test PRIVATE Catch2::Catch2 klepto_warnings ${arg_LIBRARIES})
  target_include_directories(${name}_test PRIVATE "${PROJECT_SOURCE_DIR}")
  set(properties TIMEOUT ${arg_TIMEOUT} SKIP_REGULAR_EXPRESSION "SKIPPED: ")
  if(arg_LABELS)
    list(APPEND properties LABELS "${arg_LABELS}")
  endif()
  set(environment "")
  if(KLEPTO_SANITIZE STREQUAL "thread")
    set(environment "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/support/tsan.supp")
  endif()
  # A name that ctest cannot pass on (one with a semicolon, say) would run no test at all and pass: it shall fail.
  if(Catch2_VERSION VERSION_LESS 3)
    set(strict EXTRA_ARGS --warn NoTests)
  endif()
  catch_discover_tests(${name}_test TEST_PREFIX "${name}: " ${strict} PROPERTIES ${properties} ENVIRONMENT "${environment}")
  foreach(store IN LISTS arg_STORES)
    catch_discover_tests(${name}_test TEST_SPEC "~[file]~[not-${store}]" TEST_PREFIX "${name} on ${store}: " TEST_LIST ${name}_${store} ${strict}
      PROPERTIES ${properties} ENVIRONMENT "KLEPTO_TEST_STORE=${store};${environment}")
  endforeach()
endfunction()
