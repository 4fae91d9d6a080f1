# Installs the build tree into a folder of its own, then configures, builds and runs the project in consumer/ against
# what is there, as a user would; looks at the installed headers in every dialect that they promise to serve.
#
#   cmake -D build_dir=… -D config=… -D work_dir=… -D generator=… -D compiler=… -D flags=… -D version=… -P install_test.cmake
cmake_minimum_required(VERSION 3.25)

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${what} failed (${result}):\n${output}")
  endif()
  message(STATUS "${what}")
  set(run_output "${output}" PARENT_SCOPE)
endfunction()

function(expect_file path)
  file(GLOB found "${path}")
  if(NOT found)
    message(FATAL_ERROR "Not there: ${path}")
  endif()
endfunction()

set(prefix "${work_dir}/prefix")
set(consumer_build "${work_dir}/build")
set(spool "${work_dir}/spool")
file(REMOVE_RECURSE "${work_dir}")
file(MAKE_DIRECTORY "${work_dir}")

run("Install" "${CMAKE_COMMAND}" --install "${build_dir}" --config "${config}" --prefix "${prefix}")
expect_file("${prefix}/include/kleptometrics/kleptometrics.h")
expect_file("${prefix}/include/kleptometrics/query.h")
expect_file("${prefix}/share/kleptometrics/proto/kleptometrics/v1/run.proto")
expect_file("${prefix}/share/doc/kleptometrics/LICENSE")
if(aggregator)
  run("Ask the installed aggregator for its version" "${prefix}/bin/kleptometricsd" --version)
  if(NOT run_output MATCHES "${version}")
    message(FATAL_ERROR "kleptometricsd --version says:\n${run_output}\nwithout ${version}")
  endif()
endif()

# The headers by themselves: nothing but the standard library behind them, without a warning. And their weight: every
# program of a user pays for it. The standard headers that they need are 1.3 MB with libstdc++ 12.
set(preprocessed_bytes_max 2000000)
foreach(header kleptometrics query)
  file(WRITE "${work_dir}/${header}_alone.cc" "#include <kleptometrics/${header}.h>\n")
  foreach(dialect "-std=c++17" "-std=c++20" "-std=c++17;-fno-exceptions" "-std=c++17;-fno-rtti")
    run("${header}.h alone with ${dialect}" "${compiler}" ${dialect} -fsyntax-only -Wall -Wextra -Wpedantic -Wconversion
      -Wshadow -Werror "-I${prefix}/include" "${work_dir}/${header}_alone.cc")
  endforeach()
  run("Preprocess ${header}.h" "${compiler}" -std=c++17 -E -P "-I${prefix}/include" "${work_dir}/${header}_alone.cc"
    -o "${work_dir}/${header}_alone.ii")
  file(SIZE "${work_dir}/${header}_alone.ii" preprocessed_bytes)
  if(preprocessed_bytes GREATER preprocessed_bytes_max)
    message(FATAL_ERROR "${header}.h weighs ${preprocessed_bytes} preprocessed bytes; allowed are ${preprocessed_bytes_max}")
  endif()
endforeach()

run("Configure the consumer" "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/consumer" -B "${consumer_build}"
  -G "${generator}" "-DCMAKE_BUILD_TYPE=${config}" "-DCMAKE_CXX_COMPILER=${compiler}" "-DCMAKE_CXX_FLAGS=${flags}"
  "-DCMAKE_PREFIX_PATH=${prefix}")
run("Build the consumer" "${CMAKE_COMMAND}" --build "${consumer_build}" --config "${config}")

# No aggregator is there: the program neither minds nor waits, and what it had to tell is kept.
find_program(consumer consumer PATHS "${consumer_build}" "${consumer_build}/${config}" NO_DEFAULT_PATH REQUIRED)
run("Run the consumer" "${CMAKE_COMMAND}" -E env "KLEPTO_ENDPOINT=unix:${work_dir}/nobody" "KLEPTO_SPOOL_DIR=${spool}"
  "${consumer}")
expect_file("${spool}/*")
find_program(ask ask PATHS "${consumer_build}" "${consumer_build}/${config}" NO_DEFAULT_PATH REQUIRED)
run("Ask nobody" "${CMAKE_COMMAND}" -E env "KLEPTO_ENDPOINT=unix:${work_dir}/nobody" "${ask}")

file(REMOVE_RECURSE "${work_dir}")
