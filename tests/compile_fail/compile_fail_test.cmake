# One case of misuse: compiles without it, and with it fails by the complaint that the file names.
#
#   cmake -D compiler=… -D include_dir=… -D source=… -P compile_fail_test.cmake
cmake_minimum_required(VERSION 3.25)

function(compile result output)
  execute_process(
    COMMAND "${compiler}" -std=c++17 -fsyntax-only -Wall -Wextra -Werror "-I${include_dir}" ${ARGN} "${source}"
    RESULT_VARIABLE code ERROR_VARIABLE text)
  set(${result} ${code} PARENT_SCOPE)
  set(${output} "${text}" PARENT_SCOPE)
endfunction()

file(STRINGS "${source}" wanted REGEX "^// Complaint: " LIMIT_COUNT 1)
string(REPLACE "// Complaint: " "" wanted "${wanted}")
if(wanted STREQUAL "")
  message(FATAL_ERROR "${source} names no complaint")
endif()

compile(result output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "The control does not compile:\n${output}")
endif()
compile(result output -DMISUSE)
if(result EQUAL 0)
  message(FATAL_ERROR "The misuse compiles")
endif()
if(NOT output MATCHES "${wanted}")
  message(FATAL_ERROR "The misuse is refused, but not by '${wanted}':\n${output}")
endif()
