# Installs the build tree into a folder of its own, then configures, builds and runs the project in consumer/ against
# what is there, as users would: with each compiler that is here, as C++17 and C++20, and without exceptions.
#
#   cmake -D build_dir=… -D config=… -D work_dir=… -D generator=… -D compilers=…,… -D flags=… -D version=… -P install_test.cmake
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

# No aggregator is there: the programs neither mind nor wait, and what they had to tell is kept.
function(run_program compiler_name program)
  set(spool "${work_dir}/spool-${compiler_name}-${program}")
  find_program(found_${compiler_name}_${program} ${program} PATHS "${consumer_build}" "${consumer_build}/${config}" NO_DEFAULT_PATH
    REQUIRED)
  run("Run ${program} of ${compiler_name}" "${CMAKE_COMMAND}" -E env
    "KLEPTO_ENDPOINT=unix:${work_dir}/nobody" "KLEPTO_SPOOL_DIR=${spool}" "${found_${compiler_name}_${program}}")
  expect_file("${spool}/*")
endfunction()

# The library is of one compiler, its users of any.
string(REPLACE "," ";" compilers "${compilers}")
foreach(compiler ${compilers})
  get_filename_component(name "${compiler}" NAME)
  set(consumer_build "${work_dir}/build-${name}")
  run("Configure the consumer with ${name}" "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/consumer" -B "${consumer_build}"
    -G "${generator}" "-DCMAKE_BUILD_TYPE=${config}" "-DCMAKE_CXX_COMPILER=${compiler}" "-DCMAKE_CXX_FLAGS=${flags}"
    "-DCMAKE_PREFIX_PATH=${prefix}")
  run("Build the consumer with ${name}" "${CMAKE_COMMAND}" --build "${consumer_build}" --config "${config}")
  foreach(program consumer consumer_of_cxx20 consumer_without_exceptions)
    run_program("${name}" ${program})
  endforeach()
  find_program(ask_${name} ask PATHS "${consumer_build}" "${consumer_build}/${config}" NO_DEFAULT_PATH REQUIRED)
  run("Ask nobody" "${CMAKE_COMMAND}" -E env "KLEPTO_ENDPOINT=unix:${work_dir}/nobody" "${ask_${name}}")
endforeach()

file(REMOVE_RECURSE "${work_dir}")
