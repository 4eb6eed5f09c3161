# Installs programs and client into a folder of its own, tries the programs, the unit and the proto, and builds and runs
# the consumer against the client.
#   cmake -D BUILD=... -D WORK=... -D COMPILER=... -D FLAGS=... -P run.cmake
include(${CMAKE_CURRENT_LIST_DIR}/consume.cmake)

file(REMOVE_RECURSE ${WORK})
file(READ ${CMAKE_CURRENT_LIST_DIR}/../../../README.md readme)
string(REGEX MATCH "```cpp\n([^`]*)```" example "${readme}")
file(WRITE ${WORK}/readme_example.cc "${CMAKE_MATCH_1}")
set(prefix ${WORK}/prefix)
foreach(component server command client)
  run(${CMAKE_COMMAND} --install ${BUILD} --component ${component} --prefix ${prefix})
endforeach()

foreach(program hearwire hearwire-server hearwire-load)
  run(${prefix}/bin/${program} --version)
endforeach()

set(unit ${prefix}/lib/systemd/system/hearwire.service)
file(STRINGS ${unit} started REGEX "^ExecStart=")
if(NOT started STREQUAL "ExecStart=${prefix}/bin/hearwire-server")
  message(FATAL_ERROR "${unit} has ${started} instead of ExecStart=${prefix}/bin/hearwire-server")
endif()
find_program(SYSTEMD_ANALYZE systemd-analyze)
if(SYSTEMD_ANALYZE)
  # It says what it ignores, and exits with 0 all the same; it may also speak of other units.
  execute_process(COMMAND ${SYSTEMD_ANALYZE} verify --man=no ${unit} RESULT_VARIABLE result ERROR_VARIABLE complaints)
  if(NOT result EQUAL 0 OR complaints MATCHES "hearwire.service:")
    message(FATAL_ERROR "systemd-analyze verify ${unit}: ${result}\n${complaints}")
  endif()
  # In tenths: docs/operations.md says 2.1.
  run(${SYSTEMD_ANALYZE} security --offline=true --threshold=21 --no-pager ${unit})
else()
  message("systemd-analyze is not there: the unit is not verified")
endif()

find_program(PROTOC protoc REQUIRED)
run(${PROTOC} --proto_path=${prefix}/share/hearwire/proto --descriptor_set_out=${WORK}/embedding.bin hearwire/v1/embedding.proto hearwire/admin/v1/admin.proto)

run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build -G Ninja -DCMAKE_PREFIX_PATH=${prefix}
    -DREADME_EXAMPLE=${WORK}/readme_example.cc -DCMAKE_CXX_COMPILER=${COMPILER} "-DCMAKE_CXX_FLAGS=${FLAGS}")
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/consumer)
consume_by_pkg_config(${prefix})
