# What linking the client library adds to a program, both stripped. Protobuf's lite runtime is aside: it is the system's
# shared library, as CMake's own module for protobuf finds it, and so in neither of the two files.
#
#   cmake -D strip=… -D without=… -D with=… -D work_dir=… -P size_test.cmake
cmake_minimum_required(VERSION 3.25)

# A library that is linked into every job of a house is asked what it costs. 1 MiB is our promise, not what it takes today.
set(added_bytes_max 1048576)

function(stripped_size program size)
  get_filename_component(name "${program}" NAME)
  execute_process(COMMAND "${strip}" -o "${work_dir}/${name}" "${program}" COMMAND_ERROR_IS_FATAL ANY)
  file(SIZE "${work_dir}/${name}" bytes)
  set(${size} ${bytes} PARENT_SCOPE)
endfunction()

file(MAKE_DIRECTORY "${work_dir}")
stripped_size("${without}" bytes_without)
stripped_size("${with}" bytes_with)
math(EXPR added_bytes "${bytes_with} - ${bytes_without}")
message(STATUS "The program has ${bytes_without} bytes without the library, ${bytes_with} with it: ${added_bytes} more")
if(added_bytes GREATER added_bytes_max)
  message(FATAL_ERROR "The client library adds ${added_bytes} bytes; allowed are ${added_bytes_max}")
endif()
